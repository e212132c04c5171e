"""absl flags derived from the frozen configuration: names, types, help and checks are its own."""

import dataclasses
import typing
from typing import Any

from absl import flags

from lth_keras import Experiment, errors
from lth_keras.fields import check


class _Parser(flags.ArgumentParser):
    """Turns a flag's text into the field's value, checked by the configuration's own rule."""

    def __init__(self, name: str, hint: Any, metadata: Any):
        super().__init__()
        self._name, self._metadata = name, metadata
        arguments = [a for a in typing.get_args(hint) if a not in (type(None), Ellipsis)]
        self._optional = type(None) in typing.get_args(hint)
        self._many = typing.get_origin(hint) is tuple
        self._kind = arguments[0] if arguments else hint
        self.syntactic_help = ''

    def flag_type(self) -> str:
        return f'comma separated {self._kind.__name__}' if self._many else self._kind.__name__

    def _one(self, text: str) -> Any:
        if self._kind is str:
            return text
        try:
            return self._kind(text)
        except ValueError:
            word = 'whole number' if self._kind is int else 'number'
            raise ValueError(f'expected a {word}, received {text!r}') from None

    def parse(self, argument: Any) -> Any:
        if isinstance(argument, str):
            if not argument.strip() and self._optional:
                return None
            if argument == 'none' and self._many and self._name != 'export':
                return ()
            if self._many:
                value: Any = tuple(self._one(t.strip()) for t in argument.split(',') if t.strip())
            else:
                value = self._one(argument.strip())
        else:
            value = argument
        try:
            check(self._name, value, self._metadata)
        except errors.ConfigError as e:
            raise ValueError(str(e).removeprefix(f'{self._name}: ')) from None
        return value


class _Serializer(flags.ArgumentSerializer):
    def serialize(self, value: Any) -> str:
        return ','.join(str(v) for v in value) if isinstance(value, tuple) else str(value)


def define(configuration: type = Experiment) -> None:
    """Defines one flag per field."""
    hints = typing.get_type_hints(configuration)
    for item in dataclasses.fields(configuration):
        hint, text = hints[item.name], _help(item)
        if hint is bool:
            flags.DEFINE_boolean(item.name, item.default, text)
            continue
        parser = _Parser(item.name, hint, item.metadata)
        flags.DEFINE(parser, item.name, item.default, text, serializer=_Serializer())


def _help(item: Any) -> str:
    known = item.metadata['known']
    if known is None:
        return item.metadata['help']
    names = [
        f'{name}: {known.summary(name)}' if hasattr(known, 'summary') else name for name in known
    ]
    own = ['or package.module:function'] if item.metadata['own'] else []
    return f'{item.metadata["help"]}. ' + '; '.join([*names, *own])


def configured(configuration: type = Experiment) -> Any:
    """The frozen configuration that the parsed flags describe.

    Raises:
      ConfigError: flags that contradict each other.
    """
    values = flags.FLAGS.flag_values_dict()
    return configuration(**{f.name: values[f.name] for f in dataclasses.fields(configuration)})
