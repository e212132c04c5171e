"""VGG networks for CIFAR-10, with batch normalisation and one dense layer."""

from lth_keras._compat import Model, layers
from lth_keras.models.base import Initializer, check_images, checked, convolved, scaled

CHANNELS = (64, 128, 256, 512, 512)


def vgg_11(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    initializer: Initializer = 'he_normal',
) -> Model:
    """Eight 3x3 convolutions of 64 to 512 channels, batch norm: 9,222,848 weights.

    64, pool, 128, pool, 2x 256, pool, 2x 512, pool, 2x 512, average; the rest as in `vgg_19`.
    Kernels on CIFAR-10: 9,217,728 of convolutions and 512*10; trainable 9,228,362, with the moving
    statistics of 2,752 channels 9,233,866.

    Args:
      input_shape, classes, width, initializer: as in `vgg_19`.

    >>> vgg_11().count_params()
    9233866

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Simonyan & Zisserman 2015, configuration A; for CIFAR-10 as in `vgg_19`.
    """
    return _vgg('vgg_11', (1, 1, 2, 2, 2), input_shape, classes, width, initializer)


def vgg_13(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    initializer: Initializer = 'he_normal',
) -> Model:
    """Ten 3x3 convolutions of 64 to 512 channels, batch norm: 9,407,168 weights.

    2x 64, pool, 2x 128, pool, 2x 256, pool, 2x 512, pool, 2x 512, average; the rest as in
    `vgg_19`. Kernels on CIFAR-10: 9,402,048 of convolutions and 512*10; trainable 9,413,066, with
    the moving statistics of 2,944 channels 9,418,954.

    Args:
      input_shape, classes, width, initializer: as in `vgg_19`.

    >>> vgg_13().count_params()
    9418954

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Simonyan & Zisserman 2015, configuration B; for CIFAR-10 as in `vgg_19`.
    """
    return _vgg('vgg_13', (2, 2, 2, 2, 2), input_shape, classes, width, initializer)


def vgg_16(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    initializer: Initializer = 'he_normal',
) -> Model:
    """Thirteen 3x3 convolutions of 64 to 512 channels, batch norm: 14,715,584 weights.

    2x 64, pool, 2x 128, pool, 3x 256, pool, 3x 512, pool, 3x 512, average; the rest as in
    `vgg_19`. Kernels on CIFAR-10: 14,710,464 of convolutions and 512*10; trainable 14,724,042,
    with the moving statistics of 4,224 channels 14,732,490.

    Args:
      input_shape, classes, width, initializer: as in `vgg_19`.

    >>> vgg_16().count_params()
    14732490

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Simonyan & Zisserman 2015, configuration D; Frankle et al. 2020; as in `vgg_19`.
    """
    return _vgg('vgg_16', (2, 2, 3, 3, 3), input_shape, classes, width, initializer)


def vgg_19(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    initializer: Initializer = 'he_normal',
) -> Model:
    """Sixteen 3x3 convolutions of 64 to 512 channels, batch norm: 20,024,000 weights.

    2x 64, pool, 2x 128, pool, 4x 256, pool, 4x 512, pool, 4x 512, global average, logits out. Each
    convolution is followed by BN and ReLU and has no bias; pools are the maxima of 2x2. Kernels on
    CIFAR-10: 20,018,880 of convolutions and 512*10; trainable 20,035,018, with the moving
    statistics of 5,504 channels 20,046,026.

    He-normal kernels, zero biases, scales of one. Kernel paths are `stage_1_conv_1/kernel`, ...,
    `stage_5_conv_4/kernel`, `logits/kernel`.

    Args:
      input_shape: (height, width, channels) of one image, at least 16 x 16.
      classes: number of output units.
      width: factor on all channels, above 0; halves round to even, and at least 1 is left.
      initializer: of all kernels: a Keras name, or a serialised initialiser.

    >>> vgg_19().count_params()
    20046026
    >>> vgg_19(width=0.25).count_params()  # 16, 32, 64, 128, 128
    1258298

    Raises:
      ConfigError: an input that is no image, or a smaller one; an option out of its range.

    Source: Simonyan & Zisserman 2015, configuration E; Frankle & Carbin 2019, section 4. The
    initialisation of 2019 is not verified. The authors' later code (open_lth:
    models/cifar_vgg.py) has these layers. It differs from here in biases of the convolutions,
    which the normalisation after them takes out again, in scales drawn uniformly from [0, 1), and
    in a 2x2 average at the end, which on 32 x 32 pixels is the global one.
    """
    return _vgg('vgg_19', (2, 2, 4, 4, 4), input_shape, classes, width, initializer)


def _vgg(
    name: str,
    convolutions: tuple[int, ...],
    input_shape: tuple[int, ...],
    classes: int,
    width: float,
    initializer: Initializer,
) -> Model:
    """Five stages of so many convolutions, pools between them, average and logits."""
    check_images(name, input_shape, 2 ** (len(CHANNELS) - 1))
    checked(initializer)
    x = inputs = layers.Input(input_shape)
    stages = zip(scaled(CHANNELS, width), convolutions, strict=True)
    for stage, (channels, count) in enumerate(stages, 1):
        if stage > 1:
            x = layers.MaxPooling2D(name=f'stage_{stage - 1}_pool')(x)
        for number in range(1, count + 1):
            path = f'stage_{stage}_conv_{number}'
            x = layers.ReLU(name=f'{path}_relu')(convolved(x, channels, path, initializer))
    x = layers.GlobalAveragePooling2D(name='pool')(x)
    outputs = layers.Dense(classes, kernel_initializer=initializer, name='logits')(x)
    return Model(inputs, outputs, name=name)
