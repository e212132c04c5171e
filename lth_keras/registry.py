"""Tables of named things: a new criterion or control is one file and one line in such a table."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lth_keras import errors


class Registry(Mapping[str, Any]):
    """An immutable table name -> entry of one `kind`, in the given order.

    The name of an entry is its `name` attribute if it has one, else its `__name__`. Flag values,
    help texts, lookups, conformance tests, documentation rows and report labels follow from it.

    >>> def large(): 'Keeps the large ones.'
    >>> table = Registry('criterion', [large])
    >>> table.get('large') is large, table.summary('large')
    (True, 'Keeps the large ones.')
    >>> table.get('lagre')
    Traceback (most recent call last):
    lth_keras.errors.ConfigError: unknown criterion 'lagre': did you mean 'large'? Known: large.
    """

    def __init__(self, kind: str, entries: list[Any]):
        self.kind = kind
        self._entries = {getattr(e, 'name', None) or e.__name__: e for e in entries}
        if len(self._entries) != len(entries):
            raise ValueError(f'two entries of the {kind} registry share a name: {entries}')

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str | Callable[..., Any], default: Any = None) -> Any:
        """The entry called `name`; a callable is its own entry, as everywhere in Keras."""
        if callable(name) and not isinstance(name, str):
            return name
        if name in self._entries:
            return self._entries[name]
        raise errors.ConfigError(
            f'unknown {self.kind} {name!r}: {errors.did_you_mean(str(name), self._entries)}'
        )

    def resolve(self, name: str | Callable[..., Any]) -> Any:
        """The entry called `name`, or the function that `package.module:function` names."""
        if isinstance(name, str) and ':' in name:
            module, _, attribute = name.partition(':')
            if os.getcwd() not in sys.path:
                sys.path.append(os.getcwd())  # at the end: it must not hide any package
            try:
                found = getattr(importlib.import_module(module), attribute)
            except (ImportError, AttributeError, ValueError, TypeError) as e:
                missing = isinstance(e, ModuleNotFoundError)
                where = '; run from the folder that holds it, or add that to PYTHONPATH'
                raise errors.ConfigError(
                    f'{self.kind} {name!r}: expected package.module:function, but {e}'
                    + (where if missing else '')
                ) from e
            if not callable(found):
                raise errors.ConfigError(
                    f'{self.kind} {name!r}: expected package.module:function, received a '
                    f'{type(found).__name__}; name a function'
                )
            return found
        return self.get(name)

    def summary(self, name: str) -> str:
        """The first line of the entry's docstring: its help text and its row in the docs."""
        return (self._entries[name].__doc__ or '').strip().split('\n')[0]
