"""The networks: one builder each, one line here. A builder takes (input_shape, classes)."""

import inspect
from collections.abc import Callable

from lth_keras._compat import Model
from lth_keras.models.lenet import lenet_300_100
from lth_keras.registry import Registry

MODELS = Registry('model', [lenet_300_100])


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
    return lambda: function(**given)


__all__ = ['MODELS', 'builder']
