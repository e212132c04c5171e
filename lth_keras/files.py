"""Files: every change on disk, at once or not at all, and one line when the disk refuses."""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from lth_keras.errors import StoreError

TEMPORARY = '.tmp~'  # '~' cannot occur in a checked name: owners are told apart exactly

_SPACE = 'free space or choose another --workdir'
_ALLOWED = 'choose a --workdir that you may write to'
_ADVICE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: 'raise the file-size limit (ulimit -f) or choose another --workdir',
    errno.EROFS: _ALLOWED,
    errno.EACCES: _ALLOWED,
    errno.EPERM: _ALLOWED,
    errno.ENOTDIR: 'a file is in the place of a directory: choose another --workdir',
}


class Files:
    """Every change the store makes on disk; tests stand in one that crashes and forgets."""

    def make_directory(self, path: Path) -> None:
        """Makes one directory that must not exist, in a parent that must."""
        os.mkdir(path)

    def write(self, path: Path, data: bytes) -> None:
        """Makes or overwrites one file; nothing is durable before `sync`."""
        with open(path, 'wb') as file:
            file.write(data)

    def sync(self, path: Path) -> None:
        """Makes the content of a file, or the entries of a directory, durable."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some network file systems sync no directories, their renames are durable as such.
            if error.errno != errno.EINVAL or not os.path.isdir(path):
                raise
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Gives `source` the name `target`; replaces a file, fails on a directory with content."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        """Removes a file or a whole directory; an absent one is no error."""
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)


DISK = Files()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError inside into one line: what could not be written, why, what to do."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno, 'choose another --workdir')
        reason = error.strerror or error
        raise StoreError(
            f'cannot write {path} ({reason}): {advice}; finished stages are kept'
        ) from error


def check_name(what: str, name: str) -> str:
    """Returns `name` if it can be a file name on every system, else StoreError.

    >>> check_name('kind', 'mask'), check_name('label', 'lenet-300_100.v2')
    ('mask', 'lenet-300_100.v2')
    """
    if not (isinstance(name, str) and re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9._-]*', name)):
        raise StoreError(
            f'expected a plain {what}, received {name!r}: use letters, digits, dots, - and _ only'
        )
    return name


@contextlib.contextmanager
def replacing(path: Path, files: Files, owner: str) -> Iterator[Path]:
    """A temporary name beside `path`, which gets the name `path` once the body is through."""
    # os.urandom: unique across the hosts of a shared file system, and no random state is touched.
    temporary = path.with_name(f'{TEMPORARY}{owner}~{os.urandom(6).hex()}')
    try:
        with writing(path):
            yield temporary
            files.sync(temporary)
            files.rename(temporary, path)
            files.sync(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(temporary)
        raise


def write_file(
    path: Path | str, content: str | bytes, files: Files = DISK, owner: str = ''
) -> None:
    """Makes or replaces one plain file at once or not at all; text is written as UTF-8."""
    with replacing(Path(path), files, owner) as temporary:
        files.write(temporary, content.encode() if isinstance(content, str) else content)


def ensure_directory(path: Path, files: Files) -> None:
    """Makes a directory, and those above it, durable, also if a killed run made it just now."""
    made = not path.is_dir()
    if made:
        if not path.parent.is_dir():
            ensure_directory(path.parent, files)
        with writing(path):
            try:
                files.make_directory(path)
            except FileExistsError:
                if not path.is_dir():
                    raise StoreError(
                        f'expected a directory at {path}, received a file: remove it or choose '
                        'another --workdir'
                    ) from None
    with writing(path):
        try:
            files.sync(path.parent)
        except PermissionError:
            if made:  # an old one may lie where we are not allowed to look
                raise
