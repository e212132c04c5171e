"""Conv-2, Conv-4, Conv-6 and Conv-8, small VGG-like networks."""

from lth_keras._compat import Model, layers, tf_keras
from lth_keras.models.base import Initializer, check_images, checked, hidden_layers, scaled


def conv_2(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    dropout: float = 0.0,
    initializer: Initializer = 'glorot_normal',
) -> Model:
    """Two 3x3 convolutions of 64 filters, dense 256 and 256: 4,300,992 weights on CIFAR-10.

    64, 64, pool; 256, 256, classes; ReLU, logits out. Gaussian Glorot initialisation, zero biases.
    Kernels: 27*64 + 576*64 = 38,592 of convolutions, and 16,384*256 + 256*256 + 256*10; with
    biases 4,301,642.

    Args:
      input_shape: (height, width, channels) of one image, at least 2 x 2.
      classes: number of output units.
      width: factor on filters and hidden units, above 0; halves round to even, at least 1 is left.
      dropout: share of the units dropped after each hidden dense layer in training, in [0, 1).
      initializer: of all kernels: a Keras name, or a serialised initialiser.

    >>> conv_2().count_params()
    4301642
    >>> conv_2(width=0.25).count_params()  # 16, 16; 64, 64
    269786

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Frankle & Carbin 2019, section 3 and figure 2. The initialisation of kernels and
    biases is that of Zhou et al. 2019, read in their code. The paper also trains these networks
    with dropout 0.5; after which layers is not verified, here it is after the hidden dense ones.
    """
    return _conv('conv_2', (64,), input_shape, classes, width, dropout, initializer)


def conv_4(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    dropout: float = 0.0,
    initializer: Initializer = 'glorot_normal',
) -> Model:
    """Four 3x3 convolutions of 64 and 128 filters, dense 256 and 256: 2,425,024 weights.

    64, 64, pool, 128, 128, pool; 256, 256, classes; the rest as in `conv_2`. Kernels on CIFAR-10:
    259,776 of convolutions, and 8,192*256 + 256*256 + 256*10; with biases 2,425,930.

    Args:
      input_shape: (height, width, channels) of one image, at least 4 x 4.
      classes: number of output units.
      width, dropout, initializer: as in `conv_2`.

    >>> conv_4().count_params()
    2425930

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Frankle & Carbin 2019, section 3 and figure 2; dropout as in `conv_2`.
    """
    return _conv('conv_4', (64, 128), input_shape, classes, width, dropout, initializer)


def conv_6(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    dropout: float = 0.0,
    initializer: Initializer = 'glorot_normal',
) -> Model:
    """Six 3x3 convolutions of 64, 128 and 256 filters, dense 256 and 256: 2,261,184 weights.

    64, 64, pool, 128, 128, pool, 256, 256, pool; 256, 256, classes; the rest as in `conv_2`.
    Kernels on CIFAR-10: 1,144,512 of convolutions, and 4,096*256 + 256*256 + 256*10; with biases
    2,262,602.

    Args:
      input_shape: (height, width, channels) of one image, at least 8 x 8.
      classes: number of output units.
      width, dropout, initializer: as in `conv_2`.

    >>> conv_6().count_params()
    2262602

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Frankle & Carbin 2019, section 3 and figure 2; dropout as in `conv_2`. The paper's
    table gives 1.7 million weights, which is not what the layers that it describes add up to; we
    build the layers.
    """
    return _conv('conv_6', (64, 128, 256), input_shape, classes, width, dropout, initializer)


def conv_8(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    dropout: float = 0.0,
    initializer: Initializer = 'glorot_normal',
) -> Model:
    """Eight 3x3 convolutions of 64 to 512 filters, dense 256 and 256: 5,275,840 weights.

    64, 64, pool, 128, 128, pool, 256, 256, pool, 512, 512, pool; 256, 256, classes; the rest as in
    `conv_2`. Kernels on CIFAR-10: 4,683,456 of convolutions, and 2,048*256 + 256*256 + 256*10;
    with biases 5,278,282.

    Args:
      input_shape: (height, width, channels) of one image, at least 16 x 16.
      classes: number of output units.
      width, dropout, initializer: as in `conv_2`.

    >>> conv_8().count_params()
    5278282

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Ramanujan et al., What's Hidden in a Randomly Weighted Neural Network?, 2020, who
    extend the series of Frankle & Carbin 2019; layers read in their code (models/frankle.py),
    which has no biases. Initialised as `conv_2`: they draw signed constants and train no weights.
    """
    return _conv('conv_8', (64, 128, 256, 512), input_shape, classes, width, dropout, initializer)


def _conv(
    name: str,
    channels: tuple[int, ...],
    input_shape: tuple[int, ...],
    classes: int,
    width: float,
    dropout: float,
    initializer: Initializer,
) -> Model:
    """Two convolutions and a pool for each of `channels`, then the dense layers."""
    check_images(name, input_shape, 2 ** len(channels))
    drawn = {'kernel_initializer': checked(initializer)}
    stack = [layers.InputLayer(input_shape)]
    for filters in scaled(channels, width):
        for _ in range(2):
            stack.append(layers.Conv2D(filters, 3, padding='same', activation='relu', **drawn))
        stack.append(layers.MaxPooling2D())
    stack.append(layers.Flatten())
    stack += hidden_layers((256, 256), width, dropout, initializer)
    return tf_keras.Sequential([*stack, layers.Dense(classes, **drawn)], name=name)
