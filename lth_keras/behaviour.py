"""What a network computes, as a digest: its configuration does not hold its code."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from lth_keras import digests
from lth_keras._compat import Model
from lth_keras.draws import Draws
from lth_keras.pruning import wrapping


def digest(model: Model, start: Mapping[str, np.ndarray], examples: np.ndarray) -> str:
    """Digest of outputs and gradients on a few examples: an edited layer gives another one.

    Args:
      model: the network; it is left alone.
      start: path -> value of every variable; not those of a replicate, the digest is of the
        network.
      examples: inputs (n, ...).
    """
    copy = wrapping.rebuilt(model)
    wrapping.assign(copy, start)
    draws = Draws(copy)
    x = tf.constant(examples)
    with tf.GradientTape() as tape:
        with draws.at(tf.constant(0, tf.int64), tf.constant(draws.keys(0))):
            outputs = copy(x, training=True)
        total = tf.reduce_sum(tf.math.square(tf.cast(outputs, tf.float32)))
    gradients = tape.gradient(total, copy.trainable_variables)
    found = [outputs, copy(x, training=False), *(g for g in gradients if g is not None)]
    return digests.digest([np.asarray(tf.convert_to_tensor(f), np.float32) for f in found])
