"""What random layers draw: a function of (seed, layer, step), in every process and engine."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import graph, seeds
from lth_keras._compat import Model

_STATEFUL = 'stateful'  # the kind of Keras generator that asks a tf.random.Generator
_PHILOX = 1
# Binary digits of the numbers below 1 that these types hold exactly; more would round up to 1.
_DIGITS = {tf.float16: 11, tf.bfloat16: 8}


def replica() -> int:
    """The number of the replica that is being traced, among all that train together."""
    context = tf.distribute.get_replica_context()
    return int(tf.get_static_value(context.replica_id_in_sync_group)) if context else 0


class Draws:
    """The random layers of one model (dropout, noise and the like), drawn anew at every step.

    Legacy Keras generators ignore their seeds in compiled code, and TensorFlow's own generators
    give other numbers there than in uncompiled code and depend on all that was drawn before.
    Here the numbers are Philox(key, counter) with key = derive(seed, 'layer', path) and
    counter = (number of the draw within the step, step and replica), the same in a fresh process,
    a second build and a training that starts at step k, compiled or not.

    The generators stand in for those of the layers only while a step is traced: the model is as
    it was afterwards.

    Args:
      model: a tf_keras model, wrapped or not.

    Source of Philox: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011.
    """

    def __init__(self, model: Model):
        self._model = model
        self.find()

    def find(self) -> None:
        """Looks for random layers, again if some are made when the model is first called."""
        self._places = [
            ((path, *inside), thing._random_generator)
            for path, layer in graph.named_layers(self._model)
            for inside, thing in graph.attributes(graph.unwrap(layer))
            if hasattr(getattr(thing, '_random_generator', None), '_rng_type')
        ]

    def __len__(self) -> int:
        return len(self._places)

    def keys(self, seed: int) -> np.ndarray:
        """A key for each random layer, int64."""
        return np.array([seeds.derive(seed, 'layer', *p) for p, _ in self._places], np.int64)

    @contextlib.contextmanager
    def at(self, step: tf.Tensor, keys: tf.Tensor) -> Iterator[None]:
        """Inside, layers draw what belongs to `step` (int64) under `keys`; one call a step."""
        before = [dict(vars(generator)) for _, generator in self._places]
        try:
            for number, (_, generator) in enumerate(self._places):
                own = {'_rng_type': _STATEFUL, '_built': True}
                vars(generator).update(own, _generator=_Philox(keys[number], step))
            yield
        finally:
            for (_, generator), kept in zip(self._places, before, strict=True):
                vars(generator).clear()
                vars(generator).update(kept)


class _Philox:
    """The part of tf.random.Generator that Keras uses, for one layer and one step."""

    def __init__(self, key: tf.Tensor, step: tf.Tensor):
        self._key = tf.reshape(tf.cast(key, tf.uint64), [1])
        self._high = tf.cast(step + (replica() << 48), tf.uint64)
        self._drawn = 0

    def _bits(self, shape: Any) -> tf.Tensor:
        counter = tf.stack([tf.constant(self._drawn << 40, tf.uint64), self._high])
        self._drawn += 1
        # Not the operations that draw floating-point numbers: they differ from XLA's.
        return tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=tf.cast(shape, tf.int32),
            key=self._key,
            counter=counter,
            alg=_PHILOX,
            dtype=tf.uint32,
        )

    def _unit(self, shape: Any, digits: int = 24) -> tf.Tensor:
        """Multiples of 2**-digits in [0, 1), float32."""
        bits = tf.bitwise.right_shift(self._bits(shape), 32 - digits)
        return tf.cast(bits, tf.float32) * 2.0**-digits

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = tf.float32
    ) -> tf.Tensor:
        """Uniform in [minval, maxval)."""
        dtype = tf.as_dtype(dtype)
        if dtype.is_integer:
            span = tf.cast(maxval - minval, tf.uint32)
            return tf.cast(self._bits(shape) % span, dtype) + tf.cast(minval, dtype)
        width = (1.0 if maxval is None else maxval) - minval
        unit = self._unit(shape, _DIGITS.get(dtype, 24))
        return tf.cast(minval + unit * width, dtype)

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = tf.float32
    ) -> tf.Tensor:
        """Normal, by the inverse of its distribution function."""
        return self._inverse(shape, 0.0, 1.0, mean, stddev, dtype)

    def truncated_normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = tf.float32
    ) -> tf.Tensor:
        """Normal, within two standard deviations."""
        low = 0.5 * math.erfc(math.sqrt(2.0))
        return self._inverse(shape, low, 1.0 - low, mean, stddev, dtype)

    def _inverse(
        self, shape: Any, low: float, high: float, mean: Any, stddev: Any, dtype: Any
    ) -> tf.Tensor:
        middle = self._unit(shape, 23) + 2.0**-24  # exact: never 0 or 1, whose inverse is infinite
        return tf.cast(mean + tf.math.ndtri(low + middle * (high - low)) * stddev, dtype)

    def make_seeds(self, count: int = 1) -> tf.Tensor:
        """Seeds for stateless operations, (2, count)."""
        return tf.cast(self._bits([2, count]), tf.int64)
