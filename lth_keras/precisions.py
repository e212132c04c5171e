"""Mixed precision: layers compute in 16 bits, weights and masks stay float32."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from lth_keras import errors
from lth_keras._compat import Model, tf_keras
from lth_keras.pruning import wrapping

# Name -> the Keras policy that layers are made under.
PRECISIONS = {
    'float32': 'float32',
    'bfloat16': 'mixed_bfloat16',
    'float16': 'mixed_float16',
}


def policy(name: str) -> str:
    """The Keras policy of a precision.

    >>> policy('bfloat16')
    'mixed_bfloat16'

    Raises:
      ConfigError: an unknown precision.
    """
    if name not in PRECISIONS:
        raise errors.ConfigError(
            f'unknown precision {name!r}: {errors.did_you_mean(name, PRECISIONS)}'
        )
    return PRECISIONS[name]


@contextlib.contextmanager
def scope(name: str) -> Iterator[None]:
    """Inside, layers that say nothing of their type compute in `name`; float32 leaves it alone."""
    chosen = policy(name)
    if name == 'float32':
        yield
        return
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(chosen)
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def built(build_model: Callable[[], Model], name: str) -> Model:
    """The builder's model with layers that compute in `name`, output layers excepted.

    Logits in 16 bits have two or three digits, which is too few for a loss: the output layers
    compute in float32, as Keras advises.

    Raises:
      ModelError: the builder fails, for instance because a layer of it insists on float32.
    """
    with scope(name):
        model = wrapping.built(build_model)
        return model if name == 'float32' else wrapping.rebuilt(model, exact_outputs=True)


def scaled(optimizer: Any, name: str) -> Any:
    """The optimizer for that precision: float16 needs its loss scaled, or gradients become 0.

    The scale is dynamic: a step whose gradients overflow changes no weight, and counts as one.
    """
    policy(name)
    mixed = tf_keras.mixed_precision
    if name != 'float16' or isinstance(optimizer, mixed.LossScaleOptimizer):
        return optimizer
    return mixed.LossScaleOptimizer(optimizer)
