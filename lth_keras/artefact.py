"""Artefacts: arrays, texts and meta in one directory, written atomically, verified on reading."""

import errno
import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lth_keras.digests import canonical, plain, pretty, stored
from lth_keras.errors import StoreError
from lth_keras.files import DISK, Files, check_name, replacing, writing

FORMAT, VERSION, MANIFEST = 'lth_keras artefact', 1, 'manifest.json'
RESTORE = 'remove or restore it'


class TakenError(StoreError):
    """The name that an artefact was to get is taken already."""


@dataclass(frozen=True, eq=False)
class Artefact:
    """What one stage leaves behind. Its order of names is free: they come back sorted.

    Args:
      kind: what it is, a plain name such as 'mask'.
      meta: JSON without NaN or infinity; tuples come back as lists.
      arrays: group -> name -> array; a group is one `<group>.npz`, a name may hold '/'. Booleans
        and numbers of up to 64 bits; dtype, shape and values come back exactly, in C order.
      texts: file name -> text, for example 'curve.csv'.
    """

    kind: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


def _npz(group: str, arrays: Mapping[str, Any]) -> tuple[bytes, dict[str, list[int]]]:
    """The bytes of one npz without dates or systems in it, and the shapes of its packed masks."""
    buffer, packed = io.BytesIO(), {}
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            if not name or not name.isprintable() or '\\' in name:
                raise StoreError(
                    f'expected a printable array name without backslash in {group}, received '
                    f'{name!r}: rename it'
                )
            array = stored(arrays[name], f'{group}/{name}')
            if array.dtype == bool:
                packed[name] = list(array.shape)
                array = np.packbits(array)  # flattens: 1 bit a weight
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f'{name}.npy', date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o600 << 16
            archive.writestr(info, member.getvalue())
    return buffer.getvalue(), packed


def _arrays(data: bytes, packed: Mapping[str, list[int]]) -> dict[str, np.ndarray]:
    """The inverse of `_npz`; the arrays are read-only, like every artefact."""
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.namelist():
            name = member.removesuffix('.npy')
            stream = io.BytesIO(archive.read(member))
            array = np.lib.format.read_array(stream, allow_pickle=False)
            if name in packed:
                bits = np.unpackbits(array, count=math.prod(packed[name]))
                array = bits.view(bool).reshape(packed[name])
            array = array.astype(array.dtype.newbyteorder('='), copy=False)
            array.flags.writeable = False
            arrays[name] = array
    return arrays


def encode(artefact: Artefact) -> dict[str, bytes]:
    """File name -> bytes of an artefact; equal artefacts give equal bytes, on every machine."""
    kind, packed, contents = check_name('kind', artefact.kind), {}, {}
    for group in sorted(artefact.arrays):
        contents[f'{group}.npz'], packed[group] = _npz(group, artefact.arrays[group])
    clash = sorted(contents.keys() & artefact.texts.keys())
    for name in sorted(artefact.texts):
        try:
            contents[name] = artefact.texts[name].encode('utf-8')
        except UnicodeEncodeError as error:
            raise StoreError(f'expected UTF-8 text in {name}, received {error}') from error
    names = [check_name('file name', name).lower() for name in [*contents, MANIFEST]]
    if clash or len(set(names)) < len(names):
        raise StoreError(
            f'expected file names that differ in more than case, received {sorted(names)}'
            f'{clash or ""}: rename a group or a text'
        )
    manifest = {
        'format': FORMAT,
        'version': VERSION,
        'kind': kind,
        'meta': plain(artefact.meta, 'meta'),
        'files': {
            name: {'size': len(data), 'sha256': hashlib.sha256(data).hexdigest()}
            for name, data in contents.items()
        },
        'packed': packed,
    }
    return contents | {MANIFEST: _signed(manifest)}


def _signed(manifest: Mapping[str, Any]) -> bytes:
    check = hashlib.sha256(canonical(manifest, 'manifest').encode()).hexdigest()
    return pretty({**manifest, 'checksum': check}).encode()


