"""The products of Dense layers, laid out so that XLA spreads them over the cores of a processor."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from lth_keras import graph
from lth_keras._compat import Model, layers, optimization_barrier

# Measured on two cores: with more units (or examples) the plain product is shared out as well.
MOST_EXAMPLES, MOST_UNITS = 128, 512


@tf.custom_gradient
def product(x: tf.Tensor, kernel: tf.Tensor) -> Any:
    """x @ kernel, computed as (kernel' @ x')'.

    A batch of 60 has too few rows to be shared out well between cores; the units of a layer are
    enough: LeNet's steps become 1.1 times as fast. XLA would undo the transposition, but does not
    look across a barrier. The gradients are those of a plain product.

    Args:
      x: (batch, inputs).
      kernel: (inputs, units).

    >>> product(tf.constant([[1.0, 2.0]]), tf.constant([[3.0, 4.0], [5.0, 6.0]])).numpy().tolist()
    [[13.0, 16.0]]
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return (
            tf.matmul(upstream, kernel, transpose_b=True),
            tf.matmul(x, upstream, transpose_a=True),
        )

    turned = tf.matmul(kernel, x, transpose_a=True, transpose_b=True)
    return tf.transpose(optimization_barrier(turned)), gradient


class Products:
    """The Dense layers of one model, computing with `product` where it is faster.

    That is in programs that XLA compiles for a processor. The layers are changed only while a step
    is traced: the model is as it was afterwards.

    Args:
      model: a tf_keras model, wrapped or not.
      compiled: whether XLA compiles the program.
    """

    def __init__(self, model: Model, compiled: bool):
        self._model = model
        self._here = compiled and not tf.config.list_logical_devices('GPU')
        self.find()

    def find(self) -> None:
        """Looks for Dense layers, again if some are made when the model is first called."""
        found = {
            id(thing): thing
            for _, layer in (graph.named_layers(self._model) if self._here else ())
            for _, thing in graph.attributes(graph.unwrap(layer))
            if type(thing) is layers.Dense
        }
        self._layers = list(found.values())

    @contextlib.contextmanager
    def turned(self) -> Iterator[None]:
        """Inside, calls of the layers are traced with `product`."""
        # A layer whose call somebody replaced computes as they say.
        plain = [layer for layer in self._layers if 'call' not in vars(layer)]
        try:
            for layer in plain:
                vars(layer)['call'] = _call(layer)
            yield
        finally:
            for layer in plain:
                vars(layer).pop('call', None)


def _call(layer: Any) -> Callable[[Any], tf.Tensor]:
    """What `Dense.call` does, for small products; else that itself."""

    def call(inputs: Any) -> tf.Tensor:
        if not isinstance(inputs, tf.Tensor) or inputs.shape.rank != 2 or not inputs.shape[0]:
            return type(layer).call(layer, inputs)
        if inputs.shape[0] > MOST_EXAMPLES or layer.units > MOST_UNITS:
            return type(layer).call(layer, inputs)
        x = tf.cast(inputs, layer.compute_dtype)
        outputs = product(x, tf.convert_to_tensor(layer.kernel))
        if layer.use_bias:
            outputs = tf.nn.bias_add(outputs, layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call
