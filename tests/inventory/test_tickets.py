"""One ticket shown, two compared, all verified."""

import io
import json
import re

import pytest

from lth_keras.errors import LotteryError
from lth_keras.inventory import compare, listing, scanning, show, verify
from lth_keras.inventory.naming import chosen
from lth_keras.inventory.verifying import checks
from tests.inventory import making

RUN = 'mlp-digits-ab12'
TICKET = f'{RUN}/tickets/round-01'
IN_TICKET = ('manifest.json', 'mask.npz', 'rewind.npz', 'early_stop.npz', 'final.npz', 'model.json')


@pytest.fixture
def work(tmp_path):
    dense, sparse = making.train(tmp_path, 0), making.train(tmp_path, 1)
    making.prune(tmp_path, dense)
    run = making.run(tmp_path, RUN, [making.row(dense), making.row(sparse, 1)])
    making.saved_model(making.ticket(run, 'round-01', 2, seed=0, versions={'numpy': '2'}))
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


@pytest.mark.parametrize(
    'name', ['', '..', f'{RUN}/tickets/../..', f'{RUN}', 'nowhere/at/all', '\x1b[2J']
)
def test_what_is_no_ticket_is_refused(work, name, monkeypatch):
    monkeypatch.chdir(work)
    with pytest.raises(LotteryError, match='expected the name of one exported ticket'):
        show(work, name)


def test_a_ticket_of_no_run_is_shown_by_its_path(work, tmp_path_factory):
    away = tmp_path_factory.mktemp('away') / 'mine'
    (work / RUN / 'tickets' / 'round-01' / 'ticket').rename(away)
    text = show(work, str(away))
    assert f'{away}\n' in text and re.search('verdict +-\n', text)


@pytest.mark.parametrize('name', IN_TICKET)
def test_a_broken_ticket_is_one_error(work, name):
    path = work / TICKET / 'ticket' / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LotteryError, match=re.escape(str(path))):
        show(work, 'round-01')


@pytest.mark.parametrize(
    'odd', [{'round': [1]}, {'configuration': [], 'result': 'x', 'versions': 3}, {'result': {}}]
)
def test_a_provenance_that_says_something_else(work, odd):
    making.ticket(work / RUN, 'odd', **odd)
    assert '0.5000' in show(work, f'{RUN}/odd')
    assert 'all ' in compare(work, f'{RUN}/odd', 'round-01')
    assert 'ab12/odd' in listing(work)


def test_escapes_in_a_ticket_are_not_shown(work):
    evil = '\x1b]0;x\x07\x9b2J\u202e\n'
    making.ticket(work / RUN, 'odd', fingerprint=evil, device=evil, versions={evil: evil})
    for text in (show(work, 'odd'), compare(work, 'odd', 'round-01')):
        assert all(c.isprintable() or c == '\n' for c in text) and '?]0;x??2J??' in text


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
    # run.json and records.json, three tickets and a SavedModel, three stages
    assert verified(work) == (0, ['9 artefacts verified, 0 broken'])
    assert verified(work, 'round-01')[1] == ['2 artefacts verified, 0 broken']
    assert verified(work, RUN, 'round-01')[1] == ['9 artefacts verified, 0 broken']
    stage = sorted((work / 'stages').iterdir())[0]
    assert verified(work, stage.name)[1] == ['1 artefact verified, 0 broken']
    paths = [work / RUN, work / RUN / 'tickets' / 'other', stage, stage]
    assert verified(work, *map(str, paths))[1] == ['9 artefacts verified, 0 broken']


@pytest.mark.parametrize(
    'where',
    [
        *(f'{TICKET}/ticket/{name}' for name in IN_TICKET),
        *(f'{RUN}/run.json', f'{RUN}/records.json'),
        *('stages/train-*/weights.npz', 'stages/train-*/curve.csv', 'stages/prune-*/manifest.json'),
    ],
)
def test_a_flipped_bit_is_found_and_named(work, where):
    path = sorted(work.glob(where))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    broken, lines = verified(work)
    assert broken == 1 and lines[-1] == '9 artefacts verified, 1 broken'
    assert str(path) in lines[0] and ': re' in lines[0]  # remove it, or restore it


@pytest.mark.parametrize('where', ['saved_model/saved_model.pb', 'saved_model.sha256'])
def test_a_flipped_bit_of_a_saved_model_is_found(work, where):
    data = bytearray((work / TICKET / where).read_bytes())
    data[2] ^= 1
    (work / TICKET / where).write_bytes(data)
    broken, (line, _) = verified(work)
    assert broken == 1 and f'{work / TICKET}/saved_model as it was exported' in line


def test_every_byte_of_a_runs_own_record_counts(work):
    path = work / RUN / 'run.json'
    data = path.read_bytes()
    check = next(check for check in checks(scanning.scan(work)) if check.name.endswith('run.json'))
    check.run()
    for i in range(len(data)):
        path.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        with pytest.raises(Exception, match='.'):
            (check,) = (c for c in checks(scanning.scan(work)) if c.name.endswith('run.json'))
            check.run()


def test_a_run_in_the_directory_of_another_is_told(work):
    (work / RUN).rename(work / 'mlp-digits-cd34')
    broken, (line, _) = verified(work, 'cd34')
    assert broken == 1 and 'directory: recorded "mlp-digits-ab12", beside it' in line


def test_other_things_that_are_broken(work):
    saved = work / RUN / 'tickets' / 'round-02' / 'saved_model'
    saved.mkdir()  # without checksums
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
