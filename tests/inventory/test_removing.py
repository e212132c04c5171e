"""Removal: exactly what only the gone needed, and never half of anything."""

import fcntl
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from lth_keras.errors import ConfigError, LotteryError, StoreError
from lth_keras.files import TEMPORARY
from lth_keras.inventory import planning, remove, scanning
from tests.inventory import making
from tests.inventory.making import FAST


def gone(work, *names, **options):
    lines = []
    remove(work, names, lines.append, files=FAST, **{'yes': True, **options})
    return lines


def stages(work):
    return {path.name for path in (work / 'stages').iterdir()}


@pytest.fixture
def work(tmp_path):
    """Two runs that share the dense network."""
    shared, ours, theirs = (making.train(tmp_path, i) for i in range(3))
    making.prune(tmp_path, ours)
    making.prune(tmp_path, shared)
    making.engine(tmp_path)
    run = making.run(tmp_path, 'ours-1', [making.row(shared), making.row(ours, 1)])
    making.run(tmp_path, 'theirs-2', [making.row(shared), making.row(theirs, 1)])
    making.ticket(run, 'a')
    making.ticket(run, 'b')
    return tmp_path


def test_without_yes_nothing_happens(work):
    before = making.tree(work)
    lines = gone(work, 'ours-1', yes=False)
    assert making.tree(work) == before
    assert lines[-1] == 'nothing was removed: --yes does it'
    assert len([line for line in lines if line.startswith('stage')]) == 2
    assert any(line.startswith('all ') and '3 things' in line for line in lines)


def test_a_run_goes_with_what_only_it_needs(work):
    before = stages(work)
    gone(work, 'ours-1')
    assert sorted(p.name for p in work.iterdir()) == ['stages', 'theirs-2']
    ours = f'train-{making.stage_key("train", {"number": 1})}'
    pruned = f'prune-{making.stage_key("prune", {"training": ours, "number": 0})}'
    assert before - stages(work) == {ours, pruned}


@pytest.mark.parametrize('form', ['ours-1/a', 'a', 'path'])
def test_a_ticket_goes_alone(work, form):
    before = making.tree(work)
    gone(work, str(work / 'ours-1' / 'tickets' / 'a') if form == 'path' else form)
    left = {k: v for k, v in before.items() if not k.startswith('ours-1/tickets/a')}
    assert making.tree(work) == left != before


def test_the_last_run_takes_the_shared_stages(work):
    gone(work, 'ours-1', 'theirs-2')
    assert {name.split('-')[0] for name in stages(work)} == {'engine'}


def test_unused_stages(work):
    before = stages(work)
    lonely = making.train(work, 9)
    making.prune(work, lonely)
    (work / 'stages' / f'{TEMPORARY}theirs-2~00').mkdir()  # a run's own; its next start removes it
    (work / 'stages' / f'{planning.LEFT}00').mkdir()
    lines = gone(work, unused=True)
    assert stages(work) == before | {f'{TEMPORARY}theirs-2~00'}
    assert any('killed before' in line for line in lines)
    assert gone(work, unused=True) == ['nothing to remove']


GRAPHS = st.lists(st.sets(st.integers(0, 7), max_size=5), min_size=1, max_size=4)


@hypothesis.settings(max_examples=40, deadline=None, database=None)
@hypothesis.given(GRAPHS, st.sets(st.integers(0, 7)), st.data())
def test_no_run_loses_a_stage_and_none_is_left(graph, pruned, data):
    chosen = data.draw(st.sets(st.sampled_from(range(len(graph))), min_size=1))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        names = [making.train(work, i) for i in range(8)]
        prunes = {i: making.prune(work, names[i]) for i in pruned}
        for i, mentioned in enumerate(graph):
            making.run(work, f'run-{i}', [making.row(names[s], s) for s in sorted(mentioned)])
        gone(work, *(f'run-{i}' for i in chosen))
        others = set().union(*(graph[i] for i in range(len(graph)) if i not in chosen))
        only = set().union(*(graph[i] for i in chosen)) - others
        kept = {names[s] for s in range(8) if s not in only}
        kept |= {name for s, name in prunes.items() if s not in only}
        assert stages(work) == kept
        left = {f'run-{i}' for i in range(len(graph)) if i not in chosen}
        assert {p.name for p in work.iterdir()} == {'stages', *left}


@pytest.mark.parametrize('yes', [True, False])
def test_refused_while_a_process_works_in_any_run(work, yes):
    (work / 'theirs-2' / 'lock').write_text('4711\n')
    before = making.tree(work)
    with open(work / 'theirs-2' / 'lock') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match='received pid 4711 in theirs-2'):
            gone(work, 'ours-1', yes=yes)
    assert making.tree(work) == before
    gone(work, 'ours-1', yes=yes)


