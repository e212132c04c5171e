"""Tiny networks, data and comparisons that the tests of the model layer share."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from lth_keras._compat import layers, tf_keras
from lth_keras.data import Data
from lth_keras.mask import Mask
from lth_keras.pruning import held_kernels

ROOT = Path(__file__).resolve().parents[1]


def examples(shape=(6,), count=40, classes=3, seed=0):
    """Random inputs of `shape` and labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, *shape)).astype(np.float32)
    return x, rng.integers(classes, size=count).astype(np.int32)


def data(shape=(6,), classes=3, sizes=(40, 20, 20)):
    """Random train, validation and test parts."""
    parts = [examples(shape, size, classes, seed) for seed, size in enumerate(sizes)]
    return Data('random', *parts, classes)


def dense(units=10, **options):
    """Inputs of 6, one hidden layer, 3 logits; kernels (6, units) and (units, 3)."""
    return tf_keras.Sequential(
        [
            layers.Dense(units, activation='relu', input_shape=(6,), **options),
            layers.Dense(3, **options),
        ]
    )


def normalised():
    """A dense network with batch normalisation."""
    return tf_keras.Sequential(
        [
            layers.Dense(10, input_shape=(6,)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(3),
        ]
    )


def noisy():
    """A dense network with a random layer."""
    return tf_keras.Sequential(
        [
            layers.Dense(10, activation='relu', input_shape=(6,)),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )


def residual():
    """A functional network whose addition is a TensorFlow operation and no layer."""
    x = inputs = layers.Input((6,))
    x = layers.Dense(8, activation='relu')(x)
    x = x + layers.Dense(8, activation='relu')(x)
    return tf_keras.Model(inputs, layers.Dense(3)(x))


def nested():
    """A model that holds a functional and a Sequential model."""
    inside = inputs = layers.Input((6,))
    inside = layers.Dense(7, activation='relu')(inside)
    body = tf_keras.Model(inputs, layers.Dense(5)(inside))
    head = tf_keras.Sequential([layers.Dense(4, activation='relu'), layers.Dense(3)])
    outer = layers.Input((6,))
    return tf_keras.Model(outer, head(body(outer)))


def resnet(shape=(6, 6, 2), classes=3):
    """Two residual blocks, the second with a 1x1 convolution around it; named layers."""
    x = inputs = layers.Input(shape)
    x = layers.Conv2D(4, 3, padding='same', name='stem')(x)
    y = layers.Conv2D(4, 3, padding='same', activation='relu', name='block1_a')(x)
    y = layers.BatchNormalization(name='block1_bn')(y)
    x = layers.Add()([x, layers.Conv2D(4, 3, padding='same', name='block1_b')(y)])
    y = layers.Conv2D(6, 3, strides=2, padding='same', activation='relu', name='block2_a')(x)
    y = layers.Conv2D(6, 3, padding='same', name='block2_b')(y)
    shortcut = layers.Conv2D(6, 1, strides=2, name='block2_shortcut')(x)
    shortcut = layers.BatchNormalization(name='shortcut_bn')(shortcut)
    x = layers.GlobalAveragePooling2D()(layers.Add()([y, shortcut]))
    return tf_keras.Model(inputs, layers.Dense(classes, name='head')(x))


def cross_entropy():
    return tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(model, optimizer='sgd', **options):
    """The model, compiled for class labels on logits."""
    model.compile(optimizer, cross_entropy(), **options)
    return model


def random_mask(model, density=0.5, seed=0):
    """A mask for all kernels that a wrapped model holds; each keeps and loses some."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for path, weight, _ in held_kernels(model):
        size = int(np.prod(weight.shape))
        kept = np.arange(size) < round(density * size)
        assert 0 < kept.sum() < size
        arrays[path] = rng.permutation(kept).reshape(weight.shape)
    return Mask(arrays)


def unlike(one, other):
    """Names whose arrays differ in a bit, a shape or a dtype; -0.0 is not 0.0 here."""
    assert list(one) == list(other)
    return [name for name in one if bits(one[name]) != bits(other[name])]


def bits(array):
    array = np.asarray(array)
    return array.dtype.str, array.shape, array.tobytes()


def in_another_process(code):
    """Standard output of `code` in a new process; its failure is a failure here."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'TF_USE_LEGACY_KERAS': '1'}
    command = [sys.executable, '-c', code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
