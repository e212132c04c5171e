"""Residual networks for CIFAR-10: ResNet-20 (Frankle & Carbin 2019 say ResNet-18), 56, 110, ..."""

import numbers
from typing import Any

from lth_keras import errors
from lth_keras._compat import Model, layers
from lth_keras.models.base import Initializer, check_images, checked, convolved, scaled

STAGES = (16, 32, 64)


def resnet_20(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    initializer: Initializer = 'he_normal',
) -> Model:
    """Residual network of 20 layers, 16, 32 and 64 channels, batch norm: 270,896 weights.

    A 3x3 convolution, then three stages of three blocks, global average pooling, logits out. A
    block is x -> ReLU(s(x) + BN(conv(ReLU(BN(conv(x)))))), 3x3 and without biases. The first
    block of stages 2 and 3 has stride 2, and there s(x) is a 1x1 convolution of stride 2 with BN;
    elsewhere s(x) = x. Kernels: 432 + 13,824 + 50,688 + 202,752 of 3x3 and 512 + 2,048 of 1x1
    convolutions, and 64*10 on 10 classes; trainable 272,474, with moving statistics 274,042.

    He-normal kernels, zero biases, scales of one. Kernel paths are `stem/kernel`,
    `stage_2_block_1_conv_1/kernel`, `stage_2_block_1_shortcut/kernel`, ..., `logits/kernel`.

    Args:
      input_shape: (height, width, channels) of one image.
      classes: number of output units.
      width: factor on all channels, above 0; halves round to even, and at least 1 is left.
      initializer: of all kernels: a Keras name, or a serialised initialiser.

    >>> resnet_20().count_params()
    274042
    >>> resnet_20(width=0.5).count_params()  # 8, 16, 32
    69570

    Raises:
      ConfigError: an input that is no image; an option out of its range.

    Source: He et al. 2016, section 4.2; Frankle & Carbin 2019, section 4; Frankle et al. 2020.
    The initialisation of 2019 (Glorot or He) is not verified. The authors' later code (open_lth:
    models/cifar_resnet.py) has these shortcuts, He-normal kernels and a normalisation with
    momentum 0.9. It differs from here in scales drawn uniformly from [0, 1), in a random bias of
    the last layer, and in padding all sides of an image before a strided convolution, where
    Keras's 'same' pads even sizes on the right and below only.
    """
    check_images('resnet_20', input_shape)
    return _resnet('resnet_20', input_shape, classes, 3, width, initializer)


def resnet(
    input_shape: tuple[int, ...] = (32, 32, 3),
    classes: int = 10,
    depth: int = 20,
    width: float = 1.0,
    initializer: Initializer = 'he_normal',
) -> Model:
    """Residual network of depth 6n + 2, so n blocks a stage: 96,768 n - 19,408 weights.

    As `resnet_20`, which is n = 3; its kernels have the same paths and the model the name
    `resnet_DEPTH`. Kernels on CIFAR-10: 270,896 of ResNet-20, 851,504 of ResNet-56, 1,722,416 of
    ResNet-110; trainable 272,474, 855,770 and 1,730,714.

    Args:
      input_shape: (height, width, channels) of one image.
      classes: number of output units.
      depth: number of layers from an input to its logits: 8, 14, 20, 26, ...
      width: factor on all channels, above 0; halves round to even, and at least 1 is left.
      initializer: of all kernels: a Keras name, or a serialised initialiser.

    >>> resnet(depth=8).count_params()  # 77,360 kernels, 1,344 of normalisation, 10 biases
    78714

    Raises:
      ConfigError: another depth; an input that is no image; an option out of its range.

    Source: He et al. 2016, section 4.2; depths 20, 56 and 110 in Renda et al. 2020. It differs
    from them as `resnet_20` does.
    """
    check_images('resnet', input_shape)
    whole = isinstance(depth, numbers.Integral) and not isinstance(depth, bool)
    if not whole or depth < 8 or depth % 6 != 2:
        raise errors.ConfigError(
            f'depth: expected 6n + 2 with n of at least 1, received {depth!r}; use one of 8, 14, '
            '20, 26, 32, 44, 56, 110'
        )
    return _resnet(f'resnet_{depth}', input_shape, classes, depth // 6, width, initializer)


def _resnet(
    name: str,
    input_shape: tuple[int, ...],
    classes: int,
    blocks: int,
    width: float,
    initializer: Initializer,
) -> Model:
    """A stem, three stages of so many blocks, average and logits."""
    checked(initializer)
    stages = scaled(STAGES, width)
    inputs = layers.Input(input_shape)
    x = layers.ReLU(name='stem_relu')(convolved(inputs, stages[0], 'stem', initializer))
    for stage, channels in enumerate(stages, 1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _block(x, channels, stride, f'stage_{stage}_block_{block}', initializer)
    x = layers.GlobalAveragePooling2D(name='pool')(x)
    outputs = layers.Dense(classes, kernel_initializer=initializer, name='logits')(x)
    return Model(inputs, outputs, name=name)


def _block(x: Any, channels: int, stride: int, name: str, initializer: Initializer) -> Any:
    y = convolved(x, channels, f'{name}_conv_1', initializer, stride=stride)
    y = layers.ReLU(name=f'{name}_relu_1')(y)
    y = convolved(y, channels, f'{name}_conv_2', initializer)
    if stride > 1:
        x = convolved(x, channels, f'{name}_shortcut', initializer, size=1, stride=stride)
    return layers.ReLU(name=f'{name}_relu_2')(layers.Add(name=f'{name}_add')([x, y]))
