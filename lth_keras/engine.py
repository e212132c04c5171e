"""Which path trains a network: compiled by XLA or not. The bits differ, so results name it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from lth_keras import errors, graph
from lth_keras._compat import Conv, DepthwiseConv, Model

PATHS = ('compiled', 'plain')
ENGINES = ('auto', *PATHS, 'probe')


def convolutional(model: Model) -> bool:
    """Whether any layer of the model convolves."""
    return any(
        isinstance(thing, Conv | DepthwiseConv)
        for _, layer in graph.named_layers(model)
        for _, thing in graph.attributes(layer)
    )


def choose(engine: str, model: Model, strategy: Any) -> str:
    """The path that trains this model: 'compiled' (XLA) or 'plain'; it decides the bits.

    'auto' is a fixed rule: plain for convolutions on a CPU (XLA is slower there) and for more
    than one replica (XLA and logical devices do not go together), else compiled. 'probe' is
    'plain' where there is no choice, else stays 'probe': both are to be measured.

    Raises:
      ConfigError: compiled training asked for on several replicas, or an unknown engine.
    """
    several = strategy.num_replicas_in_sync > 1
    if engine == 'auto':
        on_cpu = not tf.config.list_logical_devices('GPU')
        return 'plain' if several or (convolutional(model) and on_cpu) else 'compiled'
    if engine not in ENGINES:
        raise errors.ConfigError(
            f'unknown engine {engine!r}: {errors.did_you_mean(engine, ENGINES)}'
        )
    if engine == 'probe' and several:
        return 'plain'
    if engine == 'compiled' and several:
        raise errors.ConfigError(
            f'engine: expected plain (or auto) for {strategy.num_replicas_in_sync} replicas, '
            'received compiled, which works on one device only'
        )
    return engine


def fastest(paces: Mapping[str, Callable[[], float]], repeats: int = 3) -> dict[str, float]:
    """The least of several measurements of each, taken in turn: noise only ever adds to time."""
    found = dict.fromkeys(paces, math.inf)
    for _ in range(repeats):
        for name, pace in paces.items():
            found[name] = min(found[name], pace())
    return found
