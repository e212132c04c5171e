"""Initialisers of kernels by name, and the same with another standard deviation."""

import math
import numbers
from typing import Any

from lth_keras import errors
from lth_keras.registry import Registry


def glorot_normal(scale: float = 1.0) -> dict[str, Any]:
    """Gaussian Glorot: a normal of std = scale * sqrt(2 / (fan_in + fan_out)), cut at 2 sigma.

    Cutting a normal at two of its sigmas leaves .8796 of its std. Keras draws with
    sigma = std / .8796 and so meets the std; no value lies beyond 2 * std / .8796 = 2.274 * std.
    Fans of a dense kernel are its inputs and outputs, of a convolution its area times channels.

    Args:
      scale: factor on the standard deviation, above 0.

    >>> glorot_normal()['config']
    {'scale': 1.0, 'mode': 'fan_avg', 'distribution': 'truncated_normal'}
    >>> round((2 / (784 + 300)) ** 0.5, 5)  # std of the first kernel of LeNet-300-100
    0.04295

    Source: Glorot & Bengio 2010; the initialisation of Frankle & Carbin 2019. The authors' TF1
    code (tf.contrib) cuts too, but with a variance factor of 1.3; its std is 1.0029 times this.
    """
    return _scaled('glorot_normal', 1.0, 'fan_avg', 'truncated_normal', scale)


def glorot_uniform(scale: float = 1.0) -> dict[str, Any]:
    """Uniform Glorot: within +-sqrt(3) * std, std = scale * sqrt(2 / (fan_in + fan_out)).

    Args:
      scale: factor on the standard deviation, above 0.

    >>> glorot_uniform(2)['config']
    {'scale': 4.0, 'mode': 'fan_avg', 'distribution': 'uniform'}
    >>> round((6 / (784 + 300)) ** 0.5, 5)  # limit of the first kernel of LeNet-300-100
    0.0744

    Source: Glorot & Bengio 2010; what Keras layers have without an initialiser.
    """
    return _scaled('glorot_uniform', 1.0, 'fan_avg', 'uniform', scale)


def he_normal(scale: float = 1.0) -> dict[str, Any]:
    """He normal (Kaiming): a normal of std = scale * sqrt(2 / fan_in), cut at 2 sigma.

    Cut and corrected as in `glorot_normal`.

    Args:
      scale: factor on the standard deviation, above 0.

    >>> he_normal(0.5)['config']
    {'scale': 0.5, 'mode': 'fan_in', 'distribution': 'truncated_normal'}
    >>> round((2 / (9 * 16)) ** 0.5, 5)  # std of a 3x3 convolution of 16 channels
    0.11785

    Source: He et al. 2015; the initialisation of Frankle et al. 2020, whose code (open_lth: torch's
    kaiming_normal_) draws from a normal of the same std that is not cut.
    """
    return _scaled('he_normal', 2.0, 'fan_in', 'truncated_normal', scale)


def he_uniform(scale: float = 1.0) -> dict[str, Any]:
    """He uniform (Kaiming): within +-sqrt(3) * std, std = scale * sqrt(2 / fan_in).

    Args:
      scale: factor on the standard deviation, above 0.

    >>> he_uniform()['config']
    {'scale': 2.0, 'mode': 'fan_in', 'distribution': 'uniform'}
    >>> round((6 / (9 * 16)) ** 0.5, 5)  # limit of a 3x3 convolution of 16 channels
    0.20412

    Source: He et al. 2015.
    """
    return _scaled('he_uniform', 2.0, 'fan_in', 'uniform', scale)


def lecun_normal(scale: float = 1.0) -> dict[str, Any]:
    """LeCun normal: a normal of std = scale * sqrt(1 / fan_in), cut at 2 sigma.

    Cut and corrected as in `glorot_normal`.

    Args:
      scale: factor on the standard deviation, above 0.

    >>> lecun_normal(3)['config']
    {'scale': 9.0, 'mode': 'fan_in', 'distribution': 'truncated_normal'}
    >>> round((1 / 784) ** 0.5, 5)  # std of the first kernel of LeNet-300-100
    0.03571

    Source: LeCun et al., Efficient BackProp, 1998.
    """
    return _scaled('lecun_normal', 1.0, 'fan_in', 'truncated_normal', scale)


def lecun_uniform(scale: float = 1.0) -> dict[str, Any]:
    """LeCun uniform: within +-sqrt(3) * std, std = scale * sqrt(1 / fan_in).

    Args:
      scale: factor on the standard deviation, above 0.

    >>> lecun_uniform()['config']
    {'scale': 1.0, 'mode': 'fan_in', 'distribution': 'uniform'}
    >>> round((3 / 784) ** 0.5, 5)  # limit of the first kernel of LeNet-300-100
    0.06186

    Source: LeCun et al., Efficient BackProp, 1998.
    """
    return _scaled('lecun_uniform', 1.0, 'fan_in', 'uniform', scale)


INITIALIZERS = Registry(
    'initializer',
    [
        *[glorot_normal, glorot_uniform, he_normal, he_uniform],
        *[lecun_normal, lecun_uniform],
    ],
)


def initializer(name: str, scale: float = 1.0) -> str | dict[str, Any]:
    """What a Keras layer takes as `kernel_initializer`: the named one, `scale` times as wide.

    Scale 1 gives the name itself; another one a serialised VarianceScaling, whose own `scale` is
    one of variances: scale**2 times that of the name. Layers make an initialiser each of either.

    Args:
      name: one of `INITIALIZERS`.
      scale: factor on the standard deviation, above 0.

    >>> initializer('he_normal')
    'he_normal'
    >>> initializer('he_normal', 0.5)['config']['scale']  # 0.5**2 * 2
    0.5

    Raises:
      ConfigError: an unknown name, or a scale that is no number above 0.
    """
    make = INITIALIZERS.get(name)
    serialised = make(scale)
    return name if scale == 1 else serialised


def _scaled(
    name: str, variance: float, mode: str, distribution: str, scale: float
) -> dict[str, Any]:
    """The serialised VarianceScaling: variance * scale**2 over the mean fan of that mode."""
    number = isinstance(scale, numbers.Real) and not isinstance(scale, bool)
    if not number or not 0 < float(scale) * float(scale) * variance < math.inf or scale < 0:
        raise errors.ConfigError(
            f'initializer {name!r}: expected a scale above 0, received {scale!r}; 1 leaves the '
            'standard deviation as it is'
        )
    config = {
        'scale': variance * float(scale) ** 2,
        'mode': mode,
        'distribution': distribution,
    }
    return {'class_name': 'VarianceScaling', 'config': config}
