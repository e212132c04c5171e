"""Random pruning over all layers together: is it how the survivors are spread over the layers?"""

import numpy as np

from lth_keras import allocation, seeds
from lth_keras.controls.base import Context, check_pruned, destroys, remade
from lth_keras.mask import Mask
from lth_keras.ticket import Ticket


@destroys('mask')
def random_mask_global(ticket: Ticket, context: Context) -> Ticket:
    """Random global pruning: the network keeps as many weights as the ticket, from any layer.

    Each weight gets a random number in [0, 1), from (replicate seed, round, draw, kernel path);
    the highest of all kernels together stay, so the density of every layer is about that of the
    whole. At least one weight of each kernel stays, its highest: where a kernel would get none,
    the next lowest elsewhere goes instead.

    The total stays exactly, the survivors per kernel do not. The snapshot stays bit-equal, as for
    `random_mask`. Every round is drawn afresh.

    >>> from lth_keras.rewind import Snapshot
    >>> weights = {'a': np.ones(6, np.float32), 'b': np.ones(2, np.float32)}
    >>> mask = Mask({'a': [1, 0, 0, 0, 0, 0], 'b': [1, 1]})
    >>> made = random_mask_global(Ticket(mask, Snapshot(0, weights), {}, ''), Context(None, 0, 1))
    >>> made.mask.survivors, made.mask.kept
    ({'a': 2, 'b': 1}, 3)

    Raises:
      MaskError: a mask without any kernel that is partly pruned, or with fewer survivors than
        kernels.

    Source: Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, 2020
    (random pruning), in global scope as in open_lth. That one weight of each kernel stays is ours.
    """
    check_pruned(ticket, 'random_mask_global')
    mask = ticket.mask
    numbers = {}
    for path, shape in mask.shapes.items():
        seed = seeds.derive(context.seed, 'random_mask_global', context.round, context.draw, path)
        numbers[path] = np.random.Generator(np.random.Philox(seed)).random(shape)
    pool = allocation.Pool(tuple(mask), mask.size - mask.kept)
    drawn = allocation.remove(numbers, Mask.ones(mask.shapes), [pool])
    return remade(ticket, mask=drawn)
