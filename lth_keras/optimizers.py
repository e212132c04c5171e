"""The optimizers: one function each, one line below."""

from typing import Any

from lth_keras._compat import tf_keras
from lth_keras.registry import Registry


def adam(learning_rate: float) -> Any:
    """Adam with Keras's defaults (beta 0.9 and 0.999): the paper's LeNet and Conv-n."""
    return tf_keras.optimizers.Adam(learning_rate)


def sgd(learning_rate: float) -> Any:
    """Plain stochastic gradient descent."""
    return tf_keras.optimizers.SGD(learning_rate)


def momentum(learning_rate: float) -> Any:
    """SGD with momentum 0.9."""
    return tf_keras.optimizers.SGD(learning_rate, momentum=0.9)


OPTIMIZERS = Registry('optimizer', [adam, sgd, momentum])
