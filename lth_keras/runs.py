"""Runs: one directory for each, opened by one process at a time, never with another identity."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lth_keras.digests import differences, plain, pretty
from lth_keras.errors import StoreError
from lth_keras.files import (
    DISK,
    TEMPORARY,
    Files,
    check_name,
    ensure_directory,
    write_file,
    writing,
)

RECORD, LOCK = 'run.json', 'lock'


@dataclass(frozen=True)
class Run:
    """An open run: its directory, and the one way to put results there.

    Args:
      directory: `workdir/label-fingerprint`.
      files: the operations on disk.
    """

    directory: Path
    files: Files = DISK

    def write(self, name: str, content: str | bytes) -> None:
        """Makes or replaces the result `name`, which may lie in a folder: 'curves/0.csv'."""
        parts = [check_name('file name', part) for part in name.split('/')]
        if parts in ([RECORD], [LOCK]):
            raise StoreError(f'expected the name of a result, received {name!r}: take another')
        path = self.directory.joinpath(*parts)
        if len(parts) > 1:
            ensure_directory(path.parent, self.files)
        write_file(path, content, self.files)


class _Unwritten(Files):
    """The disk as a worker sees that is not the chief: nothing that it writes comes there."""

    def make_directory(self, path: Path) -> None:
        pass

    def write(self, path: Path, data: bytes) -> None:
        pass

    def sync(self, path: Path) -> None:
        pass

    def rename(self, source: Path, target: Path) -> None:
        pass

    def remove(self, path: Path) -> None:
        pass


def visit(workdir: Path, label: str, fingerprint: str) -> Run:
    """The run of another process, the chief, as its workers see it: unlocked, only to read."""
    return Run(_directory(workdir, label, fingerprint), _Unwritten())


def holder(directory: Path) -> str:
    """The pid of the process that opened the run last; '' if there was none."""
    try:
        return (directory / LOCK).read_text('ascii', 'replace').strip()
    except OSError:
        return ''


@contextlib.contextmanager
def opened_lock(directory: Path) -> Iterator[int]:
    """The lock of a run, open to be asked; nothing is written to it.

    Raises:
      OSError: nobody ever worked there, or it cannot be opened.
    """
    # NFS gives an exclusive lock only on a file that may be written.
    path = directory / LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        lock = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield lock
    finally:
        os.close(lock)


def working(directory: Path) -> str:
    """The pid of the live process that holds the run's lock ('?' if it wrote none); '' if none.

    The lock is asked for shared and given back at once, and its file is only read: who starts in
    this very moment is refused and must start again, which is as loud as it is rare.
    """
    with contextlib.suppress(OSError), opened_lock(directory) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return holder(directory)[:20] or '?'
    return ''


def _directory(workdir: Path, label: str, fingerprint: str) -> Path:
    return workdir / check_name('run name', f'{check_name("label", label)}-{fingerprint}')


@contextlib.contextmanager
def open_run(
    workdir: Path,
    label: str,
    fingerprint: str,
    identity: Mapping[str, Any],
    named: bool = False,
    files: Files = DISK,
) -> Iterator[Run]:
    """Begins or resumes the run `workdir/label-fingerprint`; see `Store.open_run`."""
    directory, identity = _directory(workdir, label, fingerprint), plain(identity, 'identity')
    ensure_directory(workdir, files)
    if named and not (directory / RECORD).exists():
        _check_label(workdir, label, fingerprint, identity)
    ensure_directory(directory, files)
    with _locked(directory):
        with writing(directory):
            for stale in sorted(directory.rglob(f'{TEMPORARY}*')):
                files.remove(stale)
        record = {'label': label, 'fingerprint': fingerprint, 'identity': identity}
        if (directory / RECORD).exists():
            _check_record(directory, record)
        else:
            write_file(directory / RECORD, pretty(record), files)
        yield Run(directory, files)


def check_run(
    workdir: Path, label: str, fingerprint: str, identity: Mapping[str, Any], named: bool = False
) -> None:
    """Raises what `open_run` would say against this run; writes nothing."""
    directory = _directory(workdir, label, fingerprint)
    identity = plain(identity, 'identity')
    if (directory / RECORD).exists():
        record = {'label': label, 'fingerprint': fingerprint, 'identity': identity}
        _check_record(directory, record)
    elif named:
        _check_label(workdir, label, fingerprint, identity)


def _check_label(workdir: Path, label: str, fingerprint: str, identity: Mapping[str, Any]) -> None:
    """Refuses a label, chosen by the user, that another run below `workdir` has."""
    for path in sorted(workdir.glob(f'{label}-*/{RECORD}')):
        record = _read_record(path)
        if record['label'] != label:
            continue
        old, new = (side.get('configuration', {}) for side in (record['identity'], identity))
        found = (
            differences(old, new, '--', 'given')
            or differences(record['identity'], identity, now='given')
            or [f'fingerprint: recorded {record["fingerprint"]}, given {fingerprint}']
        )
        raise StoreError(
            f'expected --label={label} to mean the run in {path.parent}, received another '
            f'one: {"; ".join(found)}: give the recorded values, or choose another --label'
        )


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_bytes())
        if isinstance(record['identity'], dict) and {'label', 'fingerprint'} <= record.keys():
            return record
    except OSError as error:
        raise StoreError(f'cannot read {path} ({error.strerror}): make it readable') from error
    except (ValueError, TypeError, KeyError, AttributeError):
        pass  # whatever it is, it is not what was written
    raise StoreError(
        f'expected the JSON record of a run in {path}, received something else: remove it and run '
        'the same command again; finished stages are kept'
    )


def _check_record(directory: Path, record: Mapping[str, Any]) -> None:
    recorded = dict(_read_record(directory / RECORD))
    given = dict(record)
    before, now = recorded.pop('identity'), dict(given.pop('identity'))
    if recorded == given and {'configuration'} <= before.keys() & now.keys():
        # Of equal fingerprint: a setting that the record does not know has its neutral default.
        known = before['configuration']
        now['configuration'] = {k: v for k, v in now['configuration'].items() if k in known}
    found = differences(before, now)
    found += differences(recorded, given)
    if found:
        raise StoreError(
            f'expected the run in {directory} to go on as it began, received differences: '
            f'{"; ".join(found)}: restore what was recorded, or choose another --label or --workdir'
        )


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Holds the run's lock; the system releases it when the process ends, however it ends."""
    with writing(directory / LOCK):
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with writing(directory / LOCK):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.read(lock, 20).decode('ascii', 'replace').strip() or 'unknown'
                raise StoreError(
                    f'expected {directory} to be free, but another run (pid {pid}) is working in '
                    'it: wait for it, or choose another --workdir'
                ) from None
            os.ftruncate(lock, 0)
            os.write(lock, f'{os.getpid()}\n'.encode())
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # also for children that inherited the descriptor
    finally:
        os.close(lock)
