"""Random layers drawing as in a training step, for the tests of draws."""

import numpy as np
import tensorflow as tf

from lth_keras._compat import backend, layers, tf_keras
from lth_keras.draws import Draws


def sequential(shape, *parts):
    return tf_keras.Sequential([layers.Input(shape), *parts])


WAYS = {
    'eager': lambda function: function,
    'plain': tf.function,
    'compiled': lambda function: tf.function(function, jit_compile=True),
}


def outputs(model, x, seed=0, step=3, way='plain'):
    """What the model gives in training at a step."""
    found = Draws(model)

    def run(step, keys):
        with found.at(step, keys):
            return model(x, training=True)

    step, keys = tf.constant(step, tf.int64), tf.constant(found.keys(seed))
    return WAYS[way](run)(step, keys).numpy()


class Drawer(layers.Layer):
    """Gives what its generator draws."""

    def __init__(self, draw):
        super().__init__()
        self._random_generator = backend.RandomGenerator(rng_type='stateful')
        self.draw = draw

    def call(self, inputs):
        return self.draw(self._random_generator)


def drawn(draw, way='plain', seed=0, step=3):
    """draw(a generator of Keras), as in a training step."""
    model = tf_keras.Sequential([layers.Input((1,)), Drawer(draw)])
    return outputs(model, np.zeros((1, 1), np.float32), seed, step, way)


def uniform(count, **options):
    return lambda generator: generator.random_uniform((count,), **options)
