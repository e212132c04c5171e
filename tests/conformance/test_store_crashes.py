"""The store exam: a crash at every operation on disk, and the same command again.

`CrashingFiles` keeps a model of what a disk promises beside the real directory: the content of a
file is durable once the file was synced, a name (made, renamed, removed) once its directory was.
At the chosen operation the machine dies and one of four things is left:

    kill           everything: only the process died (SIGKILL)
    power          what was synced, nothing else
    names-first    all names, of contents only what was synced (delayed allocation)
    content-first  all contents, of names only what was synced

Then the same command runs again. It must end with the bits of an undisturbed run, find whatever
was reported finished, leave no temporary file, and never take a torn file for a whole one. Stores
that are known to be bad sit the same exam and must fail it.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from lth_keras.artefact import Artefact
from lth_keras.digests import digest
from lth_keras.errors import StoreError
from lth_keras.files import TEMPORARY, Files
from lth_keras.runs import LOCK, Run
from lth_keras.store import Store, stage_key

MODES = ('kill', 'power', 'names-first', 'content-first')
IDENTITY = {'configuration': {'rounds': 2, 'rate': 0.5}, 'versions': {'numpy': 'any'}}


class Crash(BaseException):
    """The machine is dead; no handler of the store may take this for an error."""


class Failed(Exception):
    """The exam is not passed; the text says why."""


# -- the disk


@dataclass
class Inode:
    """A file (content) or directory (entries), as it is seen and as it is durable."""

    seen: bytes | dict[str, 'Inode']
    durable: bytes | dict[str, 'Inode']


class CrashingFiles(Files):
    """The real operations below `root`, a model of what is durable, and a crash on request."""

    def __init__(self, root: Path):
        self.root, self.top = root, Inode({}, {})
        self.count, self.crash_at, self.dead = 0, None, False
        root.mkdir()

    def _entries(self, path: Path) -> dict[str, Inode]:
        """What is seen in the directory that holds `path`."""
        node = self.top
        for part in path.relative_to(self.root).parts[:-1]:
            node = node.seen[part]
        return node.seen

    def _dies(self) -> bool:
        if self.dead:
            raise Crash
        self.count += 1
        self.dead = self.count == self.crash_at
        return self.dead

    def make_directory(self, path):
        if self._dies():
            raise Crash
        super().make_directory(path)
        self._entries(path)[path.name] = Inode({}, {})

    def write(self, path, data):
        dies = self._dies()
        data = data[: len(data) // 2] if dies else data
        super().write(path, data)
        entries = self._entries(path)
        # As O_TRUNC does: the old durable content is no longer promised.
        entries.setdefault(path.name, Inode(b'', b'')).seen = data
        if dies:
            raise Crash

    def sync(self, path):
        if self._dies():
            raise Crash
        node = self.top if path == self.root else self._entries(path)[path.name]
        node.durable = dict(node.seen) if isinstance(node.seen, dict) else node.seen

    def rename(self, source, target):
        if self._dies():
            raise Crash
        super().rename(source, target)
        self._entries(target)[target.name] = self._entries(source).pop(source.name)

    def remove(self, path):
        dies = self._dies()
        entries = self._entries(path)
        if dies and path.is_dir():  # half way through
            for name in sorted(entries[path.name].seen)[:1]:
                del entries[path.name].seen[name]
                super().remove(path / name)
            raise Crash
        if dies:
            raise Crash
        super().remove(path)
        entries.pop(path.name, None)

    def restart(self, mode: str) -> None:
        """Makes what the crash left the state of the real directory, and of the model."""
        self.dead, self.crash_at = False, None
        if mode == 'kill':
            return
        names = 'seen' if mode == 'names-first' else 'durable'
        content = 'seen' if mode == 'content-first' else 'durable'

        def left(node: Inode) -> Inode:
            if isinstance(node.seen, bytes):
                return Inode(getattr(node, content), getattr(node, content))
            entries = {name: left(entry) for name, entry in getattr(node, names).items()}
            return Inode(entries, dict(entries))

        def build(node: Inode, path: Path) -> None:
            if isinstance(node.seen, bytes):
                path.write_bytes(node.seen)
                return
            path.mkdir()
            for name, entry in node.seen.items():
                build(entry, path / name)

        self.top = left(self.top)
        shutil.rmtree(self.root)
        build(self.top, self.root)


# -- the stand-in trainer


@dataclass
class Witness:
    """What the outside world saw of a run over all its lives."""

    bits: dict[str, str]
    finished: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    texts: dict[str, set[str]] = field(default_factory=dict)

    def stage(self, store: Store, kind: str, inputs: dict, make: Callable) -> Artefact:
        key = f'{kind}-{stage_key(kind, inputs)}'

        def witnessed() -> Artefact:
            self.made.append(key)
            if key in self.finished:
                raise Failed(f'redone: {key} had been reported finished')
            return make()

        stage = store.get_or(kind, inputs, witnessed)
        if self.bits.setdefault(key, digest(stage.arrays)) != digest(stage.arrays):
            raise Failed(f'torn: {key} holds other bits than it was made of')
        self.finished.add(key)
        return stage

    def text(self, run: Run, name: str, text: str) -> None:
        self.texts.setdefault(name, {None}).add(text)  # while it is written: the old or the new
        run.write(name, text)
        self.texts[name] = {text}

    def check_texts(self, directory: Path) -> None:
        for name, allowed in self.texts.items():
            path = directory / name
            found = path.read_text() if path.exists() else None
            if found not in allowed:
                raise Failed(f'lost: {name} holds {found!r}, expected one of {allowed}')


def train(root: Path, files: Files, witness: Witness) -> None:
    """Two rounds of 'training' and pruning; every stage depends on the one before."""
    store = Store(root / 'work', files)
    with store.open_run('run', 'ab12', IDENTITY) as run:
        witness.check_texts(run.directory)
        weights, mask, curve = np.linspace(-1, 1, 12).reshape(3, 4), np.ones((3, 4), bool), ''
        for r in range(2):
            start = {'round': r, 'weights': digest(weights), 'mask': digest(mask)}

            def trained(weights=weights, mask=mask) -> Artefact:
                for step in range(5):
                    weights = mask * (weights + 0.1 * np.cos(weights + step))
                return Artefact('train', {}, {'weights': {'dense/kernel': weights}})

            stage = witness.stage(store, 'train', start, trained)
            weights = stage.arrays['weights']['dense/kernel']

            def pruned(weights=weights, mask=mask) -> Artefact:
                kept = mask & (np.abs(weights) > np.median(np.abs(weights[mask])))
                return Artefact('mask', {}, {'mask': {'dense/kernel': kept}}, {'log.txt': 'cut\n'})

            stage = witness.stage(store, 'mask', {'of': digest(weights)}, pruned)
            mask = stage.arrays['mask']['dense/kernel']
            curve += f'{r},{int(mask.sum())}\n'
            witness.text(run, 'curve.csv', curve)
        witness.text(run, 'results.json', json.dumps({'weights': digest(weights)}))


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Every file and directory below `root`, but for the lock, which holds a process id."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob('*'))
        if path.name != LOCK
    }


# -- the exam


@dataclass(frozen=True)
class Reference:
    """The undisturbed run."""

    operations: int
    files: dict[str, bytes | None]
    bits: dict[str, str]


def undisturbed(root: Path, member: Callable[[Files], Files]) -> Reference:
    disk, witness = CrashingFiles(root), Witness({})
    train(root, member(disk), witness)
    return Reference(disk.count, snapshot(root), witness.bits)


def sit(
    root: Path,
    member: Callable[[Files], Files],
    reference: Reference,
    crashes: list[tuple[int, str]],
) -> Witness:
    """One run with crashes, each at the n-th operation of its life; a life after the last one."""
    shutil.rmtree(root, ignore_errors=True)
    disk, witness = CrashingFiles(root), Witness(dict(reference.bits))
    try:
        for number, mode in crashes:
            disk.crash_at = disk.count + number
            try:
                train(root, member(disk), witness)
            except Crash:
                pass
            disk.restart(mode)  # also if the run had just ended: what it reported must last
        train(root, member(disk), witness)
    except StoreError as error:
        raise Failed(f'stuck: {error}') from error
    left = snapshot(root)
    if any(TEMPORARY in name for name in left):
        raise Failed(f'temporary files were left: {sorted(left)}')
    if left != reference.files:
        raise Failed(f'other results: {sorted(left)} instead of {sorted(reference.files)}')
    return witness


def exam(tmp_path: Path, member: Callable[[Files], Files], modes: tuple[str, ...] = MODES) -> None:
    """A crash before, in and after every single operation, in every mode."""
    reference = undisturbed(tmp_path / 'undisturbed', member)
    for mode in modes:
        for number in range(1, reference.operations + 2):
            try:
                sit(tmp_path / 'disturbed', member, reference, [(number, mode)])
            except Failed as failed:
                text = f'{mode} at operation {number}: {failed}'
                raise Failed(text) from failed


def honest(files: Files) -> Files:
    return files


@pytest.mark.parametrize('mode', MODES)
def test_a_crash_at_any_operation_loses_nothing(tmp_path, mode):
    exam(tmp_path, honest, (mode,))


def test_what_a_killed_process_left_unsynced_outlives_a_later_power_cut(tmp_path):
    """The second life finds names that only the first one's memory holds, and must sync them."""
    reference = undisturbed(tmp_path / 'undisturbed', honest)
    for number in range(1, reference.operations + 1):
        crashes = [(number, 'kill'), (reference.operations + 1, 'power')]
        sit(tmp_path / 'disturbed', honest, reference, crashes)


