"""What a control is given, what it declares, and what all of them do alike."""

import dataclasses
from collections.abc import Callable
from typing import Any

from lth_keras import errors
from lth_keras._compat import Model
from lth_keras.ticket import Ticket

INGREDIENTS = ('architecture', 'mask', 'weights')


@dataclasses.dataclass(frozen=True)
class Context:
    """The model of the experiment (read only) and what the control's draws derive from.

    The model was never trained. `seed` is the replicate's, `round` that of the ticket, `draw`
    counts repeated draws. `build` makes the model anew, for variables whose layers do not say how
    they start. `resized` is for networks that have a width: factor in (0, 1] -> builder of the
    network with so many times the units or channels in every layer, at least one; None if the
    network has no such option.
    """

    model: Model
    seed: int
    round: int
    draw: int = 0
    build: Callable[[], Model] | None = None
    resized: Callable[[float], Callable[[], Model]] | None = None


def destroys(*ingredients: str, every_round: bool = True) -> Callable:
    """Marks a function `(ticket, context) -> ticket` as a control that destroys such ingredients.

    `changes` is what it destroys, of 'architecture', 'mask' and 'weights'; all else of the ticket
    stays bit-equal. `every_round` is False if its draws do not depend on the round, so that the
    controls of later rounds belong to those of earlier ones.

    >>> @destroys('mask', every_round=False)
    ... def reversed_mask(ticket, context):
    ...     return ticket
    >>> sorted(reversed_mask.changes), reversed_mask.every_round
    (['mask'], False)
    """
    unknown = set(ingredients) - set(INGREDIENTS)
    if unknown or not ingredients:
        raise ValueError(f'expected ingredients among {INGREDIENTS}, received {ingredients}')

    def mark(function: Callable) -> Callable:
        function.changes = frozenset(ingredients)  # type: ignore[attr-defined]
        function.every_round = every_round  # type: ignore[attr-defined]
        return function

    return mark


def remade(ticket: Ticket, **changes: Any) -> Ticket:
    """The ticket with other fields, untrained: trained weights would be those of the ticket."""
    return dataclasses.replace(ticket, early_stop=None, final=None, **changes)


def check_pruned(ticket: Ticket, name: str) -> None:
    """Raises a MaskError if no kernel has kept and pruned weights: there is no other such mask."""
    mask = ticket.mask
    if not any(0 < kept < mask.sizes[path] for path, kept in mask.survivors.items()):
        raise errors.MaskError(
            f'{name}: expected a kernel of which some weights are kept and some pruned, received '
            f'a mask of {mask.kept:,} of {mask.size:,} weights, each kernel whole or empty; '
            'prune first: controls belong to the tickets of rounds 1 and later'
        )
