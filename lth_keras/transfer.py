"""A ticket that was found on one data set, made ready for another."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from lth_keras import errors, initial, seeds
from lth_keras.mask import Mask
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket

Values = Mapping[str, np.ndarray]


def moved(ticket: Ticket, lab: Any, seed: int, number: int) -> Ticket:
    """The ticket in the network of `lab`: same mask and weights, output layers drawn anew.

    Every variable of a layer that holds an output kernel is drawn again from its own initialiser,
    with a seed derived from (replicate seed, 'transfer', round, path). An output kernel keeps its
    mask; if the number of classes differs, its mask is drawn at random with the same density
    (round(density * size) weights, at least one).

    Args:
      ticket: as it was found.
      lab: the laboratory of the data set it moves to.
      seed: the replicate's.
      number: the round.

    Raises:
      MaskError: another variable than those has another shape, or is not there.

    Source: Morcos et al. 2019, "One ticket to win them all", where the output layer is drawn anew.
    """
    outputs = output_kernels(lab)
    layers = output_layers(outputs)
    draw = seeds.derive(seed, 'transfer', number)
    fresh = {**initial.initial_weights(lab.build_model, draw)}
    fresh.update(initial.redrawn(lab.model, draw, 'transfer'))
    weights = dict(ticket.snapshot.weights)
    check_fits(weights, fresh, layers, lab.data.name)
    weights.update({path: value for path, value in fresh.items() if path.startswith(layers)})
    masks = {}
    for path, kept in ticket.mask.items():
        masks[path] = kept
        if path in outputs and kept.shape != fresh[path].shape:
            masks[path] = _random(kept, fresh[path].shape, seeds.derive(draw, 'mask', path))
    ordered = {path: weights[path] for path in fresh}
    snapshot = Snapshot(lab.experiment.rewind_step, ordered)
    return Ticket(Mask(masks), snapshot, ticket.provenance, lab.architecture)


def output_kernels(lab: Any) -> list[str]:
    """Paths of the output kernels of a laboratory's network."""
    return [c.path for c in lab.policy.choices(lab.model) if c.kind == 'output']


def output_layers(kernels: Sequence[str]) -> tuple[str, ...]:
    """What the paths of all variables of their layers begin with."""
    return tuple(path.rpartition('/')[0] + '/' for path in kernels)


def check(lab: Any) -> None:
    """Raises a MaskError unless tickets of the source's network fit that of `lab`."""
    weights, fresh = (one.initial(0) for one in (lab.source, lab))
    check_fits(weights, fresh, output_layers(output_kernels(lab)), lab.data.name)


def check_fits(weights: Values, fresh: Values, layers: tuple[str, ...], name: str) -> None:
    """Raises a MaskError if a variable outside of the output layers is not in both, or unlike."""
    for path in dict.fromkeys([*weights, *fresh]):
        if path.startswith(layers) and path in fresh:
            continue
        if path in fresh and path in weights and fresh[path].shape == weights[path].shape:
            continue
        raise errors.MaskError(
            f'transfer: expected {path!r} of shape {_shape(weights, path)} as in the ticket, '
            f'received a network for {name} with {_shape(fresh, path)}; only output '
            'layers may differ: choose data of the same input shape'
        )


def _shape(values: Values, path: str) -> str:
    return 'x'.join(map(str, values[path].shape)) if path in values else 'none'


def _random(kept: np.ndarray, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """A mask of this shape with the density of `kept`, drawn at random."""
    size = int(np.prod(shape))
    count = max(1, round(Fraction(int(np.count_nonzero(kept)), kept.size) * size))
    mask = np.zeros(size, bool)
    mask[seeds.permutation(size, seed)[:count]] = True
    return mask.reshape(shape)
