"""The optimizers: one function each, one line below; each takes the settings that it names."""

import inspect
from collections.abc import Mapping
from typing import Any

from lth_keras import errors
from lth_keras._compat import tf_keras
from lth_keras.registry import Registry

Rate = Any  # a number or a Keras learning-rate schedule


def adam(learning_rate: Rate) -> Any:
    """Adam with Keras's defaults (beta 0.9 and 0.999): the paper's LeNet and Conv-n."""
    return tf_keras.optimizers.Adam(learning_rate)


def sgd(learning_rate: Rate) -> Any:
    """Plain stochastic gradient descent."""
    return tf_keras.optimizers.SGD(learning_rate)


def momentum(learning_rate: Rate, momentum: float = 0.9) -> Any:
    """SGD with momentum, 0.9 unless --momentum says otherwise."""
    return tf_keras.optimizers.SGD(learning_rate, momentum=momentum)


def nesterov(learning_rate: Rate, momentum: float = 0.9) -> Any:
    """SGD with Nesterov's momentum, 0.9 unless --momentum says otherwise."""
    return tf_keras.optimizers.SGD(learning_rate, momentum=momentum, nesterov=True)


def adamw(learning_rate: Rate, weight_decay: float = 0.004) -> Any:
    """Adam with decoupled weight decay, w -= rate * decay * w; 0.004 as in Keras if not given."""
    return tf_keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)


def rmsprop(learning_rate: Rate, momentum: float = 0.0) -> Any:
    """RMSprop with Keras's defaults (rho 0.9), without momentum unless --momentum is given."""
    return tf_keras.optimizers.RMSprop(learning_rate, momentum=momentum)


OPTIMIZERS = Registry('optimizer', [adam, sgd, momentum, nesterov, adamw, rmsprop])


def decouples(name: str) -> bool:
    """Whether the optimizer applies weight decay itself, apart from the gradient.

    For all others decay * w is added to the gradient of every trainable variable, which is the
    penalty decay / 2 * |w|^2 and what the papers' SGD does.

    >>> decouples('adamw'), decouples('momentum')
    (True, False)
    """
    return 'weight_decay' in inspect.signature(OPTIMIZERS.get(name)).parameters


def check(name: str, settings: Mapping[str, float | None]) -> None:
    """Raises a ConfigError if a setting is given (not None) that this optimizer does not have."""
    known = inspect.signature(OPTIMIZERS.get(name)).parameters
    for key, value in settings.items():
        if value is not None and key not in known:
            others = [n for n in OPTIMIZERS if key in inspect.signature(OPTIMIZERS[n]).parameters]
            raise errors.ConfigError(
                f'{key}: expected an optimizer that has it ({", ".join(others)}), received '
                f'{name!r}; leave --{key} out or choose another --optimizer'
            )


def make(name: str, learning_rate: Rate, settings: Mapping[str, float | None]) -> Any:
    """The Keras optimizer with those of the settings that are given (not None).

    >>> make('nesterov', 0.1, {'momentum': 0.8}).momentum
    0.8

    Raises:
      ConfigError: a setting that this optimizer does not have.
    """
    check(name, settings)
    given = {key: value for key, value in settings.items() if value is not None}
    return OPTIMIZERS.get(name)(learning_rate, **given)
