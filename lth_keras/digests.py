"""Digests: one text and one sha256 for each value, and where two records differ."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lth_keras.errors import StoreError


def plain(value: Any, where: str = 'value') -> Any:
    """The JSON form of `value`: numpy scalars become numbers, tuples lists; else StoreError.

    >>> plain({'shape': (2, 3), 'rate': np.float32(0.5)})
    {'shape': [2, 3], 'rate': 0.5}
    >>> plain({'loss': float('nan')}, 'meta')
    Traceback (most recent call last):
    lth_keras.errors.StoreError: expected JSON at meta.loss, received nan: store finite numbers, \
texts, booleans, None, lists and mappings with text keys only
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(entry, f'{where}.{key}') for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, f'{where}[{i}]') for i, entry in enumerate(value)]
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise StoreError(
        f'expected JSON at {where}, received {value!r}: store finite numbers, texts, booleans, '
        'None, lists and mappings with text keys only'
    )


def canonical(value: Any, where: str = 'value') -> str:
    """One text per JSON value: sorted keys, fixed separators, floats by repr.

    >>> canonical({'b': 1.0, 'a': [True, 1]})
    '{"a":[true,1],"b":1.0}'
    """
    return json.dumps(plain(value, where), sort_keys=True, separators=(',', ':'))


def pretty(value: Any) -> str:
    """The canonical text with line breaks, for files that a person reads."""
    return json.dumps(plain(value), sort_keys=True, indent=2) + '\n'


def digest(value: Any) -> str:
    """sha256 (64 hex digits) of nested mappings, lists, texts, numbers, None and numpy arrays.

    Each part enters with its type and length: 1, 1.0, True and '1' differ, and of an array dtype,
    shape and little-endian bytes enter (-0.0 and 0.0 differ). The order of mapping keys, list or
    tuple, memory order, and numpy scalar or Python number make no difference.

    >>> digest({'a': 1, 'b': 2}) == digest({'b': 2, 'a': 1})
    True
    >>> [digest(v)[:6] for v in (1, 1.0, True, '1', np.array(1))]
    ['ee36f6', 'ea684c', '8d67ac', 'a78748', '513802']
    """
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        array = stored(value, 'the value to digest')
        sha.update(f'array {array.dtype.str} {array.shape}:'.encode())
        sha.update(array.reshape(-1).view(np.uint8))
        return
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        sha.update(f'mapping {len(value)}:'.encode())
        for key in sorted(value):
            _feed(sha, key)
            _feed(sha, value[key])
    elif isinstance(value, list | tuple):
        sha.update(f'list {len(value)}:'.encode())
        for entry in value:
            _feed(sha, entry)
    else:
        for kind in (str, bool, int, float, type(None)):  # bool is an int, so it comes first
            if isinstance(value, kind):
                text = value if isinstance(value, str) else kind.__repr__(value)
                data = text.encode('utf-8', 'surrogatepass')
                sha.update(f'{kind.__name__} {len(data)}:'.encode() + data)
                return
        raise StoreError(
            f'expected a value with a digest, received {type(value).__name__} {value!r:.60}: give '
            'mappings with text keys, lists, texts, numbers, booleans, None or numpy arrays'
        )


def stored(value: Any, where: str) -> np.ndarray:
    """The array as it is stored: little-endian, C order."""
    array = np.asarray(value)
    if array.dtype.kind not in 'biuf' or array.dtype.itemsize > 8:
        raise StoreError(
            f'expected booleans or numbers of up to 64 bits in {where}, received dtype '
            f'{array.dtype}: convert them first'
        )
    return np.asarray(array, dtype=array.dtype.newbyteorder('<'), order='C')


def differences(recorded: Any, given: Any, name: str = '', now: str = 'now') -> list[str]:
    """One text for each entry in which two nested JSON records differ; lists count as a whole.

    >>> differences({'versions': {'numpy': '1.26'}, 'seed': 0}, {'versions': {'numpy': '2.4'}})
    ['seed: recorded 0, now nothing', 'versions.numpy: recorded "1.26", now "2.4"']
    """
    found = []
    for key in sorted(recorded.keys() | given.keys()):
        old, new, path = recorded.get(key), given.get(key), f'{name}{key}'
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f'{path}.', now)
            continue
        # As canonical texts, since 1 == 1.0 == True in Python but not in a record.
        texts = [
            canonical(record[key]) if key in record else 'nothing' for record in (recorded, given)
        ]
        if texts[0] != texts[1]:
            found.append(f'{path}: recorded {texts[0]}, {now} {texts[1]}')
    return found
