"""The update loop: many optimizer steps in one call, compiled or not, on one device or several."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import errors, graph
from lth_keras._compat import Conv, DepthwiseConv, Model, tf_keras

ENGINES = ('auto', 'compiled', 'plain')
# One program serves every block up to this length: the number of steps is an argument.
BLOCK = 128
DENSE_EVALUATION, CONV_EVALUATION = 10_000, 500


def convolutional(model: Model) -> bool:
    """Whether any layer of the model convolves."""
    return any(
        isinstance(thing, Conv | DepthwiseConv)
        for _, layer in graph.named_layers(model)
        for _, thing in graph.attributes(layer)
    )


def choose(engine: str, model: Model, strategy: Any) -> str:
    """The path that trains this model: 'compiled' (XLA) or 'plain'; it decides the bits.

    'auto' is a fixed rule: plain for convolutions on a CPU (XLA is slower there) and for more
    than one replica (XLA and logical devices do not go together), else compiled.

    Raises:
      ConfigError: compiled training asked for on several replicas, or an unknown engine.
    """
    several = strategy.num_replicas_in_sync > 1
    if engine == 'auto':
        on_cpu = not tf.config.list_logical_devices('GPU')
        return 'plain' if several or (convolutional(model) and on_cpu) else 'compiled'
    if engine not in ENGINES:
        raise errors.ConfigError(
            f'unknown engine {engine!r}: {errors.did_you_mean(engine, ENGINES)}'
        )
    if engine == 'compiled' and several:
        raise errors.ConfigError(
            f'engine: expected plain (or auto) for {strategy.num_replicas_in_sync} replicas, '
            'received compiled, which works on one device only'
        )
    return engine


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


@dataclasses.dataclass(repr=False, eq=False)
class Loop:
    """Compiled update and evaluation functions of one model, optimizer and training set.

    Args:
      model: a tf_keras model; wrapped or not.
      optimizer: a Keras optimizer that was built for it.
      train: inputs (n, ...) and labels (n,), kept on the device.
      strategy: the process's one `tf.distribute` strategy.
      compiled: whether XLA compiles the loop.
    """

    model: Model
    optimizer: Any
    train: tuple[np.ndarray, np.ndarray]
    strategy: Any
    compiled: bool

    def __post_init__(self) -> None:
        self._loss = cross_entropy(self.model, self.train[0][:64])
        self._replicas = self.strategy.num_replicas_in_sync
        self._x, self._y = (tf.constant(part) for part in self.train)
        run = self._one_device if self._replicas == 1 else self._many_devices
        self._run = tf.function(run, jit_compile=self.compiled)
        self._evaluate = tf.function(self._evaluation, jit_compile=self.compiled)
        dense = not convolutional(self.model)
        self._evaluation_batch = DENSE_EVALUATION if dense else CONV_EVALUATION

    def _update(self, indices: tf.Tensor, share: float) -> tuple[tf.Tensor, tf.Tensor]:
        """One optimizer step on the examples `indices`; `share` is their part of the batch."""
        x, y = tf.gather(self._x, indices), tf.gather(self._y, indices)
        with tf.GradientTape() as tape:
            outputs = self.model(x, training=True)
            loss = tf.reduce_mean(tf.cast(self._loss(y, outputs), tf.float32)) * share
            penalties = [tf.cast(p, tf.float32) for p in self.model.losses]
            total = tf.add_n([loss, *(p / self._replicas for p in penalties)])
        variables = self.model.trainable_variables
        gradients = tape.gradient(total, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, _correct(outputs, y)

    def _one_device(self, indices: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def body(i: tf.Tensor, loss: tf.Tensor, correct: tf.Tensor) -> tuple[tf.Tensor, ...]:
            one, right = self._update(indices[i], 1.0)
            return i + 1, loss + one, correct + right

        start = (tf.constant(0), tf.constant(0.0), tf.constant(0))
        _, loss, correct = tf.while_loop(lambda i, *_: i < count, body, start)
        return loss, correct

    def _many_devices(self, indices: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The loop stands outside strategy.run: updates inside a loop in there cannot merge.
        batch = indices.shape[1]
        borders = [round(batch * r / self._replicas) for r in range(self._replicas + 1)]
        loss, correct = tf.constant(0.0), tf.constant(0)
        for i in tf.range(count):
            row = indices[i]
            parts = self.strategy.experimental_distribute_values_from_function(
                lambda context, row=row: row[
                    borders[context.replica_id_in_sync_group] : borders[
                        context.replica_id_in_sync_group + 1
                    ]
                ]
            )
            one, right = self.strategy.run(self._shared_update, args=(parts, batch))
            loss += self.strategy.reduce(tf.distribute.ReduceOp.SUM, one, axis=None)
            correct += self.strategy.reduce(tf.distribute.ReduceOp.SUM, right, axis=None)
        return loss, correct

    def _shared_update(self, indices: tf.Tensor, batch: int) -> tuple[tf.Tensor, tf.Tensor]:
        return self._update(indices, indices.shape[0] / batch)

    def run(self, block: np.ndarray) -> tuple[float, int]:
        """Takes one step per row of `block`; returns the sum of losses and of correct answers."""
        if block.shape[1] < self._replicas:
            raise errors.ConfigError(
                f'batch size: expected at least one example for each of {self._replicas} '
                f'replicas in every batch, received a batch of {block.shape[1]}; choose a batch '
                'size that leaves no smaller rest'
            )
        count = len(block)
        if 1 < count < BLOCK:
            block = np.concatenate([block, np.zeros((BLOCK - count, block.shape[1]), block.dtype)])
        try:
            loss, correct = self._run(tf.constant(block), tf.constant(count))
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as e:
            if not self.compiled:
                raise
            first = str(e.message).strip().split('\n')[0]
            raise errors.ModelError(
                f"the compiled engine cannot run this model ({first}); use engine='plain'"
            ) from e
        return float(loss), int(correct)

    def _evaluation(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        outputs = self.model(x, training=False)
        return tf.reduce_sum(tf.cast(self._loss(y, outputs), tf.float32)), _correct(outputs, y)

    def evaluate(self, part: tuple[tf.Tensor, tf.Tensor]) -> tuple[float, float]:
        """Mean loss and accuracy (a fraction) of the model on `part`, in large batches."""
        x, y = part
        loss = correct = 0.0
        for first in range(0, len(y), self._evaluation_batch):
            piece = slice(first, first + self._evaluation_batch)
            one, right = self._evaluate(x[piece], y[piece])
            loss, correct = loss + float(one), correct + int(right)
        return loss / len(y), correct / len(y)


def _correct(outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Number of examples whose largest output is the labelled one."""
    best = tf.argmax(outputs, axis=-1, output_type=labels.dtype)
    return tf.reduce_sum(tf.cast(tf.equal(best, labels), tf.int32))
