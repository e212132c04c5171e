"""What a control is given."""

import dataclasses
from collections.abc import Callable

from lth_keras._compat import Model


@dataclasses.dataclass(frozen=True)
class Context:
    """The model of the experiment (read only) and what the control's draws derive from.

    The model was never trained. `seed` is the replicate's, `round` that of the ticket, `draw`
    counts repeated draws. `build` makes the model anew, for variables whose layers do not say how
    they start.
    """

    model: Model
    seed: int
    round: int
    draw: int = 0
    build: Callable[[], Model] | None = None
