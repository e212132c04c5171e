"""absl flags derived from the frozen configuration: names, types, help and checks are its own."""

import dataclasses
import itertools
import typing
from typing import Any

from absl import flags

from lth_keras import Experiment, errors, steps
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
        if self._metadata['duration']:
            try:
                return steps.duration(text)
            except errors.ConfigError as e:
                raise ValueError(str(e)) from None
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


def configured(configuration: type = Experiment, **changes: Any) -> Any:
    """The frozen configuration that the parsed flags describe, with some fields changed.

    Raises:
      ConfigError: flags that contradict each other.
    """
    values = flags.FLAGS.flag_values_dict()
    plain = {f.name: values[f.name] for f in dataclasses.fields(configuration)}
    return configuration(**{**plain, **changes})


def define_sweep() -> None:
    """Defines --sweep, which makes several experiments of one command."""
    flags.DEFINE_multi_string(
        'sweep',
        [],
        'FLAG=VALUE,VALUE: one search after the other with each of the values (separated by ; '
        'where values hold commas); given again, all combinations',
    )


def sweep(configuration: type = Experiment) -> list[tuple[dict[str, Any], Any]]:
    """The experiments of the command: (swept flags and values, configuration) of each.

    Without --sweep there is one, and nothing is swept.

    Raises:
      ConfigError: flags that contradict each other, or a sweep over what is no flag.
    """
    axes = [_axis(text, configuration) for text in flags.FLAGS.sweep]
    names = [name for name, _ in axes]
    if len(set(names)) < len(names):
        raise errors.ConfigError(f'sweep: expected each flag once, received {", ".join(names)}')
    label = flags.FLAGS.label
    found = []
    for chosen in itertools.product(*(choices for _, choices in axes)):
        swept = dict(zip(names, chosen, strict=True))
        parts = [f'{name}={_shown(value)}' for name, value in swept.items()]
        own = '-'.join([label, *parts]) if label else ''  # a label means one run
        found.append((swept, configured(configuration, **swept, label=own)))
    return found


def _shown(value: Any) -> str:
    return '_'.join(map(str, value)) if isinstance(value, tuple) else str(value)


def _axis(text: str, configuration: type) -> tuple[str, list[Any]]:
    """A flag's name and its values, of 'rate=0.1,0.2'."""
    name, equals, rest = text.strip().removeprefix('--').partition('=')
    known = {f.name for f in dataclasses.fields(configuration)} - _ONE_FOR_ALL
    if not equals or name not in known:
        hint = f': {errors.did_you_mean(name, known)}' if equals else ''
        raise errors.ConfigError(
            f'sweep: expected FLAG=VALUE,VALUE with a flag of a search, received {text!r}{hint}'
        )
    flag = flags.FLAGS[name]
    values = rest.split(';' if ';' in rest else ',')
    try:
        parsed = [flag.parser.parse(value.strip()) for value in values if value.strip()]
    except ValueError as e:
        raise errors.ConfigError(f'sweep: {name}: {e}') from None
    if len(set(parsed)) < max(1, len(values)):
        raise errors.ConfigError(f'sweep: expected different values of {name}, received {rest!r}')
    return name, parsed


# Of the process, or the same for all searches of a command.
_ONE_FOR_ALL = {
    *('label', 'workdir', 'dry_run', 'strategy', 'threads', 'data_dir', 'download'),
    *('tensorboard', 'report'),
}


def _help(item: Any) -> str:
    known = item.metadata['known']
    if known is None:
        return item.metadata['help']
    names = [
        f'{name}: {known.summary(name)}' if hasattr(known, 'summary') else name for name in known
    ]
    own = ['or package.module:function'] if item.metadata['own'] else []
    return f'{item.metadata["help"]}. ' + '; '.join([*names, *own])
