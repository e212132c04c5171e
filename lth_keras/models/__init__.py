"""The networks: one builder each, one line here. A builder takes (input_shape, classes)."""

import inspect
from collections.abc import Callable

from lth_keras import errors
from lth_keras._compat import Model
from lth_keras.models.conv import conv_2, conv_4, conv_6
from lth_keras.models.lenet import lenet_300_100
from lth_keras.models.resnet import resnet_20
from lth_keras.registry import Registry

MODELS = Registry('model', [lenet_300_100, conv_2, conv_4, conv_6, resnet_20])


def builder(
    name: str | Callable[..., Model], input_shape: tuple[int, ...], classes: int
) -> Callable[[], Model]:
    """A function of no arguments that builds the named network (or the user's) for such data.

    A user's builder may take `input_shape` and `classes`, or nothing.
    """
    function = MODELS.resolve(name)
    offered = {'input_shape': input_shape, 'classes': classes}
    taken = inspect.signature(function).parameters
    given = {key: value for key, value in offered.items() if key in taken}
    needed = [p.name for p in taken.values() if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
    if set(needed) <= set(given):
        return lambda: function(**given)
    if len(needed) == len(offered):  # other names, in the same order
        return lambda: function(input_shape, classes)
    raise errors.ConfigError(
        f'model {name!r}: expected a function of (input_shape, classes) or of nothing, received '
        f'one of ({", ".join(needed)})'
    )


__all__ = ['MODELS', 'builder']
