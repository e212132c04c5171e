"""ResNet-20, the residual network for CIFAR-10 (Frankle & Carbin 2019 call it ResNet-18)."""

from typing import Any

from lth_keras._compat import Model, layers
from lth_keras.models.conv import check_images

STAGES, BLOCKS = (16, 32, 64), 3

# Those of the authors' later code. With Keras's own momentum of 0.99 the networks of the first
# some hundred steps would be evaluated with statistics that are mostly their initial values.
# Keras computes with no epsilon below this one.
_NORMALISATION = {'momentum': 0.9, 'epsilon': 1.001e-5}


def resnet_20(input_shape: tuple[int, ...] = (32, 32, 3), classes: int = 10) -> Model:
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

    >>> resnet_20().count_params()
    274042

    Raises:
      ConfigError: an input that is no image.

    Source: He et al. 2016, section 4.2; Frankle & Carbin 2019, section 4; Frankle et al. 2020.
    The initialisation of 2019 (Glorot or He) is not verified. The authors' later code (open_lth:
    models/cifar_resnet.py) has these shortcuts, He-normal kernels and a normalisation with
    momentum 0.9. It differs from here in scales drawn uniformly from [0, 1), in a random bias of
    the last layer, and in padding all sides of an image before a strided convolution, where
    Keras's 'same' pads even sizes on the right and below only.
    """
    check_images('resnet_20', input_shape)
    inputs = layers.Input(input_shape)
    x = layers.ReLU(name='stem_relu')(_convolved(inputs, STAGES[0], 3, 1, 'stem'))
    for stage, channels in enumerate(STAGES, 1):
        for block in range(1, BLOCKS + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _block(x, channels, stride, f'stage_{stage}_block_{block}')
    x = layers.GlobalAveragePooling2D(name='pool')(x)
    outputs = layers.Dense(classes, kernel_initializer='he_normal', name='logits')(x)
    return Model(inputs, outputs, name='resnet_20')


def _block(x: Any, channels: int, stride: int, name: str) -> Any:
    y = layers.ReLU(name=f'{name}_relu_1')(_convolved(x, channels, 3, stride, f'{name}_conv_1'))
    y = _convolved(y, channels, 3, 1, f'{name}_conv_2')
    if stride > 1:
        x = _convolved(x, channels, 1, stride, f'{name}_shortcut')
    return layers.ReLU(name=f'{name}_relu_2')(layers.Add(name=f'{name}_add')([x, y]))


def _convolved(x: Any, channels: int, size: int, stride: int, name: str) -> Any:
    """Convolution without bias, and batch normalisation."""
    convolution = layers.Conv2D(
        channels,
        size,
        stride,
        padding='same',
        use_bias=False,
        kernel_initializer='he_normal',
        name=name,
    )
    return layers.BatchNormalization(name=f'{name}_norm', **_NORMALISATION)(convolution(x))
