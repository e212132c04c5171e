"""Conv-2, Conv-4 and Conv-6, the small VGG-like networks of the paper."""

from lth_keras import errors
from lth_keras._compat import Model, layers, tf_keras


def conv_2(input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10) -> Model:
    """Two 3x3 convolutions of 64 filters, dense 256 and 256: 4,300,992 weights on CIFAR-10.

    64, 64, pool; 256, 256, classes; ReLU, logits out. Gaussian Glorot initialisation, zero biases.
    Kernels: 27*64 + 576*64 = 38,592 of convolutions, and 16,384*256 + 256*256 + 256*10; with
    biases 4,301,642.

    Args:
      input_shape: (height, width, channels) of one image, at least 2 x 2.
      classes: number of output units.

    >>> conv_2().count_params()
    4301642

    Raises:
      ConfigError: an input that is no image, or a smaller one.

    Source: Frankle & Carbin 2019, section 3 and figure 2. The initialisation of kernels and
    biases is that of Zhou et al. 2019, read in their code.
    """
    return _conv('conv_2', (64,), input_shape, classes)


def conv_4(input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10) -> Model:
    """Four 3x3 convolutions of 64 and 128 filters, dense 256 and 256: 2,425,024 weights.

    64, 64, pool, 128, 128, pool; 256, 256, classes; the rest as in `conv_2`. Kernels on CIFAR-10:
    259,776 of convolutions, and 8,192*256 + 256*256 + 256*10; with biases 2,425,930.

    Args:
      input_shape: (height, width, channels) of one image, at least 4 x 4.
      classes: number of output units.

    >>> conv_4().count_params()
    2425930

    Raises:
      ConfigError: an input that is no image, or a smaller one.

    Source: Frankle & Carbin 2019, section 3 and figure 2.
    """
    return _conv('conv_4', (64, 128), input_shape, classes)


def conv_6(input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10) -> Model:
    """Six 3x3 convolutions of 64, 128 and 256 filters, dense 256 and 256: 2,261,184 weights.

    64, 64, pool, 128, 128, pool, 256, 256, pool; 256, 256, classes; the rest as in `conv_2`.
    Kernels on CIFAR-10: 1,144,512 of convolutions, and 4,096*256 + 256*256 + 256*10; with biases
    2,262,602.

    Args:
      input_shape: (height, width, channels) of one image, at least 8 x 8.
      classes: number of output units.

    >>> conv_6().count_params()
    2262602

    Raises:
      ConfigError: an input that is no image, or a smaller one.

    Source: Frankle & Carbin 2019, section 3 and figure 2. Its table gives 1.7 million weights,
    which is not what the layers that it describes add up to; we build the layers.
    """
    return _conv('conv_6', (64, 128, 256), input_shape, classes)


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


def _conv(
    name: str, channels: tuple[int, ...], input_shape: tuple[int, ...], classes: int
) -> Model:
    """Two convolutions and a pool for each of `channels`, then the dense layers."""
    check_images(name, input_shape, 2 ** len(channels))
    drawn, hidden = {'kernel_initializer': 'glorot_normal'}, {'activation': 'relu'}
    stack = [layers.InputLayer(input_shape)]
    for filters in channels:
        for _ in range(2):
            stack.append(layers.Conv2D(filters, 3, padding='same', **hidden, **drawn))
        stack.append(layers.MaxPooling2D())
    stack.append(layers.Flatten())
    stack += [layers.Dense(256, **hidden, **drawn) for _ in range(2)]
    return tf_keras.Sequential([*stack, layers.Dense(classes, **drawn)], name=name)
