"""The list: a line for everything, whatever lies there."""

import fcntl
import json
import os

import pytest

from lth_keras.errors import StoreError
from lth_keras.inventory import listing
from tests.inventory import making

RUN = 'mlp-digits-resetting-ab12'


@pytest.fixture
def work(tmp_path):
    dense, sparse, better = (making.train(tmp_path, i) for i in range(3))
    making.prune(tmp_path, dense)
    rows = [
        making.row(dense, 0),
        making.row(dense, 0, 1),
        making.row(sparse, 1),
        making.row(better, 1, 1, validation_loss=0.2),
    ]
    making.ticket(making.run(tmp_path, RUN, rows), 'round-01-replicate-0')
    making.run(tmp_path, 'other-cd34', [making.row(dense)])
    return tmp_path


def entries(work, **options):
    return {e['name']: e for e in json.loads(listing(work, as_json=True, **options))['tickets']}


def test_the_table(work):
    header, _, ours, other, blank, runs, stages = listing(work).split('\n')
    assert other.split()[:3] == ['other-cd34', 'mlp', 'digits']
    assert other.endswith('no ticket exported')
    assert ours.split()[:6] == [
        *('resetting-ab12/round-01-replicate-0', 'mlp', 'digits', '0.5000', '0.8750'),
        'undecided',
    ]
    assert header.index('model') == ours.index('mlp') and not blank
    assert runs.startswith('2 runs, ') and '1 exported ticket' in runs
    assert stages.startswith('4 stages, ') and 'mentions' not in stages


def test_rounds_that_are_only_in_the_store(work):
    found = entries(work, everything=True)
    assert [(n, e['state']) for n, e in sorted(found.items())] == [
        (f'{RUN}/round-00-replicate-0', 'not exported'),
        (f'{RUN}/round-01-replicate-0', 'exported'),
        (f'{RUN}/round-01-replicate-1', 'not exported'),  # of the lower validation loss
        ('other-cd34/round-00-replicate-0', 'not exported'),
    ]


def test_orders(work):
    run = work / RUN
    making.ticket(run, 'a', 1, result={'density': 0.25, 'test_accuracy': 0.5})
    making.ticket(run, 'b', 3, result={'density': 0.75, 'test_accuracy': 0.99})
    (run / 'tickets' / 'a' / 'big').write_bytes(bytes(9000))
    os.utime(run / 'tickets' / 'b' / 'ticket' / 'manifest.json', (0, 0))
    last = {by: list(entries(work, sort=by))[0] for by in ('density', 'accuracy', 'size')}
    assert last == {'density': f'{RUN}/a', 'accuracy': f'{RUN}/b', 'size': f'{RUN}/a'}
    assert list(entries(work, sort='age'))[-1] == f'{RUN}/b'


def test_a_run_that_is_worked_in_is_marked_and_its_lock_left_alone(work):
    lock = work / RUN / 'lock'
    lock.write_text('4711\n')
    assert 'in use' not in listing(work)
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert 'in use by pid 4711' in listing(work)
        assert entries(work)[f'{RUN}/round-01-replicate-0']['working'] == '4711'
        assert entries(work)['other-cd34']['working'] == ''
    assert lock.read_text() == '4711\n'


def test_stages_that_no_run_mentions_but_never_the_choice_of_an_engine(work):
    lonely = making.train(work, 77)
    making.prune(work, lonely)
    making.engine(work)
    totals = json.loads(listing(work, as_json=True))['totals']
    assert (totals['stages'], totals['unused_stages']) == (7, 2)
    assert '2 of them' in listing(work)


DAMAGES = {
    'no JSON': ('run.json', b'{', 'run.json: not what was written'),
    'a list': ('run.json', b'[]', 'run.json: not what was written'),
    'bytes': ('records.json', b'\xff\x00', 'records.json: not what was written'),
    'deep': ('records.json', b'[' * 100_000, 'records.json: not what was written'),
    'null': ('records.json', b'null', 'records.json: not what was written'),
    'old': ('records.json', b'{"rows": [{"round": 1}]}', 'records.json: no checksum'),
    'edited': ('records.json', b'{"rows": [], "checksum": "x"}', 'does not match its checksum'),
    'numbers': ('records.json', b'{"rows": [1], "checksum": "x"}', 'rows that are no mappings'),
    'ticket': ('tickets/round-01-replicate-0/ticket/manifest.json', b'{}', 'manifest.json'),
    'cut': ('tickets/round-01-replicate-0/ticket/final.npz', b'', 'final.npz: 0 bytes instead of'),
}


