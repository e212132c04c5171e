"""Random re-initialisation: is it the initial weights, or only the structure?"""

from lth_keras import initial, seeds
from lth_keras.controls.base import Context, destroys, remade
from lth_keras.rewind import Snapshot
from lth_keras.ticket import Ticket


@destroys('weights')
def reinit(ticket: Ticket, context: Context) -> Ticket:
    """Random re-initialisation: the ticket's mask on freshly drawn weights.

    Every variable that starts at random is drawn again from the initialiser of its own layer, made
    anew with a seed derived from (replicate seed, round, draw, path); biases, normalisation
    parameters and moving statistics return to the constants that a model begins with. The mask
    stays bit-equal. Training starts at the ticket's own rewind step.

    Raises:
      ModelError: an initialiser that draws the same values again, or none to draw from.

    Source: Frankle & Carbin 2019, section 2. Differs from Deconstructing Lottery Tickets' code,
    which shuffles the layer's own initial values.
    """
    seed = seeds.derive(context.seed, 'reinit', context.round, context.draw)
    drawn = initial.redrawn(context.model, seed, 'reinit')
    initial.check_differs(ticket.snapshot.weights, drawn, list(ticket.mask))
    rest = initial.initial_weights(context.build, seed) if context.build else {}
    weights = {**ticket.snapshot.weights, **rest, **drawn}
    return remade(ticket, snapshot=Snapshot(ticket.snapshot.step, weights))
