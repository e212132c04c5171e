"""A user's own models and data sets, good and bad, as `package.module:function` finds them."""

import numpy as np

from lth_keras._compat import layers, tf_keras


def _data(classes: int = 3):
    generator = np.random.default_rng(0)
    x = generator.random((120, 6), np.float32)
    y = (x.sum(1) * classes / 6).astype(np.int32).clip(0, classes - 1)
    return (x[:90], y[:90]), (x[90:], y[90:])


def data():
    """Ninety training and thirty test examples of six numbers, three classes."""
    return _data()


def data_with_nan():
    """One NaN among the inputs."""
    (x, y), test = _data()
    x[7, 2] = np.nan
    return (x, y), test


def small(input_shape=(6,), classes=3):
    """Two dense layers with dropout between them."""
    return tf_keras.Sequential(
        [
            layers.Dense(16, activation='relu', input_shape=input_shape),
            layers.Dropout(0.2),
            layers.BatchNormalization(),
            layers.Dense(classes),
        ]
    )


def no_kernels(input_shape=(6,), classes=3):
    """Nothing that could be pruned."""
    return tf_keras.Sequential(
        [
            layers.LayerNormalization(input_shape=input_shape),
            layers.Lambda(lambda x: x[:, :3]),
        ]
    )


def fixed_seed(input_shape=(6,), classes=3):
    """Starts alike in every replicate."""
    initializer = tf_keras.initializers.GlorotNormal(seed=1)
    return tf_keras.Sequential(
        [layers.Dense(classes, kernel_initializer=initializer, input_shape=input_shape)]
    )


def seeds_everything(input_shape=(6,), classes=3):
    """Starts alike too, by setting the global seed."""
    tf_keras.utils.set_random_seed(7)
    return small(input_shape, classes)


def keras3(input_shape=(6,), classes=3):
    """A model of Keras 3, which tfmot cannot prune."""
    import keras

    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(classes)(inputs))


def wrong_outputs(input_shape=(6,), classes=3):
    """One output too many."""
    return small(input_shape, classes + 1)
