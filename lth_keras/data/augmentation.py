"""Random augmentation of training images: in the graph, and drawn for each example on its own.

An augmentation is a function `(images, key, step, positions) -> images` of the same shape and type:

    images: (batch, height, width, channels), of any type.
    key: int64 scalar, what the draws of one training derive from.
    step: int64 scalar, the number of the step, counted from initialisation.
    positions: (batch,), whole numbers: the place of each example in the whole batch.

What an example meets depends on key, step and its position alone, never on the other examples: a
replica that gets a part of the batch draws what one device would have drawn for that part.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from lth_keras import errors
from lth_keras.registry import Registry

BORDER = 4

# Of splitmix64.
_GAMMA = 0x9E3779B97F4A7C15
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS = (30, 27, 31)


def none(images: tf.Tensor, key: tf.Tensor, step: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Leaves the images as they are.

    >>> images = tf.reshape(tf.range(4), (1, 2, 2, 1))
    >>> none(images, 7, 0, [0]).numpy().ravel().tolist()
    [0, 1, 2, 3]
    """
    return images


def flip_crop(
    images: tf.Tensor, key: tf.Tensor, step: tf.Tensor, positions: tf.Tensor
) -> tf.Tensor:
    """Mirrors an image with probability one half, then shifts it by up to 4 pixels over zeros.

    With m in {0, 1} and top, left in {0, ..., 8}, all equally likely: the image, mirrored from
    left to right if m = 1, gets a border of 4 zero pixels, of which the window of the image's own
    size at (top, left) is kept. Pixels are moved, never computed with.

    Args:
      images: (batch, height, width, channels), of any type.
      key: int64 scalar.
      step: int64 scalar, counted from initialisation.
      positions: (batch,), whole numbers: places in the whole batch.

    Here m = 1, top = 4 and left = 3: mirrored, then one column to the right.

    >>> image = tf.reshape(tf.range(1, 10), (1, 3, 3, 1))
    >>> flip_crop(image, 7, 0, [70])[0, :, :, 0].numpy()
    array([[0, 3, 2],
           [0, 6, 5],
           [0, 9, 8]], dtype=int32)

    Raises:
      ConfigError: inputs that are no batch of images of known size.

    Source: He et al., Deep residual learning for image recognition, 2016, section 4.2 (CIFAR-10).
    Not verified for Frankle & Carbin 2019; their later code (open_lth: datasets/cifar10.py) does
    it in this order, on pixels as they are, and standardises them afterwards.
    """
    images = tf.convert_to_tensor(images)
    if images.shape.rank != 4 or None in images.shape[1:]:
        raise errors.ConfigError(
            'augmentation flip_crop: expected images (batch, height, width, channels), received '
            f'inputs of shape {images.shape}; choose --augmentation=none'
        )
    _, height, width, _ = images.shape
    places = 2 * BORDER + 1
    mirrored, top, left = tf.unstack(drawn(key, step, positions, (2, places, places)), axis=1)
    # The border is the same on both sides, so that mirroring the columns that are asked for
    # mirrors the image itself.
    rows = top[:, tf.newaxis] + tf.range(height)
    columns = left[:, tf.newaxis] + tf.range(width)
    last = width + 2 * BORDER - 1
    columns = tf.where(mirrored[:, tf.newaxis] == 1, last - columns, columns)
    padded = tf.pad(images, [[0, 0], [BORDER, BORDER], [BORDER, BORDER], [0, 0]])
    padded = tf.gather(padded, rows, axis=1, batch_dims=1)
    return tf.gather(padded, columns, axis=2, batch_dims=1)


def drawn(key: tf.Tensor, step: tf.Tensor, positions: tf.Tensor, below: Sequence[int]) -> tf.Tensor:
    """Random whole numbers for each example, a pure function of (key, step, position, which).

    With h(x) the first output of splitmix64 from state x (64 bits, all arithmetic modulo 2**64):

        s = h(h(h(key) + step) + position)
        bits[d] = h(s + d * gamma), the outputs of splitmix64 from state s
        number[d] = floor(below[d] * floor(bits[d] / 2**32) / 2**32)

    Whole numbers throughout: the same bits compiled and not. A number is more likely than another
    by at most below / 2**32.

    Args:
      key: int64 scalar.
      step: int64 scalar.
      positions: (batch,), whole numbers.
      below: how many values each of the numbers can take, at most 2**31.

    Returns:
      (batch, len(below)), int32: number d of each example, uniform in [0, below[d]).

    >>> drawn(7, 0, [0, 1, 5], (2, 9, 9)).numpy().tolist()
    [[0, 1, 8], [0, 4, 0], [1, 1, 3]]

    Source: Steele, Lea & Flood, Fast splittable pseudorandom number generators, 2014.
    """
    state = _first(_first(_first(_bits(key)) + _bits(step)) + _bits(positions))
    count = len(below)
    # By numpy: TensorFlow rounds a list of numbers on both sides of 2**63 to floating point.
    offsets = np.arange(count, dtype=np.uint64) * np.uint64(_GAMMA)
    high = _shifted(_first(state[:, tf.newaxis] + tf.constant(offsets)), 32)
    return tf.cast(_shifted(high * tf.constant(below, tf.uint64), 32), tf.int32)


def _bits(number: tf.Tensor) -> tf.Tensor:
    """A whole number as 64 bits; negative ones modulo 2**64."""
    return tf.bitcast(tf.cast(number, tf.int64), tf.uint64)


def _shifted(bits: tf.Tensor, by: int) -> tf.Tensor:
    return tf.bitwise.right_shift(bits, tf.constant(by, tf.uint64))


def _first(state: tf.Tensor) -> tf.Tensor:
    """The first output of splitmix64 from each state."""
    bits = state + tf.constant(_GAMMA, tf.uint64)
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        bits = tf.bitwise.bitwise_xor(bits, _shifted(bits, shift)) * tf.constant(factor, tf.uint64)
    return tf.bitwise.bitwise_xor(bits, _shifted(bits, _SHIFTS[-1]))


AUGMENTATIONS = Registry('augmentation', [none, flip_crop])
