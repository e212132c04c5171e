"""Random sparse networks: is it anything but the number of weights in each layer?"""

import dataclasses

from lth_keras import seeds
from lth_keras.controls.base import Context, check_pruned, destroys
from lth_keras.controls.reinit import reinit
from lth_keras.controls.shuffled_mask import shuffled_mask
from lth_keras.ticket import Ticket


@destroys('mask', 'weights')
def random_sparse(ticket: Ticket, context: Context) -> Ticket:
    """Random sparse network: a random mask of equal layer densities on freshly drawn weights.

    `shuffled_mask` and `reinit` under a seed of its own, derived from the replicate's: neither its
    masks nor its weights are theirs. Every round and draw is a network of its own.

    Survivors per kernel stay exactly, and so does the rewind step; no kept weight does.

    Raises:
      MaskError: a mask without any kernel that is partly pruned.
      ModelError: an initialiser that draws the same values again, or none to draw from.

    Source: Frankle & Carbin 2019, figure 1 (dashed lines: randomly sampled sparse networks, mean
    of ten draws). How they spread the survivors over the layers is not verified.
    """
    check_pruned(ticket, 'random_sparse')
    own = dataclasses.replace(context, seed=seeds.derive(context.seed, 'random_sparse'))
    return reinit(shuffled_mask(ticket, own), own)
