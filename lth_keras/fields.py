"""Fields of a frozen configuration: what they mean, what they may be, in one place."""

import dataclasses
import math
import os
import typing
from collections.abc import Iterable
from typing import Any

import numpy as np

from lth_keras import errors, steps
from lth_keras.registry import Registry


def field(
    default: Any,
    help: str,
    known: Registry | Iterable[str] | None = None,
    own: bool = False,
    bits: bool = True,
    low: float | None = None,
    high: float | None = None,
    open_ends: bool = False,
    duration: bool = False,
) -> Any:
    """A field of the configuration.

    Args:
      default: its default value.
      help: what it means, with units.
      known: the names it may have.
      own: whether `package.module:function` is allowed beside the known names.
      bits: whether it decides the bits of a training or pruning, and so enters the fingerprint.
      low, high: the range of a number; `open_ends` excludes the ends.
      duration: steps, or epochs as '3ep', which stay text until the data set is known.
    """
    metadata = {
        'help': help,
        'known': known,
        'own': own,
        'bits': bits,
        'low': low,
        'high': high,
        'open': open_ends,
        'duration': duration,
    }
    return dataclasses.field(default=default, metadata=metadata)


_KINDS = {str: 'a text', int: 'a whole number', float: 'a number', bool: 'True or False'}


def typed(name: str, value: Any, hint: Any, duration: bool = False) -> Any:
    """The value in the one form of its field: 1 is 1.0 where a float is declared, a list a tuple.

    Raises:
      ConfigError: a value of another type.
    """
    kinds = [a for a in typing.get_args(hint) if a is not Ellipsis] or [hint]
    if typing.get_origin(hint) is tuple:
        entries = tuple(value) if isinstance(value, list | tuple) else (value,)
        return tuple(typed(name, entry, kinds[0], duration) for entry in entries)
    if value is None and type(None) in kinds:
        return None
    if duration and isinstance(value, str):
        return _duration(name, value)
    kind = kinds[0]
    value = value.item() if isinstance(value, np.generic) else value
    if kind is str and isinstance(value, os.PathLike | int) and not isinstance(value, bool):
        value = str(value)
    fits = isinstance(value, int | float if kind is float else kind)
    if not fits or (kind is not bool and isinstance(value, bool)):
        raise errors.ConfigError(f'{name}: expected {_KINDS[kind]}, received {value!r}')
    return kind(value)


def _duration(name: str, value: str) -> steps.Duration:
    try:
        return steps.duration(value)
    except errors.ConfigError as e:
        raise errors.ConfigError(f'{name}: {e}') from None


def check(name: str, value: Any, metadata: Any) -> None:
    """Raises a ConfigError unless `value` is one that the field may have."""
    if isinstance(value, tuple | list):
        for entry in value:
            check(name, entry, metadata)
        return
    known = metadata['known']
    if known is not None and not (metadata['own'] and ':' in str(value)):
        if isinstance(known, Registry):
            try:
                known.get(value)
            except errors.ConfigError as e:
                raise errors.ConfigError(f'{name}: {e}') from None
        elif value not in known:
            hint = errors.did_you_mean(str(value), known)
            raise errors.ConfigError(f'{name}: unknown value {value!r}: {hint}')
    low, high = metadata['low'], metadata['high']
    if value is None or (low is None and high is None):
        return
    if metadata['duration'] and isinstance(value, str):
        value = steps.in_steps(_duration(name, value), 10**6)  # as if an epoch had many
    below = low is not None and (value <= low if metadata['open'] else value < low)
    if below or (high is not None and value >= high) or not math.isfinite(value):
        raise errors.ConfigError(f'{name}: expected a number {_range(metadata)}, received {value}')


def _range(metadata: Any) -> str:
    low, high = metadata['low'], metadata['high']
    if high is None:
        return f'> {low:g}' if metadata['open'] else f'>= {low:g}'
    return f'in {"(" if metadata["open"] else "["}{low:g}, {high:g})'
