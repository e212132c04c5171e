"""The updates and evaluations of a search: one model, one optimizer, data on the device."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import engine
from lth_keras._compat import Model, tf_keras
from lth_keras.program import Augment, Program

# Examples per call of an evaluation: larger batches pay until their activations leave the cache.
DENSE_EVALUATION, CONV_EVALUATION = 10_000, 500
Part = tuple[np.ndarray, np.ndarray]


def cross_entropy(model: Model, examples: np.ndarray) -> Callable:
    """Per-example cross-entropy for integer labels, on logits or on probabilities.

    Which of the two the model gives is read off its outputs on some examples: rows of numbers
    from 0 to 1 that sum to 1 are probabilities, wherever in the model they are made.
    """
    outputs = np.asarray(tf.cast(model(tf.constant(examples), training=False), tf.float32))
    sums = outputs.sum(axis=-1)
    probabilities = bool(np.all(outputs >= 0) and np.allclose(sums, 1.0, atol=1e-2))
    return tf_keras.losses.SparseCategoricalCrossentropy(
        from_logits=not probabilities, reduction=tf_keras.losses.Reduction.NONE
    )


def resident(arrays: Any, strategy: Any) -> Any:
    """The arrays of a data set as tensors that stay on the device, or on each of several."""
    if strategy.num_replicas_in_sync == 1 or len(strategy.extended.worker_devices) == 1:
        return tf.nest.map_structure(tf.constant, arrays)
    with strategy.scope():
        return tf.nest.map_structure(lambda a: tf.Variable(a, trainable=False), arrays)


@dataclasses.dataclass
class Sums:
    """Sums over some steps: of their mean losses, and of correct answers."""

    loss: float = 0.0
    correct: float = 0.0
    examples: int = 0
    steps: int = 0

    def add(self, loss: float, correct: int, block: np.ndarray) -> None:
        """Adds the steps of one block of indices."""
        self.loss, self.correct = self.loss + loss, self.correct + correct
        self.examples, self.steps = self.examples + block.size, self.steps + len(block)

    def means(self) -> tuple[float, float]:
        """Loss per step and accuracy; NaN before the first step."""
        if not self.steps:
            return math.nan, math.nan
        return self.loss / self.steps, self.correct / self.examples


@dataclasses.dataclass(repr=False, eq=False)
class Loop:
    """Update and evaluation functions of one model, optimizer and training set.

    Args:
      model: a tf_keras model; wrapped or not.
      optimizer: a Keras optimizer that was built for it; a loss-scaling one scales.
      train: inputs (n, ...) and labels (n,), kept on the device.
      strategy: the process's one `tf.distribute` strategy.
      compiled: whether XLA compiles the loop.
      augment: random changes of the training inputs (see `Program`), or None.
      weight_decay: times the weight, added to the gradient of every trainable variable.

    `seconds` adds up the time spent in steps and in evaluation.
    """

    model: Model
    optimizer: Any
    train: Part
    strategy: Any
    compiled: bool
    augment: Augment | None = None
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        self._loss = cross_entropy(self.model, self.train[0][:64])
        self._data = resident(tuple(self.train), self.strategy)
        self._program = Program(
            self.model,
            self._update,
            self.strategy,
            self.compiled,
            adds=True,
            augment=self.augment,
            results=(np.float32(0), np.int32(0)),
        )
        self._evaluate = tf.function(self._evaluation, jit_compile=self.compiled)
        dense = not engine.convolutional(self.model)
        self._evaluation_batch = DENSE_EVALUATION if dense else CONV_EVALUATION
        self.seconds = {'steps': 0.0, 'evaluation': 0.0}

    def _update(self, examples: Any, share: float) -> tuple[tf.Tensor, tf.Tensor]:
        """One optimizer step; returns this replica's part of the mean loss, and correct answers."""
        x, y = examples
        scales = hasattr(self.optimizer, 'get_scaled_loss')
        with tf.GradientTape() as tape:
            outputs = tf.cast(self.model(x, training=True), tf.float32)
            loss = tf.reduce_mean(tf.cast(self._loss(y, outputs), tf.float32)) * share
            replicas = self.strategy.num_replicas_in_sync
            penalties = [tf.cast(p, tf.float32) / replicas for p in self.model.losses]
            total = tf.add_n([loss, *penalties])
            if scales:
                total = self.optimizer.get_scaled_loss(total)
        variables = self.model.trainable_variables
        gradients = tape.gradient(total, variables)
        if scales:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        if self.weight_decay:
            # Replicas add their gradients up: each adds its part of the decay.
            decay = self.weight_decay / replicas
            gradients = [
                g if g is None else tf.convert_to_tensor(g) + decay * tf.convert_to_tensor(v)
                for g, v in zip(gradients, variables, strict=True)
            ]
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, _correct(outputs, y)

    def run(self, block: np.ndarray, first: int, seed: int) -> tuple[float, int]:
        """Takes one step per row of `block`, the first of which is step `first`.

        Returns the sum of losses and of correct answers; see `Program` for errors.
        """
        with self._timed('steps'):
            loss, correct = self._program(self._data, block, first, seed)
            return float(loss), int(correct)

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began

    def _evaluation(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = tf.cast(self.model(x, training=False), tf.float32)
        return tf.reduce_sum(tf.cast(self._loss(y, outputs), tf.float32)), _correct(outputs, y)

    def pieces(self, part: Part) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """A part of the data on the device, cut into the batches that `evaluate` takes."""
        size = self._evaluation_batch
        return [
            tuple(tf.constant(array[first : first + size]) for array in part)
            for first in range(0, len(part[1]), size)
        ]

    def evaluate(self, pieces: Sequence[tuple[tf.Tensor, tf.Tensor]]) -> tuple[float, float]:
        """Mean loss and accuracy (a fraction) of the model on a part of the data."""
        loss = correct = count = 0.0
        with self._timed('evaluation'):
            for x, y in pieces:
                one, right = self._evaluate(x, y)
                loss, correct, count = loss + float(one), correct + int(right), count + len(y)
        return loss / count, correct / count


def _correct(outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Number of examples whose largest output is the labelled one."""
    best = tf.argmax(outputs, axis=-1, output_type=labels.dtype)
    return tf.reduce_sum(tf.cast(tf.equal(best, labels), tf.int32))
