"""All runs of a work directory held, so that nobody starts."""

import contextlib
import fcntl
from collections.abc import Iterable, Iterator
from pathlib import Path

from lth_keras import errors, runs


def refuse_working(directories: Iterable[Path]) -> None:
    """Raises a StoreError if a live process works in one of the runs; it names the process."""
    for directory in directories:
        pid = runs.working(directory)
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
                lock = stack.enter_context(runs.opened_lock(directory))
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


def _taken(directory: Path, pid: str) -> errors.StoreError:
    return errors.StoreError(
        f'expected no process to work below {directory.parent}, received pid {pid} in '
        f'{directory.name}: wait for it, or stop it'
    )
