"""One ticket shown, two compared, all verified."""

import io
import json

import pytest

from lth_keras.errors import LotteryError
from lth_keras.inventory import compare, show, verify
from lth_keras.inventory.naming import chosen
from tests.inventory import making

RUN = 'mlp-digits-ab12'


@pytest.fixture
def work(tmp_path):
    dense, sparse = making.train(tmp_path, 0), making.train(tmp_path, 1)
    making.prune(tmp_path, dense)
    run = making.run(tmp_path, RUN, [making.row(dense), making.row(sparse, 1)])
    making.ticket(run, 'round-01', 2, seed=0, versions={'numpy': '2'})
    making.ticket(run, 'round-02', 1, seed=5, versions={'numpy': '2'}, round=2)
    making.ticket(run, 'other', 1, 'j')
    return tmp_path


@pytest.mark.parametrize('name', [f'{RUN}/round-01', 'ab12/round-01', 'd-01', 'path', 'inner'])
def test_show_takes_a_name_a_part_of_it_or_a_path(work, name):
    folder = work / RUN / 'tickets' / 'round-01'
    name = {'path': str(folder), 'inner': str(folder / 'ticket')}.get(name, name)
    text = show(work, name)
    assert f'{RUN}/round-01\n' in text and 'numpy 2' in text
    assert 'tools/lottery --rounds=2' in text
    assert 'undecided: one replicate: no confidence interval' in text
    assert 'ticket/early_stop.npz' in text and '0.8750' in text
    assert text.count('0.5000') == 2  # the kernel, and all


def test_a_wrong_name_says_which_there_are(work):
    with pytest.raises(LotteryError, match="did you mean 'mlp-digits-ab12/round-02'"):
        show(work, 'mlp-digits-ab12/rond-02')
    with pytest.raises(LotteryError, match='a part of 2: .*round-01, .*round-02: give more'):
        show(work, 'round-0')


def test_the_end_of_a_name_goes_before_a_part_of_it():
    known = {'a/round-1': 1, 'a/round-1-2': 2}
    assert chosen('round-1', known, 'x') == 1
    with pytest.raises(LotteryError, match='known|did you mean'):
        chosen('oun', known, 'x', parts=False)


def test_compare(work):
    text = compare(work, 'round-01', 'round-02')
    assert '  seed: A 0, B 5\n' in text and 'numpy' not in text
    kernel = next(line for line in text.split('\n') if line.startswith('k '))
    # Of 4 weights 2 and 1 are kept, one by both: 1 / 2; by chance half a weight: 0.5 / 2.5.
    assert kernel.split() == ['k', '0.5000', '0.2500', '0.5000', '0.2000']
    assert '-0.2500' in text
    assert 'settings: none differs' in compare(work, 'round-01', 'round-01')


def test_masks_of_other_kernels_are_not_laid_over_each_other(work):
    text = compare(work, 'round-01', 'other')
    assert 'cannot be laid over each other: the mask does not fit the model: no mask for' in text
    assert 'Jaccard: kept' not in text


def verified(work, *names):
    lines, stream = [], io.StringIO()
    broken = verify(work, names, lines.append, stream)
    assert stream.getvalue() == ''  # a log: no bar
    return broken, lines


def test_verify_reads_everything(work):
    # run.json and records.json, three tickets, three stages
    assert verified(work) == (0, ['8 artefacts verified, 0 broken'])
    assert verified(work, 'round-01')[1] == ['1 artefact verified, 0 broken']
    assert verified(work, RUN, 'round-01')[1] == ['8 artefacts verified, 0 broken']


@pytest.mark.parametrize(
    'where',
    [
        *(f'{RUN}/tickets/round-01/ticket/{n}' for n in ('mask.npz', 'rewind.npz', 'model.json')),
        *(f'{RUN}/{n}' for n in ('records.json',)),
        *('stages/train-*/weights.npz', 'stages/prune-*/manifest.json'),
    ],
)
def test_every_flipped_byte_is_found_and_named(work, where):
    path = sorted(work.glob(where))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    broken, lines = verified(work)
    assert broken == 1 and lines[-1] == '8 artefacts verified, 1 broken'
    assert str(path) in lines[0] and ': remove' in lines[0]


def test_other_things_that_are_broken(work):
    saved = work / RUN / 'tickets' / 'round-01' / 'saved_model'
    saved.mkdir()
    stage = next((work / 'stages').glob('train-*'))
    for path in stage.iterdir():
        path.unlink()
    stage.rmdir()
    (work / 'stages' / 'mine').mkdir()
    broken, lines = verified(work)
    text = '\n'.join(lines)
    assert broken == 3 and str(saved) in text and stage.name in text and 'stages/mine' in text
    assert 'tools/lottery --rounds=2' in text


def test_a_record_that_is_no_json_is_broken(work):
    (work / RUN / 'run.json').write_text(json.dumps({'identity': 3}))
    broken, lines = verified(work, RUN)
    assert broken == 1 and f'{RUN}/run.json' in lines[0]
