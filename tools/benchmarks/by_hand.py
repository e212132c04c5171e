"""The yardstick: LeNet's training steps written by hand, one XLA program, no Keras.

Activations are kept as (units, batch), which XLA's products met better than Keras's own layout, on
two cores with AVX-512. A layout that cuts the first layer into blocks of units may be faster still:
it was tried, not recorded, and is not built in here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tools.benchmarks.material import Material

LONGEST = 1000  # steps of one call
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7

Tensors = list[tf.Tensor]


def adam(
    w: tf.Tensor, m: tf.Tensor, v: tf.Tensor, gradient: tf.Tensor, rate: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Keras's Adam, operation by operation; `rate` has the bias corrections."""
    m = m + (gradient - m) * (1 - BETA_1)
    v = v + (tf.square(gradient) - v) * (1 - BETA_2)
    return w - m * rate / (tf.sqrt(v) + EPSILON), m, v


def gradients(kernels: Tensors, biases: Tensors, x: tf.Tensor, answers: tf.Tensor) -> Tensors:
    """Gradients of the mean cross-entropy: those of the kernels, then those of the biases.

    Args:
      kernels: (inputs, units) of each layer; ReLU between layers, logits at the end.
      biases: (units,).
      x: (batch, inputs).
      answers: (batch, classes), 1 at the label.
    """
    product = tf.matmul
    activations: Tensors = []
    last = len(kernels) - 1
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        if i:
            z = product(kernel, activations[-1], transpose_a=True)
        else:
            z = product(kernel, x, transpose_a=True, transpose_b=True)
        z += bias[:, tf.newaxis]
        activations.append(z if i == last else tf.nn.relu(z))
    delta = (tf.nn.softmax(activations.pop(), axis=0) - tf.transpose(answers)) / x.shape[0]
    of_kernels: Tensors = []
    of_biases: Tensors = []
    for kernel in reversed(kernels):
        of_biases.append(tf.reduce_sum(delta, 1))
        if not activations:
            of_kernels.append(product(x, delta, transpose_a=True, transpose_b=True))
            break
        below = activations.pop()
        of_kernels.append(product(below, delta, transpose_b=True))
        delta = tf.where(below > 0, product(kernel, delta), 0.0)
    return of_kernels[::-1] + of_biases[::-1]


class ByHand:
    """Adam on loop-carried values; the mask is a choice in the gradient."""

    def __init__(self, material: Material):
        self._material = material
        self._kernels = [path for path in material.initial if path.endswith('/kernel')]
        self._paths = [*self._kernels, *(p.replace('/kernel', '/bias') for p in self._kernels)]
        masks = [material.masks.get(path) for path in self._paths]
        self._masks = [None if mask is None else tf.constant(mask) for mask in masks]
        values = [material.start[path] for path in self._paths]
        slots = [np.zeros_like(value) for value in values]
        self._state = [tf.Variable(value) for value in (*values, *slots, *slots)]
        self._step = tf.Variable(0)
        examples = len(material.y)
        self._x = tf.constant(material.x.reshape(examples, -1))
        self._answers = tf.one_hot(material.y, material.network.classes)
        self._program = tf.function(self._steps, jit_compile=True)

    def start(self) -> None:
        values = [self._material.start[path] for path in self._paths]
        slots = [np.zeros_like(value) for value in values]
        for variable, value in zip(self._state, (*values, *slots, *slots), strict=True):
            variable.assign(value)
        self._step.assign(0)

    def _update(self, step: tf.Tensor, state: Sequence[tf.Tensor], rows: tf.Tensor) -> Tensors:
        layers, count = len(self._kernels), len(self._paths)
        weights, ms, vs = (list(state[i * count : (i + 1) * count]) for i in range(3))
        x, answers = tf.gather(self._x, rows), tf.gather(self._answers, rows)
        found = gradients(weights[:layers], weights[layers:], x, answers)
        found = [
            g if mask is None else tf.where(mask, g, 0.0)
            for g, mask in zip(found, self._masks, strict=True)
        ]
        t = tf.cast(step + 1, tf.float32)
        rate = self._material.network.learning_rate
        rate = rate * tf.sqrt(1 - tf.pow(BETA_2, t)) / (1 - tf.pow(BETA_1, t))
        new = [adam(*one, rate) for one in zip(weights, ms, vs, found, strict=True)]
        return [parts[i] for i in range(3) for parts in new]

    def _steps(self, block: tf.Tensor, count: tf.Tensor) -> None:
        def body(i: tf.Tensor, step: tf.Tensor, *state: tf.Tensor) -> tuple[Any, ...]:
            return (i + 1, step + 1, *self._update(step, state, block[i]))

        start = (tf.constant(0), self._step.read_value(), *(v.read_value() for v in self._state))
        _, step, *state = tf.while_loop(lambda i, *_: i < count, body, start)
        self._step.assign(step)
        for variable, value in zip(self._state, state, strict=True):
            variable.assign(value)

    def prepare(self, first: int, count: int) -> None:
        rows = self._material.rows(first, count)
        self._blocks = [rows[i : i + LONGEST] for i in range(0, count, LONGEST)]
        self._count = count

    def run(self) -> float:
        for block in self._blocks:
            padded = np.zeros((LONGEST, block.shape[1]), np.int32)
            padded[: len(block)] = block
            self._program(tf.constant(padded), tf.constant(len(block)))
        self._step.numpy()
        return self._count

    def weights(self) -> dict[str, np.ndarray]:
        values = (variable.numpy() for variable in self._state)
        return dict(zip(self._paths, values, strict=False))

    def facts(self) -> dict[str, Any]:
        return {}


def by_hand(material: Material) -> ByHand:
    """written by hand, XLA loop, masked"""
    return ByHand(material)
