"""A removal that dies at each of its operations: nothing is half there, and it can be given again.

The disk is the one of the store exam: what is left of a crash depends on what was synced.
"""

import json
import shutil
from pathlib import Path

import pytest

from lth_keras.errors import ConfigError
from lth_keras.inventory import listing, planning, remove, removing, scanning, verify
from tests.conformance.test_store_crashes import (
    MODES,
    Crash,
    CrashingFiles,
    Failed,
    Inode,
    Wrapped,
)
from tests.inventory import making

RUN, RUNS, BOTH, UNUSED = ['ours-1'], ['ours-1', 'mine-3'], ['ours-1/a', 'mine-3'], []
EXAM = [*((RUNS, mode) for mode in MODES), (BOTH, 'power'), (UNUSED, 'kill')]


def rows(*trainings: str) -> list[dict]:
    return [making.row(training, i) for i, training in enumerate(trainings)]


@pytest.fixture(scope='module')
def built(tmp_path_factory) -> Path:
    """Three runs with tickets that share stages, and a stage of nobody."""
    root = tmp_path_factory.mktemp('built')
    dense, pair, ours, mine, theirs, lonely = (making.train(root, i) for i in range(6))
    for training in (dense, pair, ours, lonely):
        making.prune(root, training)
    run = making.run(root, 'ours-1', rows(dense, pair, ours))
    making.ticket(run, 'a')
    making.ticket(run, 'b')
    making.run(root, 'mine-3', rows(dense, pair, mine))
    making.ticket(making.run(root, 'theirs-2', rows(dense, theirs)), 'c')
    return root


def disk(root: Path, built: Path) -> CrashingFiles:
    """A disk with all that was built, durable."""

    def inode(path: Path) -> Inode:
        if path.is_file():
            return Inode(path.read_bytes(), path.read_bytes())
        entries = {entry.name: inode(entry) for entry in path.iterdir()}
        return Inode(entries, dict(entries))

    shutil.rmtree(root, ignore_errors=True)
    files = CrashingFiles(root)
    shutil.copytree(built, root, dirs_exist_ok=True)
    files.top = inode(root)
    return files


def removal(root: Path, names, files) -> None:
    remove(root, names, lambda line: None, unused=not names, yes=True, files=files)


def check_whole(root: Path) -> None:
    """What is there under its real name is whole, and no run misses a stage."""
    lines: list[str] = []
    if verify(root, [], lines.append):
        raise Failed(lines[0])
    found = json.loads(listing(root, everything=True, as_json=True))['tickets']
    for problem in (entry['problem'] for entry in found if entry['problem']):
        raise Failed(f'listed: {problem}')


def crash_at_each(root: Path, built: Path, names, mode: str, member=lambda files: files) -> int:
    """The same command before and after a crash at each operation; how many operations it has."""
    files = disk(root, built)
    check_whole(root)
    removal(root, names, files)
    expected, operations = making.tree(root), files.count
    for number in range(1, operations + 2):
        files = disk(root, built)
        files.crash_at = files.count + number
        try:
            removal(root, names, member(files))
        except Crash:
            pass
        files.restart(mode)
        check_whole(root)
        there = [name for name in names if name in planned(root)]
        try:
            removal(root, names, making.FAST)
        except ConfigError as error:
            if len(there) == len(names):  # nothing that was asked for was gone already
                raise Failed(f'refused: {error}') from error
        if making.tree(root) != expected:
            raise Failed(f'other things are left: {sorted(making.tree(root))}')
    return operations


def planned(root: Path) -> set[str]:
    """The names that are there, or that a killed removal had hidden."""
    work = scanning.scan(root)
    return {*work.runs, *work.tickets, *planning.names_before(work, planning.left(work))}


@pytest.mark.parametrize(('names', 'mode'), EXAM)
def test_a_crash_leaves_nothing_half_and_the_same_command_completes_it(
    tmp_path, built, names, mode
):
    operations = crash_at_each(tmp_path / 'work', built, names, mode)
    assert operations >= 3


def test_a_hidden_run_still_takes_its_stages_with_any_removal(tmp_path, built):
    files = disk(tmp_path / 'work', built)
    files.crash_at = files.count + 2
    with pytest.raises(Crash):
        removal(tmp_path / 'work', ['ours-1'], files)
    files.restart('kill')
    assert 'ours-1' not in scanning.scan(tmp_path / 'work').runs
    assert '1 thing of a removal that was killed' in listing(tmp_path / 'work')
    removal(tmp_path / 'work', ['theirs-2/c'], making.FAST)
    removal(disk(tmp_path / 'other', built).root, ['ours-1', 'theirs-2/c'], making.FAST)
    assert making.tree(tmp_path / 'work') == making.tree(tmp_path / 'other')


def test_a_run_that_was_begun_again_keeps_what_the_hidden_one_had(tmp_path, built):
    root = tmp_path / 'work'
    files = disk(root, built)
    files.crash_at = files.count + 2
    with pytest.raises(Crash):
        removal(root, ['ours-1'], files)
    files.restart('kill')
    shutil.copytree(built / 'ours-1', root / 'ours-1')
    removal(root, ['theirs-2/c'], making.FAST)
    check_whole(root)
    assert (root / 'ours-1').exists() and not list(root.glob('.*'))


# -- known-bad removals


def in_place(found, files):
    for path in found.paths:
        files.remove(path)


def stages_first(found, files):
    for path in [*found.stages, *found.runs]:
        temporary = planning.hidden(path)
        files.rename(path, temporary)
        files.sync(path.parent)
        files.remove(temporary)


def run_away_first(found, files):
    """Nobody could tell any more whose stages those were."""
    for path in [*found.runs, *found.stages]:
        temporary = planning.hidden(path)
        files.rename(path, temporary)
        files.sync(path.parent)
        files.remove(temporary)


@pytest.mark.parametrize(
    ('execute', 'reason'),
    [
        (in_place, 'broken: expected a file in'),
        (
            stages_first,
            'broken: expected the 3 stages that .*ours-1/records.json mentions, received 2',
        ),
        (run_away_first, 'other things are left: .*train-'),
    ],
)
def test_a_bad_order_fails_the_exam(tmp_path, built, monkeypatch, execute, reason):
    good = removing.execute

    def bad_at_first(found, files):
        (good if files is making.FAST else execute)(found, files)

    monkeypatch.setattr(removing, 'execute', bad_at_first)
    with pytest.raises(Failed, match=reason):
        crash_at_each(tmp_path / 'work', built, RUN, 'kill')


class SyncsStagesOnly(Wrapped):
    """A power cut brings the run back, and not its stages."""

    def sync(self, path):
        if path.name == 'stages':
            self.inner.sync(path)


def test_a_removal_that_does_not_sync_fails_the_exam(tmp_path, built):
    with pytest.raises(Failed, match='ours-1/records.json mentions, received'):
        crash_at_each(tmp_path / 'work', built, RUN, 'power', SyncsStagesOnly)
