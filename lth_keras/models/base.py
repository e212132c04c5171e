"""What the builders share: checks of options, widths, and a normalised convolution."""

import math
import numbers
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from lth_keras import errors
from lth_keras._compat import layers, tf_keras

# A Keras name, or a serialised initialiser. No object: called twice, one draws the same values.
Initializer = str | dict[str, Any]

# Those of the authors' later code. With Keras's own momentum of 0.99 the networks of the first
# some hundred steps would be evaluated with statistics that are mostly their initial values.
# Keras computes with no epsilon below this one.
NORMALISATION = {'momentum': 0.9, 'epsilon': 1.001e-5}


def check_images(name: str, input_shape: tuple[int, ...], least: int = 1) -> None:
    """Raises a ConfigError unless the inputs of the network `name` are images of that size.

    Args:
      name: of the builder.
      input_shape: (height, width, channels).
      least: the smallest height and width that the network can take.
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < least:
        raise errors.ConfigError(
            f'model {name!r}: expected images (height, width, channels) of at least {least} x '
            f'{least} pixels, received inputs of shape {tuple(input_shape)}; choose another data '
            'set or model'
        )


def scaled(counts: Sequence[int], width: float) -> tuple[int, ...]:
    """Numbers of filters or units times `width`, halves rounded to even, each at least 1.

    >>> scaled((16, 32, 64), 0.5), scaled((5, 7, 45), 0.7), scaled((6, 16), 0.01)
    ((8, 16, 32), (4, 5, 32), (1, 1))

    Raises:
      ConfigError: a width that is no number above 0.
    """
    if not _is_number(width) or not 0 < width < math.inf:
        raise errors.ConfigError(
            f'width: expected a number above 0, received {width!r}; 1 is the width of the paper'
        )
    factor = Fraction(str(float(width)))  # 0.7 is 7/10, so that halves are met exactly
    return tuple(max(1, round(count * factor)) for count in counts)


def hidden_layers(
    units: Sequence[int], width: float, dropout: float, initializer: Initializer
) -> list[Any]:
    """Dense ReLU layers of `width` times these units, each with a Dropout layer after it.

    With dropout 0.0 there are no Dropout layers.

    Raises:
      ConfigError: a width that is no number above 0, or a dropout outside [0, 1).
    """
    if not _is_number(dropout) or not 0 <= dropout < 1:
        raise errors.ConfigError(
            f'dropout: expected a share in [0, 1), received {dropout!r}; 0 leaves it out'
        )
    found = []
    for count in scaled(units, width):
        found.append(layers.Dense(count, activation='relu', kernel_initializer=initializer))
        if dropout:
            found.append(layers.Dropout(dropout))
    return found


def checked(initializer: Initializer) -> Initializer:
    """The initialiser itself, if Keras knows it.

    Raises:
      ConfigError: an unknown name, a dictionary that is none, or an object.
    """
    try:
        if not isinstance(initializer, str | dict):
            raise TypeError('an object would start every layer alike')
        if tf_keras.initializers.get(initializer) is None:
            raise ValueError('no name')
    except (ValueError, TypeError) as e:
        raise errors.ConfigError(
            'initializer: expected the name of a Keras initialiser, or a dictionary of class_name '
            f'and config, received {initializer!r} ({str(e).splitlines()[0]}); he_normal is one'
        ) from e
    return initializer


def convolved(
    x: Any, filters: int, name: str, initializer: Initializer, size: int = 3, stride: int = 1
) -> Any:
    """Convolution of `x` without bias, called `name`, and batch normalisation, `name`_norm."""
    convolution = layers.Conv2D(
        filters,
        size,
        stride,
        padding='same',
        use_bias=False,
        kernel_initializer=initializer,
        name=name,
    )
    return layers.BatchNormalization(name=f'{name}_norm', **NORMALISATION)(convolution(x))


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
