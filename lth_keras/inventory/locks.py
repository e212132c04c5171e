"""Who works in a run now; and all runs of a work directory held, so that nobody starts."""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from lth_keras import errors, runs
from lth_keras.inventory.text import clean


def working(directory: Path) -> str:
    """The pid of the live process that holds the run's lock ('?' if it wrote none); '' if none.

    The lock is asked for shared and given back at once, and its file is only read: who starts in
    this very moment is refused and must start again, which is as loud as it is rare.
    """
    with contextlib.suppress(OSError), _opened(directory) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return clean(runs.holder(directory)[:20]) or '?'
    return ''


def refuse_working(directories: Iterable[Path]) -> None:
    """Raises a StoreError if a live process works in one of the runs; it names the process."""
    for directory in directories:
        pid = working(directory)
        if pid:
            raise _taken(directory, pid)


@contextlib.contextmanager
def held(directories: Iterable[Path]) -> Iterator[None]:
    """Holds the locks of all runs, so that none of them can go on meanwhile.

    A run that is begun anew in this time has no lock that could be held; it finds each stage
    whole or not at all, as after any removal.

    Raises:
      StoreError: a live process works in one of them; or a lock cannot be opened.
    """
    with contextlib.ExitStack() as stack:
        for directory in directories:
            try:
                lock = stack.enter_context(_opened(directory))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                continue  # nobody ever worked there, or it was another version
            except BlockingIOError:
                raise _taken(directory, runs.holder(directory)[:20] or '?') from None
            except OSError as error:
                raise errors.StoreError(
                    f'expected to hold the lock of {directory}, received: {error.strerror}: make '
                    f'{directory / runs.LOCK} readable and writable'
                ) from error
        yield


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    # NFS gives an exclusive lock only on a file that may be written; nothing is written to it.
    path = directory / runs.LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except PermissionError:
        lock = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield lock
    finally:
        os.close(lock)


def _taken(directory: Path, pid: str) -> errors.StoreError:
    return errors.StoreError(
        f'expected no process to work below {directory.parent}, received pid {pid} in '
        f'{directory.name}: wait for it, or stop it'
    )
