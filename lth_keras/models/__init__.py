"""The networks: one builder each, one line here.

A builder takes (input_shape, classes) and options of its own by keyword, with neutral defaults.
"""

import inspect
from collections.abc import Callable
from typing import Any

from lth_keras import errors
from lth_keras._compat import Model
from lth_keras.models.conv import conv_2, conv_4, conv_6, conv_8
from lth_keras.models.lenet import lenet_5, lenet_300_100, mlp
from lth_keras.models.resnet import resnet, resnet_20
from lth_keras.models.vgg import vgg_11, vgg_13, vgg_16, vgg_19
from lth_keras.registry import Registry

MODELS = Registry(
    'model',
    [
        *[lenet_300_100, mlp, lenet_5],
        *[conv_2, conv_4, conv_6, conv_8],
        *[resnet_20, resnet],
        *[vgg_11, vgg_13, vgg_16, vgg_19],
    ],
)

_DATA = ('input_shape', 'classes')


def builder(
    name: str | Callable[..., Model], input_shape: tuple[int, ...], classes: int, **options: Any
) -> Callable[[], Model]:
    """A function of no arguments that builds the named network (or the user's) for such data.

    A user's builder may take `input_shape` and `classes`, or nothing, and options by keyword.

    Args:
      name: of the network, `package.module:function`, or the function itself.
      input_shape: shape of one input.
      classes: number of output units.
      options: what the builder takes beside (see `options_of`); what is left out has its default.

    >>> builder('lenet_300_100', (8, 8, 1), 10, width=0.5)().count_params()
    17810
    >>> builder('resnet_20', (32, 32, 3), 10, dropout=0.5)
    Traceback (most recent call last):
    lth_keras.errors.ConfigError: model 'resnet_20': takes no option dropout; it takes width, \
initializer

    Raises:
      ConfigError: an unknown name, an option that the builder does not take, or a function that
        needs more than is given.
    """
    function = MODELS.resolve(name)
    parameters = inspect.signature(function).parameters
    known, data = options_of(function), _data(parameters)
    for option in options:
        if option in (*_DATA, *data) or (option not in known and not _takes_all(parameters)):
            raise errors.ConfigError(
                f'model {_shown(name)}: takes no option {option}; it takes '
                + (', '.join(known) or 'none')
            )
    needed = [
        p.name
        for p in parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if not set(needed) <= {*data, *options}:
        raise errors.ConfigError(
            f'model {_shown(name)}: expected a function of (input_shape, classes) or of nothing, '
            f'received one of ({", ".join(needed)})'
        )
    if set(data) <= set(_DATA):
        offered = {'input_shape': input_shape, 'classes': classes}
        given = {key: offered[key] for key in data}
        return lambda: function(**given, **options)
    return lambda: function(input_shape, classes, **options)  # other names, in the same order


def options_of(name: str | Callable[..., Model]) -> tuple[str, ...]:
    """Names of the options that the builder of a network takes, in the order of its signature.

    >>> options_of('resnet'), options_of('mlp')
    (('depth', 'width', 'initializer'), ('hidden', 'width', 'dropout', 'initializer'))

    Raises:
      ConfigError: an unknown name.
    """
    parameters = inspect.signature(MODELS.resolve(name)).parameters
    data = _data(parameters)
    return tuple(
        p.name
        for p in parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in data
    )


def _data(parameters: Any) -> tuple[str, ...]:
    """The parameters that get input shape and classes: those of these names, else the first two."""
    needed = [
        p.name for p in parameters.values() if p.default is p.empty and p.kind < p.VAR_POSITIONAL
    ]
    named = tuple(key for key in _DATA if key in parameters)
    by_name = len(named) == 2 or len(needed) < 2 or set(needed) <= set(named)
    return named if by_name else tuple(needed[:2])


def _takes_all(parameters: Any) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _shown(name: str | Callable[..., Model]) -> str:
    return repr(name if isinstance(name, str) else getattr(name, '__name__', name))


__all__ = ['MODELS', 'builder', 'options_of']
