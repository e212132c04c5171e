"""Masks in and out of a wrapped model, and what would break them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lth_keras import errors, graph, slots
from lth_keras._compat import Model, tf_keras
from lth_keras.mask import Mask
from lth_keras.pruning.wrapper import MaskedLayer

_regularizers, _constraints = tf_keras.regularizers, tf_keras.constraints
# Whatever leaves a zero weight without gradient, or at zero.
_HARMLESS = (
    _regularizers.L1,
    _regularizers.L2,
    _regularizers.L1L2,
    _constraints.MaxNorm,
    _constraints.MinMaxNorm,
    _constraints.NonNeg,
    _constraints.UnitNorm,
)


def held_kernels(model: Model) -> Iterator[tuple[str, Any, Any]]:
    """(kernel path, weight variable, mask variable) of every kernel that the model holds."""
    for path, layer in graph.named_layers(model):
        if isinstance(layer, MaskedLayer):
            for attribute, weight, mask in layer.held:
                yield f'{path}/{attribute}', weight, mask


def read_mask(model: Model) -> Mask:
    """The mask that a wrapped model holds.

    Raises:
      ModelError: the model holds no masks.
    """
    arrays = {path: mask.numpy() != 0 for path, _, mask in held_kernels(model)}
    if not arrays:
        raise errors.ModelError(
            f'expected a model wrapped by PruningPolicy.wrap, received {model.name!r}, which '
            'holds no masks'
        )
    return Mask(arrays)


def assign_mask(model: Model, mask: Mask) -> None:
    """Makes the model hold `mask`: pruned weights become +0.0, and so do their optimizer slots.

    Raises:
      MaskError: the mask's kernels or shapes are not those of the model.
    """
    held = {path: (weight, variable) for path, weight, variable in held_kernels(model)}
    mask.check_fits({path: tuple(weight.shape) for path, (weight, _) in held.items()})
    for path, (weight, variable) in held.items():
        kept = mask[path]
        variable.assign(kept.astype(variable.numpy().dtype))
        # Never weight * mask: that leaves -0.0, and keeps NaN.
        weight.assign(np.where(kept, weight.numpy(), np.float32(0)))
    optimizer = getattr(model, 'optimizer', None)
    if optimizer is not None:
        masks = {id(weight): mask[path] for path, (weight, _) in held.items()}
        with model.distribute_strategy.scope():
            slots.clear(optimizer, model.trainable_variables, masks)


def check_zeros(model: Model) -> None:
    """Raises a MaskError that counts pruned weights that are not exactly 0.0."""
    for path, weight, mask in held_kernels(model):
        moved = int(np.count_nonzero(weight.numpy()[mask.numpy() == 0]))
        if moved:
            raise errors.MaskError(
                f'{path}: expected 0.0 in every pruned weight, found {moved} others; assign the '
                'mask again (`assign_mask`) and find out what wrote to the variable'
            )


def check_held_exactly(layer_path: str, owner: Any, attribute: str) -> None:
    """Refuses regularisers and constraints that would move a pruned weight, by name.

    Raises:
      ModelError: names the layer, the regulariser or constraint, and what to do.
    """
    short = attribute.removesuffix('_kernel')  # recurrent_kernel has a recurrent_regularizer
    names = [f'{a}_{kind}' for a in (attribute, short) for kind in ('regularizer', 'constraint')]
    for name in names:
        thing = getattr(owner, name, None)
        if thing is not None and type(thing) not in _HARMLESS:
            raise errors.ModelError(
                f'layer {layer_path!r}: {name}={type(thing).__name__} would move '
                'pruned weights away from 0; use L1, L2, MaxNorm, MinMaxNorm, NonNeg or UnitNorm, '
                f"or leave the kernel out with exclude=['{layer_path}/*']"
            )


def describe(before: Mask, after: Mask) -> str:
    """What one pruning removed from which kernel, and which kernels lost nothing."""
    lines = [
        f'pruned {before.kept - after.kept:,} of {before.kept:,} weights, '
        f'{after.kept:,} of {after.size:,} stay (density {after.density:.4f})'
    ]
    kept = after.survivors
    for path, had in before.survivors.items():
        note = '' if had > kept[path] else '  (lost none)'
        lines.append(f'  {path:<40} {had:>10,} -> {kept[path]:>10,}{note}')
    return '\n'.join(lines)
