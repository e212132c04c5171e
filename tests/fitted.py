"""One model fitted again and again from the same start: by `Batches`, and as Keras does it."""

import functools

import numpy as np
import tensorflow as tf

from lth_keras import slots
from lth_keras._compat import layers, tf_keras
from lth_keras.batches import Batches
from lth_keras.pruning import wrapping
from lth_keras.steps import Epochs
from tests import nets

optimizers = tf_keras.optimizers
SEED = 3
X, Y = nets.examples(count=42)  # 5 batches of 8 and one of 2
PER_EPOCH = 6
VALIDATION = nets.examples(count=21, seed=1)


def exact():
    """In double precision, where another batch or another rule is far from rounding."""
    return tf_keras.Sequential(
        [
            layers.Dense(10, input_shape=(6,), dtype='float64'),
            layers.BatchNormalization(dtype='float64'),
            layers.ReLU(dtype='float64'),
            layers.Dense(3, dtype='float64'),
        ]
    )


def momentum():
    return optimizers.SGD(0.1, momentum=0.9)


def ours(engine='plain', arrays=(X, Y), **options):
    """The examples as `Batches`."""
    return Batches(*arrays, **{'batch_size': 8, 'seed': SEED, 'engine': engine} | options)


def theirs(count, arrays=(X, Y), drop_remainder=False):
    """The same batches in the same order, `count` epochs of them, for stock Keras."""
    epochs = Epochs(len(tf.nest.flatten(arrays)[0]), 8, SEED)
    parts = []
    for epoch in range(count):
        order = epochs.order(epoch)
        examples = tf.nest.map_structure(functools.partial(np.take, indices=order, axis=0), arrays)
        parts.append(tf.data.Dataset.from_tensor_slices(examples).batch(8, drop_remainder))
    return functools.reduce(tf.data.Dataset.concatenate, parts)


class Bench:
    """A compiled model whose fits all begin where the first did."""

    def __init__(self, build=exact, optimizer=momentum, **options):
        tf_keras.utils.set_random_seed(1)
        options = {'loss': nets.cross_entropy(), 'metrics': ['accuracy']} | options
        self.model = build()
        self.model.compile(optimizer(), **options)
        slots.build(self.model.optimizer, self.model.trainable_variables)
        variables = [*self.model.variables, *slots.state(self.model.optimizer)]
        self._begin = [(variable, variable.numpy()) for variable in variables]

    def reset(self):
        for variable, value in self._begin:
            variable.assign(value)

    def fit(self, data, *callbacks, anew=True, steps=None, **options):
        """History and weights; `steps`: another steps_per_execution."""
        if anew:
            self.reset()
        if steps is not None:
            self.model._steps_per_execution.assign(steps)
        options = {'epochs': 3, 'verbose': 0, 'callbacks': list(callbacks)} | options
        history = self.model.fit(data, **options)
        return history.history, wrapping.read(self.model)

    def stock_fit(self, *callbacks, epochs=3, arrays=(X, Y), **options):
        """As Keras does it, on the batches that `ours` has."""
        data = theirs(epochs, arrays)
        return self.fit(data, *callbacks, epochs=epochs, **{'steps_per_epoch': PER_EPOCH} | options)


def close(one, other, gap):
    """Equal names in equal order, values within `gap`."""
    assert list(one) == list(other)
    for name in one:
        assert np.shape(one[name]) == np.shape(other[name])
        np.testing.assert_allclose(one[name], other[name], rtol=gap, atol=gap, err_msg=name)
