"""Looking at directories and files that may hold anything."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lth_keras import errors
from lth_keras.inventory.text import clean


def children(directory: Path, strict: bool = False) -> Iterator[Path]:
    """What lies in a directory, by name; nothing if it cannot be read."""
    try:
        names = sorted(os.listdir(directory))
    except OSError as e:
        if strict:
            raise errors.StoreError(
                f'expected to read {directory}, received: {e.strerror}: make it readable'
            ) from e
        return
    yield from (directory / name for name in names)


def size_of(path: Path) -> int:
    """Bytes of all files below a path; links are not followed."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        with os.scandir(path) as found:
            return sum(
                size_of(Path(entry.path))
                if entry.is_dir(follow_symlinks=False)
                else entry.stat(follow_symlinks=False).st_size
                for entry in found
            )
    except OSError:
        return 0  # it went away meanwhile, or may not be read


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping of a record, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def attempt(action: Callable[[], Any]) -> tuple[Any, str]:
    """What a reading of somebody's files gives, or None and what is wrong.

    >>> attempt(lambda: 3), attempt(lambda: {}['rows'])
    ((3, ''), (None, "KeyError: 'rows'"))
    """
    try:
        return action(), ''
    except errors.LotteryError as e:
        return None, clean(e)
    except Exception as e:  # a file may hold anything, and each of its readers fails in its own way
        return None, clean(f'{type(e).__name__}: {e}')
