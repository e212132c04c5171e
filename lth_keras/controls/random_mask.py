"""Random pruning, layer by layer: is it which weights are kept, or only how many of each layer?"""

import numpy as np

from lth_keras import seeds
from lth_keras.controls.base import Context, check_pruned, destroys, remade
from lth_keras.mask import Mask
from lth_keras.ticket import Ticket


@destroys('mask', every_round=False)
def random_mask(ticket: Ticket, context: Context) -> Ticket:
    """Random pruning: each layer keeps as many weights as the ticket, chosen at random.

    A kernel of which the ticket keeps n weights keeps the first n of a random order of its
    weights. The order derives from (replicate seed, draw, kernel path) and not from the round, so
    the mask of a later round is a subset of those before it: iterative pruning by chance.

    Survivors per kernel stay exactly; a kernel that is whole or empty stays so. The snapshot stays
    bit-equal, biases, normalisation and rewind step included. Its weights must be those of step k
    also where the ticket prunes, since some of them come back. A draw can be the ticket's own
    mask, with the chance that one of all equally likely masks has.

    >>> from lth_keras.rewind import Snapshot
    >>> def pruned(kept):
    ...     return Ticket(Mask({'a': kept}), Snapshot(0, {'a': np.ones(6, np.float32)}), {}, '')
    >>> random_mask(pruned([1, 1, 1, 1, 0, 0]), Context(None, 0, 1)).mask['a'].astype(int).tolist()
    [1, 1, 0, 1, 0, 1]
    >>> random_mask(pruned([1, 1, 0, 0, 0, 0]), Context(None, 0, 2)).mask['a'].astype(int).tolist()
    [0, 1, 0, 1, 0, 0]

    Raises:
      MaskError: a mask without any kernel that is partly pruned.

    Source: Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, 2020
    (random pruning). That the masks of rounds are nested is ours.
    """
    check_pruned(ticket, 'random_mask')
    arrays = {}
    for path, kept in ticket.mask.items():
        seed = seeds.derive(context.seed, 'random_mask', context.draw, path)
        stays = np.zeros(kept.size, bool)
        stays[seeds.permutation(kept.size, seed)[: np.count_nonzero(kept)]] = True
        arrays[path] = stays.reshape(kept.shape)
    return remade(ticket, mask=Mask(arrays))