@pytest.mark.parametrize('damage', DAMAGES)
def test_a_broken_file_is_told_on_a_line_and_stops_nothing(work, damage):
    name, data, problem = DAMAGES[damage]
    assert problem not in listing(work, everything=True)
    (work / RUN / name).write_bytes(data)
    text = listing(work, everything=True)
    assert problem in text and 'other-cd34' in text


def test_nan_in_records_costs_the_verdict_and_is_told(work):
    rows = json.loads((work / RUN / 'records.json').read_text())['rows']
    rows[2]['test_accuracy'] = float('nan')
    (work / RUN / 'records.json').unlink()
    (work / RUN / 'run.json').unlink()
    (work / 'new').mkdir()
    moved = making.run(work / 'new', RUN, rows)
    for file in ('run.json', 'records.json'):
        (moved / file).rename(work / RUN / file)
    found = entries(work)
    assert found[f'{RUN}/round-01-replicate-0']['verdict'] == '-'
    assert 'records.json' in found[RUN]['problem'] and 'nan' in found[RUN]['problem']
    assert 'not a run' in found['new']['problem']


def test_records_may_name_anything_as_a_stage(work):
    making.run(work, 'odd-3', [making.row(['a']), making.row({}, 1), making.row(None, 2)])
    assert 'a row does not name its stage' in listing(work, everything=True)


def test_what_is_no_directory_and_no_run(work):
    (work / 'notes.txt').write_text('mine')
    (work / '.hidden').mkdir()
    (work / 'begun-7').mkdir()
    (work / 'begun-7' / 'lock').write_text('')
    (work / 'loop').symlink_to(work / 'loop')
    (work / RUN / 'tickets' / 'empty').mkdir()
    (work / 'stages' / 'notes.txt').write_text('mine')
    found = entries(work)
    assert {'notes.txt', '.hidden', 'loop'}.isdisjoint(found)
    assert found['begun-7']['problem'] == 'run.json: missing'
    assert 'manifest.json' in found[f'{RUN}/empty']['problem']
    assert '1 thing among the stages that are none' in listing(work)


@pytest.mark.parametrize(
    ('outcome', 'held', 'note'),
    [
        ('finished', False, 'no ticket exported'),
        ('running', True, 'in use by pid 4711; no ticket exported'),
        ('running', False, 'no ticket exported; killed'),
        ('failed: no\x1b space', False, 'no ticket exported; failed: no? space'),
        (['x'], False, 'no ticket exported'),
    ],
)
def test_how_a_run_ended(work, outcome, held, note):
    run = work / 'other-cd34'
    (run / 'provenance.json').write_text(json.dumps({'outcome': outcome}))
    (run / 'lock').write_text('4711')
    with open(run / 'lock') as lock:
        if held:
            fcntl.flock(lock, fcntl.LOCK_EX)
        (line,) = (line for line in listing(work).split('\n') if 'other-cd34' in line)
    assert line.endswith(f'  {note}')


def test_names_from_outside_cannot_act(work):
    run = making.run(work, 'evil\x1b[2J-11', [], model='\x1b]0;x\x07', dataset=['a'])
    making.ticket(run, 'line\nbreak', configuration={'model': '\x9b2J', 'dataset': 3})
    text = listing(work, everything=True)
    assert all(c.isprintable() or c == '\n' for c in text)
    assert 'evil?[2J-11/line?break' in text
    text = listing(work, everything=True, as_json=True)
    assert all(c.isprintable() or c == '\n' for c in text)


def test_no_such_work_directory(tmp_path):
    with pytest.raises(StoreError, match='expected a work directory'):
        listing(tmp_path / 'none')
    assert listing(tmp_path) == '0 runs, 0 B\n0 stages, 0 B'
