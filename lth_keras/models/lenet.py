"""LeNet-300-100, the fully-connected network of the paper, its kin of any size, and LeNet-5."""

import numbers
from collections.abc import Sequence

from lth_keras import errors
from lth_keras._compat import Model, layers, tf_keras
from lth_keras.models.base import Initializer, check_images, checked, hidden_layers, scaled


def lenet_300_100(
    input_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    width: float = 1.0,
    dropout: float = 0.0,
    initializer: Initializer = 'glorot_normal',
) -> Model:
    """Two hidden layers of 300 and 100 ReLU units, logits out: 266,200 weights on MNIST.

    Gaussian Glorot initialisation, zero biases. Kernels: 784*300 + 300*100 + 100*10 = 266,200;
    with biases 266,610.

    Args:
      input_shape: shape of one input, flattened first.
      classes: number of output units.
      width: factor on the hidden units, above 0; halves round to even, and at least 1 is left.
      dropout: share of the units dropped after each hidden layer in training, in [0, 1).
      initializer: of all kernels: a Keras name, or a serialised initialiser.

    >>> lenet_300_100().count_params()
    266610
    >>> lenet_300_100(width=0.5).count_params()  # 150 and 50 units
    125810

    Raises:
      ConfigError: an option out of its range.

    Source: LeCun et al. 1998; Frankle & Carbin 2019, section 2 and figure 2. Neither has dropout
    in this network.
    """
    return _dense('lenet_300_100', (300, 100), input_shape, classes, width, dropout, initializer)


def mlp(
    input_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    hidden: Sequence[int] = (300, 100),
    width: float = 1.0,
    dropout: float = 0.0,
    initializer: Initializer = 'glorot_normal',
) -> Model:
    """Hidden layers of any number and width, ReLU, logits out: LeNet-300-100 of other sizes.

    As `lenet_300_100`, which has hidden=(300, 100): Gaussian Glorot, zero biases. Kernels for
    inputs of n numbers: n*h_1 + h_1*h_2 + ... + h_m*classes.

    Args:
      input_shape: shape of one input, flattened first.
      classes: number of output units.
      hidden: units of the hidden layers, each at least 1; without any the model is linear.
      width: factor on `hidden`, above 0; halves round to even, and at least 1 is left.
      dropout: share of the units dropped after each hidden layer in training, in [0, 1).
      initializer: of all kernels: a Keras name, or a serialised initialiser.

    >>> mlp(hidden=(64, 32, 16)).count_params()  # 784*64 + 64*32 + 32*16 + 16*10, and 122 biases
    53018
    >>> mlp(hidden=()).count_params()
    7850

    Raises:
      ConfigError: an option out of its range.

    Source: Frankle & Carbin 2019, section 2, whose network is the default. Other sizes are ours.
    """
    whole = isinstance(hidden, Sequence) and not isinstance(hidden, str)
    if not whole or not all(
        isinstance(n, numbers.Integral) and not isinstance(n, bool) and n >= 1 for n in hidden
    ):
        raise errors.ConfigError(
            f'hidden: expected whole numbers of at least 1, received {hidden!r}; write (300, 100) '
            'for two hidden layers'
        )
    return _dense('mlp', hidden, input_shape, classes, width, dropout, initializer)


def lenet_5(
    input_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    width: float = 1.0,
    dropout: float = 0.0,
    initializer: Initializer = 'glorot_normal',
) -> Model:
    """Two 5x5 convolutions of 6 and 16 filters, dense 120 and 84: 44,190 weights on MNIST.

    6, pool, 16, pool; 120, 84, classes; convolutions without padding, ReLU, 2x2 max pools, logits
    out. Gaussian Glorot initialisation, zero biases. Kernels: 25*6 + 150*16 = 2,550 of
    convolutions, and 256*120 + 120*84 + 84*10; with biases 44,426.

    Args:
      input_shape: (height, width, channels) of one image, at least 16 x 16.
      classes: number of output units.
      width: factor on filters and hidden units, above 0; halves round to even, at least 1 is left.
      dropout: share of the units dropped after each hidden dense layer in training, in [0, 1).
      initializer: of all kernels: a Keras name, or a serialised initialiser.

    >>> lenet_5().count_params()
    44426

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: LeCun et al. 1998, section 2, in the form that work on pruning uses (Evci et al., RigL,
    2020). The original has tanh units, trained subsampling layers, partly connected filters and
    images padded to 32 x 32. The paper of 2019 has no experiment with it.
    """
    check_images('lenet_5', input_shape, 16)
    drawn = {'kernel_initializer': checked(initializer)}
    stack = [layers.InputLayer(input_shape)]
    for filters in scaled((6, 16), width):
        stack += [layers.Conv2D(filters, 5, activation='relu', **drawn), layers.MaxPooling2D()]
    stack += [layers.Flatten(), *hidden_layers((120, 84), width, dropout, initializer)]
    return tf_keras.Sequential([*stack, layers.Dense(classes, **drawn)], name='lenet_5')


def _dense(
    name: str,
    units: Sequence[int],
    input_shape: tuple[int, ...],
    classes: int,
    width: float,
    dropout: float,
    initializer: Initializer,
) -> Model:
    """Inputs flattened, hidden layers of `width` times these units, logits out."""
    return tf_keras.Sequential(
        [
            layers.Flatten(input_shape=input_shape),
            *hidden_layers(units, width, dropout, checked(initializer)),
            layers.Dense(classes, kernel_initializer=initializer),
        ],
        name=name,
    )
