"""The `tf.distribute` strategies: one function each, one line below."""

import functools
from typing import Any

import tensorflow as tf

from lth_keras.registry import Registry


def one_device() -> Any:
    """The GPU if there is one, else the processor."""
    return tf.distribute.get_strategy()


def mirrored() -> Any:
    """MirroredStrategy over all GPUs of this host (over all logical processors without one)."""
    kind = 'GPU' if tf.config.list_logical_devices('GPU') else 'CPU'
    return tf.distribute.MirroredStrategy([d.name for d in tf.config.list_logical_devices(kind)])


STRATEGIES = Registry('strategy', [one_device, mirrored])


@functools.cache
def strategy(name: str) -> Any:
    """The process's one strategy object of this name: a second MirroredStrategy breaks Keras."""
    return STRATEGIES.get(name)()
