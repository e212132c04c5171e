"""Layer-wise shuffling of the mask: is it where in a layer the kept weights are?"""

from lth_keras import seeds
from lth_keras.controls.base import Context, check_pruned, destroys, remade
from lth_keras.mask import Mask
from lth_keras.ticket import Ticket


@destroys('mask')
def shuffled_mask(ticket: Ticket, context: Context) -> Ticket:
    """Shuffled mask: the entries of the ticket's own mask, permuted within each layer.

    The permutation derives from (replicate seed, round, draw, kernel path). Within one round this
    has the same distribution as `random_mask`: every mask with these counts is equally likely.
    Over rounds they differ: here each round is drawn afresh, there the masks are nested.

    Survivors per kernel stay exactly; a kernel that is whole or empty stays so. The snapshot stays
    bit-equal, as for `random_mask`. A draw can be the ticket's own mask, with the chance that one
    of all equally likely masks has.

    >>> import numpy as np
    >>> from lth_keras.rewind import Snapshot
    >>> snapshot = Snapshot(0, {'a': np.ones(6, np.float32)})
    >>> ticket = Ticket(Mask({'a': [1, 1, 0, 0, 0, 0]}), snapshot, {}, '')
    >>> [shuffled_mask(ticket, Context(None, 0, r)).mask['a'].astype(int).tolist() for r in (1, 2)]
    [[1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 1]]

    Raises:
      MaskError: a mask without any kernel that is partly pruned.

    Source: Frankle et al., Pruning Neural Networks at Initialization: Why Are We Missing the
    Mark?, 2021 (random shuffling). They shuffle the masks of pruning at initialisation.
    """
    check_pruned(ticket, 'shuffled_mask')
    arrays = {}
    for path, kept in ticket.mask.items():
        seed = seeds.derive(context.seed, 'shuffled_mask', context.round, context.draw, path)
        order = seeds.permutation(kept.size, seed)
        arrays[path] = kept.reshape(-1)[order].reshape(kept.shape)
    return remade(ticket, mask=Mask(arrays))
