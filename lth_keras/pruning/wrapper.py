"""The pruning wrapper: a tfmot wrapper that holds a given mask exactly and at no cost."""

import inspect
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from lth_keras import errors, graph
from lth_keras._compat import PruneLowMagnitude, enable_auto_cast_variables, tf_keras, tfmot


@tf.custom_gradient
def _held(kernel: tf.Tensor, mask: tf.Tensor) -> Any:
    """The kernel itself, whose gradient is 0 wherever the mask is 0."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        dense = tf.convert_to_tensor(upstream)
        # A choice and not a product: NaN * 0 would reach the pruned weights.
        return tf.where(tf.cast(mask, tf.bool), dense, tf.zeros_like(dense)), None

    return tf.identity(kernel), gradient


@tf_keras.utils.register_keras_serializable('lth_keras')
class MaskedLayer(PruneLowMagnitude):
    """A layer whose pruned weights get no gradient, so that they stay where they were put.

    forward: y = layer(x; w); backward: dL/dw = mask * (dL/dw of the bare layer).

    A pruned weight is set to its held value (0.0) once, when the mask is assigned
    (`holding.assign_mask`). With a zero gradient and zero slots it stays there under every
    elementwise optimizer, weight decay, clipping and weight averaging, compiled or not, with no
    product in the forward pass and no assignment per step. The masks are tfmot's own variables:
    `strip_pruning`, checkpoints and `isinstance` checks of tfmot keep working.

    Differs from tfmot's wrapper, which multiplies the variable by the mask before each forward
    pass (weights are non-zero between steps, slots carry momentum, 16-bit policies round the
    master weights), and never updates the mask by itself.

    Args:
      layer: the layer to wrap; it becomes part of the wrapper.
      kernels: attribute paths of the weights to hold, such as 'kernel' or 'cell/kernel'.
    """

    def __init__(self, layer: Any, kernels: Sequence[str] = ('kernel',), **kwargs: Any):
        self._kernels = tuple(kernels)
        kwargs.pop('name', None)
        kwargs.pop('pruning_schedule', None)
        kwargs.pop('block_size', None)
        kwargs.pop('block_pooling_type', None)
        kwargs.setdefault('dtype', layer._dtype_policy)
        # tfmot asks the layer which weights to prune; a subclass of Dense is not in its table.
        layer.get_prunable_weights = lambda: [weight for _, _, weight in self._places()]
        never = tfmot.sparsity.keras.ConstantSparsity(0.0, begin_step=0, end_step=0)
        super().__init__(layer, pruning_schedule=never, **kwargs)
        self.supports_masking = layer.supports_masking
        self._takes = _accepted(layer.call)

    def _places(self) -> list[tuple[Any, str, Any]]:
        """(owner, attribute, variable) of each held kernel."""
        places = []
        for path in self._kernels:
            *inside, attribute = path.split('/')
            owner = self.layer
            for name in inside:
                owner = graph.attribute(owner, name)
            if attribute not in vars(owner):
                raise errors.ModelError(
                    f'layer {self.layer.name!r}: expected a weight {path!r} after it was built, '
                    'found none; exclude the layer from pruning'
                )
            places.append((owner, attribute, vars(owner)[attribute]))
        return places

    @property
    def held(self) -> list[tuple[str, tf.Variable, tf.Variable]]:
        """(attribute path, weight, mask) of each held kernel."""
        return [
            (path, weight, mask)
            for path, (weight, mask, _) in zip(self._kernels, self.pruning_vars, strict=True)
        ]

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs = {k: v for k, v in kwargs.items() if self._takes is None or k in self._takes}
        places = self._places()
        swapped = []
        try:
            for (owner, attribute, weight), (_, mask, _) in zip(
                places, self.pruning_vars, strict=True
            ):
                # Under mixed precision the variable reads as a cast copy inside this scope, so
                # the master weights stay float32; the owner's own policy decides the dtype.
                with enable_auto_cast_variables(owner._compute_dtype_object):
                    value = _held(tf.convert_to_tensor(weight), tf.convert_to_tensor(mask))
                # In the instance's dictionary: setattr would drop the variable from tracking.
                vars(owner)[attribute] = value
                swapped.append((owner, attribute, weight))
            return self.layer(inputs, *args, **kwargs)
        finally:
            for owner, attribute, weight in swapped:
                vars(owner)[attribute] = weight

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.layer.compute_mask(inputs, mask)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for key in ('pruning_schedule', 'block_size', 'block_pooling_type'):
            config.pop(key, None)
        return {**config, 'kernels': list(self._kernels)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> 'MaskedLayer':
        config = dict(config)
        layer = tf_keras.layers.deserialize(config.pop('layer'))
        config.pop('dtype', None)  # the layer's own policy, also when it is a mixed one
        return cls(layer, **config)


def _accepted(function: Any) -> set[str] | None:
    """Names of the keyword arguments a `call` takes; None if it takes any."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name for p in parameters}