def write(directory: Path | str, artefact: Artefact, files: Files = DISK, owner: str = '') -> None:
    """Writes an artefact at once or not at all: temporary name, sync, rename, sync.

    Args:
      directory: must not exist; its parent must.
      artefact: what to write.
      files: the operations on disk.
      owner: enters the temporary name, so that what a killed run left can be told and removed.

    Raises:
      TakenError: `directory` exists, perhaps since a moment ago.
      StoreError: the artefact has no JSON meta, plain names or storable arrays; the disk refuses.
    """
    directory, contents = Path(directory), encode(artefact)
    taken = f'expected no {directory} yet, received an existing one: take another name'
    if os.path.lexists(directory):
        raise TakenError(taken)
    try:
        with replacing(directory, files, owner) as temporary:
            files.make_directory(temporary)
            for name, data in contents.items():
                with writing(directory / name):
                    files.write(temporary / name, data)
                    files.sync(temporary / name)
    except StoreError as error:
        if getattr(error.__cause__, 'errno', None) in (errno.EEXIST, errno.ENOTEMPTY):
            raise TakenError(taken) from error
        raise


def _corrupt(path: Path, expected: str, received: str, advice: str) -> StoreError:
    return StoreError(f'expected {expected} in {path}, received {received}: {advice}')


def _bytes(path: Path, advice: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _corrupt(path, 'a file', 'none', advice) from None
    except OSError as error:
        raise StoreError(f'cannot read {path} ({error.strerror}): make it readable') from error


def read_manifest(directory: Path | str, advice: str = RESTORE) -> dict[str, Any]:
    """The manifest, verified by its own checksum; the files beside it are not looked at."""
    path = Path(directory) / MANIFEST
    data = _bytes(path, advice)
    try:
        manifest = json.loads(data)
        name, version = manifest['format'], manifest['version']
    except (ValueError, TypeError, KeyError):
        raise _corrupt(path, 'a JSON manifest', 'something else', advice) from None
    if name != FORMAT:
        raise _corrupt(path, f'format {FORMAT!r}', repr(name), advice)
    if isinstance(version, int) and version > VERSION:
        raise StoreError(
            f'expected format version {VERSION} or older in {path}, received {version}: '
            'upgrade lth_keras'
        )
    # Every byte counts: what is not exactly what would be written was changed by someone.
    try:
        intact = data == _signed({k: v for k, v in manifest.items() if k != 'checksum'})
    except StoreError:
        intact = False
    if not intact:
        raise _corrupt(path, 'a manifest that matches its checksum', 'a changed one', advice)
    return manifest


def read_meta(directory: Path | str, advice: str = RESTORE) -> dict[str, Any]:
    """The meta of an artefact: cheap, only the manifest is read and verified."""
    return read_manifest(directory, advice)['meta']


def read_text(directory: Path | str, name: str, advice: str = RESTORE) -> str:
    """One text of an artefact; it and the manifest are verified, the other files not looked at."""
    directory = Path(directory)
    record = read_manifest(directory, advice)['files'].get(name)
    if record is None:
        raise _corrupt(directory / MANIFEST, f'a file {name}', 'none in its list', advice)
    return _verified(directory / name, record, advice).decode('utf-8')


def _verified(path: Path, record: Mapping[str, Any], advice: str) -> bytes:
    data = _bytes(path, advice)
    if len(data) != record['size']:
        raise _corrupt(path, f'{record["size"]} bytes', f'{len(data)}', advice)
    check = hashlib.sha256(data).hexdigest()
    if check != record['sha256']:
        raise _corrupt(path, f'checksum {record["sha256"][:12]}', check[:12], advice)
    return data


def read(directory: Path | str, kind: str | None = None, advice: str = RESTORE) -> Artefact:
    """Reads an artefact and verifies every byte of it; the arrays are read-only.

    Args:
      directory: where it was written.
      kind: what it must be; None for any.
      advice: what to do about one that cannot be trusted: the end of the error's text.

    Raises:
      StoreError: a file is missing, extra, changed or of another kind or a newer version; the
        text names the file and what to do.
    """
    directory = Path(directory)
    manifest = read_manifest(directory, advice)
    if kind not in (None, manifest['kind']):
        raise _corrupt(directory / MANIFEST, f'kind {kind!r}', f'kind {manifest["kind"]!r}', advice)
    for name in sorted({entry.name for entry in directory.iterdir()} - {MANIFEST}):
        if name not in manifest['files']:
            raise _corrupt(
                directory / name, 'no such file', 'one the manifest does not list', advice
            )
    arrays, texts = {}, {}
    for name, record in manifest['files'].items():
        path, (group, suffix) = directory / name, os.path.splitext(name)
        data = _verified(path, record, advice)
        if suffix == '.npz' and group in manifest['packed']:
            arrays[group] = _arrays(data, manifest['packed'][group])
        else:
            texts[name] = data.decode('utf-8')
    return Artefact(manifest['kind'], manifest['meta'], arrays, texts)