@pytest.mark.parametrize(
    'name', ['../x', 'ours-1/../theirs-2', '', '/', '.', 'stages', 'ours', 'run', 'ours-1/tickets']
)
def test_names_of_nothing_that_may_go(work, name, monkeypatch):
    monkeypatch.chdir(work)
    before = making.tree(work)
    with pytest.raises(LotteryError):
        gone(work, name)
    assert making.tree(work) == before
    with pytest.raises(ConfigError, match='received neither'):
        gone(work)


def test_nothing_goes_through_a_link(work, tmp_path_factory):
    outside = tmp_path_factory.mktemp('outside')
    run = making.run(outside, 'far-3', [])
    folder = making.ticket(run, 'c')
    (work / 'far-3').symlink_to(run)
    (work / 'ours-1' / 'tickets' / 'c').symlink_to(folder)
    (work / 'stages' / f'train-{"0" * 16}').symlink_to(outside)
    before = making.tree(outside)
    for name in ('far-3', 'far-3/c', 'ours-1/c', str(work / 'far-3')):
        with pytest.raises(StoreError, match='expected .* below .* a link to'):
            gone(work, name)
    with pytest.raises(ConfigError, match='expected the name'):
        gone(work, str(run))
    with pytest.raises(StoreError, match='a link to'):
        gone(work, unused=True)
    assert making.tree(outside) == before
    # A link inside of what goes is removed, not followed.
    gone(work, 'ours-1')
    assert making.tree(outside) == before and not (work / 'ours-1').exists()
    # The work directory itself may be reached through one.
    (outside / 'work').symlink_to(work)
    gone(outside / 'work', 'theirs-2')
    assert not (work / 'theirs-2').exists()


def test_records_that_cannot_be_read_protect_every_stage(work):
    record = (work / 'theirs-2' / 'records.json').read_bytes()
    (work / 'theirs-2' / 'records.json').write_bytes(record.replace(b'train-', b'train+', 1))
    before = making.tree(work)
    for options in ({'unused': True}, {}):
        with pytest.raises(StoreError, match='theirs-2 needs, received records.json: does not'):
            gone(work, *([] if options else ['ours-1']), **options)
    assert making.tree(work) == before
    lines = gone(work, 'theirs-2')  # itself may go, without its stages
    assert any('cannot be known' in line for line in lines)
    assert {k for k in before if k.startswith('stages/')} <= set(making.tree(work))


def test_a_transfer_is_named(work):
    making.run(work, 'moved-3', [], transfer_from='digits')
    assert any('moved-3 trains tickets' in line for line in gone(work, 'ours-1', yes=False))


def test_a_list_in_the_place_of_a_name_is_nobodys_data(work):
    making.run(work, 'odd-3', [], dataset=['digits'], transfer_from=['digits'])
    assert 'nothing was removed' in gone(work, 'ours-1', 'odd-3', yes=False)[-1]
    assert 'nothing was removed' in gone(work, 'ours-1', yes=False)[-1]


@pytest.mark.parametrize(
    ('where', 'name'),
    [
        ('.', 'ours-1/tickets/a'),
        ('.', './ours-1/tickets/a/'),
        ('ours-1', 'tickets/a'),
        ('ours-1/tickets', 'a'),
        ('stages', '{work}/ours-1/tickets/a'),
    ],
)
def test_a_path_is_a_name_wherever_one_stands(work, monkeypatch, where, name):
    monkeypatch.chdir(work / where)
    gone(work, name.format(work=work))
    assert [p.name for p in (work / 'ours-1' / 'tickets').iterdir()] == ['b']


def test_an_empty_name_is_not_the_run_that_one_stands_in(work, monkeypatch):
    monkeypatch.chdir(work / 'ours-1')
    with pytest.raises(ConfigError, match="received ''"):
        gone(work, '')
    assert (work / 'ours-1').exists()


def test_a_run_that_begins_while_the_others_are_being_held_refuses_too(work, monkeypatch):
    scans, real = [], scanning.scan

    def scan(workdir):
        if scans:
            (work / 'new-3').mkdir()
            (work / 'new-3' / 'lock').write_text('4712\n')
            scans.append(open(work / 'new-3' / 'lock'))
            fcntl.flock(scans[-1], fcntl.LOCK_EX)
        else:
            scans.append(None)
        return real(workdir)

    monkeypatch.setattr(scanning, 'scan', scan)
    with pytest.raises(StoreError, match='received pid 4712 in new-3'):
        gone(work, 'ours-1')
    scans[-1].close()
    assert (work / 'ours-1').exists()


def test_a_run_that_cannot_be_known_keeps_its_stages_but_not_its_tickets(work):
    (work / 'ours-1' / 'records.json').write_text('{')
    before = stages(work)
    gone(work, 'ours-1')
    assert not (work / 'ours-1').exists() and stages(work) == before
    gone(work, unused=True)
    assert len(before) - len(stages(work)) == 2