def test_crashes_may_follow_each_other(tmp_path):
    reference = undisturbed(tmp_path / 'undisturbed', honest)
    rng = np.random.default_rng(0)
    for _ in range(40):
        numbers = rng.integers(1, reference.operations + 2, size=3)
        crashes = [(int(number), str(rng.choice(MODES))) for number in numbers]
        sit(tmp_path / 'disturbed', honest, reference, crashes)


def test_the_exam_has_something_to_examine(tmp_path):
    """The stages are really made, crashes really happen, and work is really lost and redone."""
    reference = undisturbed(tmp_path / 'undisturbed', honest)
    assert reference.operations > 50 and len(reference.bits) == 4
    early = sit(tmp_path / 'disturbed', honest, reference, [(12, 'power')])
    assert len(early.made) == 5  # the stage in the making, then all four
    late = sit(tmp_path / 'disturbed', honest, reference, [(reference.operations, 'power')])
    assert len(late.made) == 4


# -- the known-bad members


class Wrapped(Files):
    """Hands every operation on, to be bad in one of them."""

    def __init__(self, inner: Files):
        self.inner = inner

    def make_directory(self, path):
        self.inner.make_directory(path)

    def write(self, path, data):
        self.inner.write(path, data)

    def sync(self, path):
        self.inner.sync(path)

    def rename(self, source, target):
        self.inner.rename(source, target)

    def remove(self, path):
        self.inner.remove(path)


