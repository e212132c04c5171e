"""Learning-rate schedules: the factor on the learning rate at each step; one line each below."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lth_keras._compat import tf_keras
from lth_keras.registry import Registry


def constant(position: tf.Tensor, total: int, boundaries: Sequence[int], decay: float) -> tf.Tensor:
    """The same learning rate from the first step to the last."""
    return tf.ones_like(position)


def piecewise(
    position: tf.Tensor, total: int, boundaries: Sequence[int], decay: float
) -> tf.Tensor:
    """Multiplied by --learning_rate_decay at each of --learning_rate_boundaries.

    factor(t) = decay^(number of boundaries b with b <= t): the update after b steps is the first
    with the lower rate.

    Source: He et al. 2016, section 4.2.
    """
    passed = tf.add_n([tf.cast(position >= b, tf.float32) for b in boundaries])
    return tf.pow(tf.constant(decay, tf.float32), passed)


def cosine(position: tf.Tensor, total: int, boundaries: Sequence[int], decay: float) -> tf.Tensor:
    """Half a period of a cosine, from the learning rate to 0 at the end of training.

    factor(t) = (1 + cos(pi * min(t, total) / total)) / 2.

    Source: Loshchilov & Hutter 2017, without restarts.
    """
    return 0.5 * (1.0 + tf.cos(math.pi * tf.minimum(position / total, 1.0)))


LEARNING_RATES = Registry('learning-rate schedule', [constant, piecewise, cosine])


@tf_keras.utils.register_keras_serializable('lth_keras')
class LearningRate(tf_keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate over the steps from initialisation, with linear warm-up.

    lr(t) = base * factor(t) * min(1, (t + 1) / warmup) for the update after t steps: the first
    has base / warmup, the one after warmup - 1 steps is the first with all of base * factor.

    Args:
      base: the learning rate, > 0.
      schedule: one of `LEARNING_RATES`.
      total: steps from initialisation to the end; what `cosine` spans.
      boundaries: steps at which `piecewise` lowers the rate, rising.
      decay: by which factor, in (0, 1].
      warmup: steps of linear warm-up, 0 for none.

    >>> rate = LearningRate(0.1, 'piecewise', 100, boundaries=(50, 75), warmup=10)
    >>> [round(float(rate(t)), 4) for t in (0, 4, 9, 49, 50, 99)]
    [0.01, 0.05, 0.1, 0.1, 0.01, 0.001]
    >>> [round(float(LearningRate(1.0, 'cosine', 100)(t)), 4) for t in (0, 50, 100)]
    [1.0, 0.5, 0.0]

    Warm-up as in Frankle & Carbin 2019, section 4 (linear from 0; where its first step lies is
    not said there).
    """

    def __init__(
        self,
        base: float,
        schedule: str = 'constant',
        total: int = 0,
        boundaries: Sequence[int] = (),
        decay: float = 0.1,
        warmup: int = 0,
    ):
        self.base, self.schedule, self.total = base, schedule, total
        self.boundaries, self.decay, self.warmup = tuple(boundaries), decay, warmup

    def __call__(self, step: Any) -> tf.Tensor:
        position = tf.cast(step, tf.float32)
        rule = LEARNING_RATES.get(self.schedule)
        factor = rule(position, self.total, self.boundaries, self.decay)
        if self.warmup:
            factor *= tf.minimum((position + 1.0) / self.warmup, 1.0)
        return self.base * factor

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        return {
            'base': self.base,
            'schedule': self.schedule,
            'total': self.total,
            'boundaries': list(self.boundaries),
            'decay': self.decay,
            'warmup': self.warmup,
        }
