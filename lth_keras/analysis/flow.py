"""What reaches what through a mask: a network as a chain of steps on its units, arrays only.

A *unit* is an entry of the last axis: a neuron, or a channel of a convolution. Each step has one
truth value per unit, so that a question about units becomes one pass over the steps.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

KINDS = ('input', 'kernel', 'same', 'merge', 'concatenate', 'flatten', 'mix')


@dataclasses.dataclass(frozen=True)
class Step:
    """One use of a layer.

    Args:
      kind: 'input'; 'kernel' (dense or convolution: (..., inputs, units)); 'same' (each unit from
        the unit of its number: activation, pooling, batch norm); 'merge' (likewise, of several
        inputs: Add); 'concatenate'; 'flatten' (positions x channels: unit i is channel
        i % channels); 'mix' (every unit from all: softmax).
      inputs: positions of the steps that feed it.
      units: number of its units.
      kernel: path of its kernel, for 'kernel'.
    """

    kind: str
    inputs: tuple[int, ...] = ()
    units: int = 0
    kernel: str = ''


@dataclasses.dataclass(frozen=True)
class Network:
    """Steps, each after those that feed it, and which of them are outputs."""

    steps: Sequence[Step]
    outputs: Sequence[int]


Masks = Mapping[str, np.ndarray]
Units = list[np.ndarray]


def pairs(mask: np.ndarray) -> np.ndarray:
    """(inputs, units) of a kernel's mask: whether any position connects the two."""
    return np.any(mask.reshape(-1, *mask.shape[-2:]), axis=0)


def live(network: Network, masks: Masks) -> Units:
    """Per step and unit: whether a kept path leads to it from an input.

    A unit that is not live is a constant: its bias, whatever the input.

    Args:
      network: the steps.
      masks: kernel path -> boolean (..., inputs, units), of all kernels.
    """
    found: Units = []
    for step in network.steps:
        fed = [found[i] for i in step.inputs]
        if step.kind == 'kernel':
            found.append(np.any(pairs(masks[step.kernel]) & fed[0][:, None], axis=0))
        elif step.kind == 'input':
            found.append(np.ones(step.units, bool))
        else:
            found.append(_passed(step, fed, any_of=True))
    return found


def used(network: Network, masks: Masks) -> Units:
    """Per step and unit: whether a kept path leads from it to an output.

    A unit that is not used can be removed, and no output changes by a bit.
    """
    found = [np.zeros(step.units, bool) for step in network.steps]
    for i in network.outputs:
        found[i] |= True
    for step, mine in reversed(list(zip(network.steps, found, strict=True))):
        for i, flags in zip(step.inputs, _handed_back(network, step, mine, masks), strict=True):
            found[i] |= flags
    return found


def effective(network: Network, masks: Masks) -> dict[str, np.ndarray]:
    """Kernel path -> the kept weights that lie on a path from an input to an output.

    Weight (i, j) counts if it is kept, input unit i is live, and unit j is used. All others can
    be removed: from a constant unit, with the product of constant and weight added to the next
    bias; into an unused unit, without a trace. A kernel that is used twice counts once.

    Channels are looked at as a whole: where a mask behind a Flatten hears a channel at the border
    only, weights of its filter that lie in the padding there still count.

    >>> network = Network([Step('input', units=2), Step('kernel', (0,), 2, 'a'),
    ...                    Step('kernel', (1,), 1, 'b')], [2])
    >>> masks = {'a': np.array([[1, 0], [1, 0]], bool), 'b': np.array([[1], [1]], bool)}
    >>> found = effective(network, masks)  # unit 1 of 'a' has no input: its weight in 'b' is idle
    >>> found['a'].astype(int).tolist(), found['b'].astype(int).tolist()
    ([[1, 0], [1, 0]], [[1], [0]])
    """
    alive, wanted = live(network, masks), used(network, masks)
    found = {path: np.zeros(mask.shape, bool) for path, mask in masks.items()}
    for step, mine in zip(network.steps, wanted, strict=True):
        if step.kind == 'kernel':
            source = alive[step.inputs[0]]
            found[step.kernel] |= masks[step.kernel] & source[:, None] & mine
    return found


def touching(network: Network, masks: Masks, dead: Mapping[int, np.ndarray]) -> dict:
    """Kernel path -> the weights, kept or not, that lead into or out of a dead unit only.

    Deadness is known at some steps (a ReLU that is never active). It holds for what follows unit
    by unit (pooling, flattening; a sum of dead units only) and for what leads to dead units only,
    up to the next kernel on either side.

    Args:
      network, masks: the network and the masks of all kernels, of which the shapes count.
      dead: position of a step -> boolean per unit.

    >>> network = Network([Step('input', units=2), Step('kernel', (0,), 2, 'a'),
    ...                    Step('same', (1,), 2), Step('kernel', (2,), 1, 'b')], [3])
    >>> masks = {'a': np.ones((2, 2), bool), 'b': np.ones((2, 1), bool)}
    >>> found = touching(network, masks, {2: np.array([True, False])})
    >>> found['a'].astype(int).tolist(), found['b'].astype(int).tolist()
    ([[1, 0], [1, 0]], [[1], [0]])
    """
    after: Units = []
    for i, step in enumerate(network.steps):
        fed = [after[j] for j in step.inputs]
        stops = step.kind in ('input', 'kernel', 'mix')
        flags = np.zeros(step.units, bool) if stops else _passed(step, fed, any_of=False)
        after.append(flags | dead.get(i, False))
    before = [np.ones(step.units, bool) for step in network.steps]
    for i in network.outputs:
        before[i] &= False
    for i in reversed(range(len(network.steps))):
        step = network.steps[i]
        before[i] = before[i] | dead.get(i, False)
        if step.kind in ('kernel', 'mix'):
            for j in step.inputs:
                before[j] &= False
        else:
            handed = _handed_back(network, step, before[i], masks, any_of=False)
            for j, flags in zip(step.inputs, handed, strict=True):
                before[j] &= flags
    # A kernel that is used twice touches a dead unit only where both uses do.
    found = {path: np.ones(mask.shape, bool) for path, mask in masks.items()}
    for i, step in enumerate(network.steps):
        if step.kind == 'kernel':
            touches = after[step.inputs[0]][:, None] | before[i]
            found[step.kernel] &= touches
    return found


def _passed(step: Step, fed: Units, any_of: bool) -> np.ndarray:
    """A truth value per unit, passed on by a step without a kernel."""
    if step.kind == 'concatenate':
        return np.concatenate(fed)
    if step.kind == 'flatten':
        return np.tile(fed[0], step.units // len(fed[0]))
    if step.kind == 'mix':
        return np.full(step.units, bool(np.any(fed[0])))
    return np.any(fed, axis=0) if any_of else np.all(fed, axis=0)


def _handed_back(
    network: Network, step: Step, mine: np.ndarray, masks: Masks, any_of: bool = True
) -> Units:
    """For each input of a step, what the step's own truth values say about its units."""
    if step.kind == 'kernel':
        return [np.any(pairs(masks[step.kernel]) & mine, axis=1)]
    sizes = [network.steps[i].units for i in step.inputs]
    if step.kind == 'concatenate':
        return np.split(mine, np.cumsum(sizes)[:-1])
    if step.kind == 'flatten':
        places = mine.reshape(-1, sizes[0])
        return [np.any(places, axis=0) if any_of else np.all(places, axis=0)]
    if step.kind == 'mix':
        return [np.full(sizes[0], bool(mine.any()))]
    return [mine for _ in sizes]