class NeverSyncs(Wrapped):
    def sync(self, path):
        pass


class SyncsNoDirectory(Wrapped):
    def sync(self, path):
        if not path.is_dir():
            self.inner.sync(path)


class SyncsNoFile(Wrapped):
    def sync(self, path):
        if path.is_dir():
            self.inner.sync(path)


class RenamesBeforeWriting(Wrapped):
    """Gives the final name first and fills it then."""

    def __init__(self, inner: Files):
        super().__init__(inner)
        self.waiting = {}

    def write(self, path, data):
        self.waiting[path] = data

    def sync(self, path):
        if path not in self.waiting:
            self.inner.sync(path)

    def rename(self, source, target):
        if source in self.waiting:
            self.inner.write(source, b'')
        self.inner.rename(source, target)
        for path in list(self.waiting):
            place = target / path.relative_to(source)
            self.inner.write(place, self.waiting.pop(path))
            self.inner.sync(place)
        if target.is_dir():
            self.inner.sync(target)


class WritesInPlace(Wrapped):
    """Replaces a file by writing over it."""

    def rename(self, source, target):
        if source.is_dir():
            return self.inner.rename(source, target)
        self.inner.write(target, source.read_bytes())
        self.inner.sync(target)
        self.inner.remove(source)


class LeavesTemporaries(Wrapped):
    def remove(self, path):
        pass


@pytest.mark.parametrize(
    ('member', 'modes', 'reason'),
    [
        (NeverSyncs, ('power',), 'redone|lost'),
        (NeverSyncs, ('names-first',), 'stuck|lost'),
        (SyncsNoDirectory, ('power',), 'redone|lost'),
        (SyncsNoFile, ('names-first',), 'stuck|lost'),
        (RenamesBeforeWriting, ('kill',), 'stuck|lost'),
        (WritesInPlace, ('kill',), 'stuck|lost'),
        (LeavesTemporaries, ('kill',), 'temporary files were left'),
    ],
)
def test_a_bad_store_fails_the_exam(tmp_path, member, modes, reason):
    with pytest.raises(Failed, match=f'at operation [0-9]+: ({reason})'):
        exam(tmp_path, member, modes)


# -- a real process, a real signal


class Killed(Files):
    """Kills its own process at the n-th operation."""

    def __init__(self, number: int):
        self.left = number

    def __getattribute__(self, name):
        if name in ('make_directory', 'write', 'sync', 'rename', 'remove'):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__getattribute__(name)


@pytest.mark.parametrize('number', [5, 9, 16, 22, 28, 41, 55])
def test_a_process_killed_by_a_signal_goes_on_where_it_was(tmp_path, number):
    reference = undisturbed(tmp_path / 'undisturbed', honest)
    (tmp_path / 'disturbed').mkdir()
    pid = os.fork()
    if pid == 0:
        try:
            train(tmp_path / 'disturbed', Killed(number), Witness({}))
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    train(tmp_path / 'disturbed', Files(), Witness(reference.bits))
    assert snapshot(tmp_path / 'disturbed') == reference.files
