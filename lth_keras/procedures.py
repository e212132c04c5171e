"""What happens between rounds: which round prunes what, and what returns to the rewind step."""

from collections.abc import Callable
from typing import Any

from lth_keras.registry import Registry
from lth_keras.schedules import Counting, RoundPlan, iterative, one_shot, one_shot_to, rounds_to

# What a rewind can cover: kernels, biases and normalisation parameters; moving statistics; the
# position in the learning-rate schedule; the position in the data order and the random draws.
PARTS = ('weights', 'statistics', 'schedule', 'order')

Procedure = Callable[[Counting, int, float | None], list[RoundPlan]]


def rewinding(*parts: str, free: bool = False, continued: bool = False) -> Callable[[Any], Any]:
    """Declares what a procedure rewinds before a ticket is trained.

    Args:
      *parts: of `PARTS`; the others stay as they were at the end of the training before.
      free: whether --rewound may name other parts.
      continued: whether rounds prune a network that is trained on and never rewound, beside which
        the ticket of each round is trained.
    """

    def declared(function: Any) -> Any:
        function.rewinds, function.free, function.continued = parts, free, continued
        return function

    return declared


def _iterative(counting: Counting, rounds: int, target: float | None) -> list[RoundPlan]:
    return iterative(counting, rounds if target is None else rounds_to(counting, target))


@rewinding(*PARTS, free=True)
def resetting(counting: Counting, rounds: int, target: float | None) -> list[RoundPlan]:
    """Every round prunes the last one's network and returns to the rewind point (strategy 1).

    Source: Frankle & Carbin 2019, section 2 and appendix B.
    """
    return _iterative(counting, rounds, target)


@rewinding(*PARTS, continued=True)
def continued(counting: Counting, rounds: int, target: float | None) -> list[RoundPlan]:
    """Every round prunes a network that trains on, and only its ticket is reset (strategy 2).

    The network that trains on is recorded beside the ticket as `continued`: its survivors keep
    their weights, the learning rate stays at its last value, the data order goes on. Its optimizer
    starts fresh each round (zero slots, its own counter at 0).

    Source: Frankle & Carbin 2019, appendix B. There one reset at the end is trained; here that of
    every round, so that all densities can be compared.
    """
    return _iterative(counting, rounds, target)


@rewinding(*PARTS, free=True)
def one_shot_procedure(counting: Counting, rounds: int, target: float | None) -> list[RoundPlan]:
    """Every round prunes the dense network at once and returns to the rewind point.

    Source: Frankle & Carbin 2019, section 2, one-shot pruning.
    """
    return one_shot(counting, rounds) if target is None else one_shot_to(counting, target)


one_shot_procedure.name = 'one_shot'


@rewinding()
def fine_tune(counting: Counting, rounds: int, target: float | None) -> list[RoundPlan]:
    """Every round prunes the last one's network and trains on from there: nothing is rewound.

    For as many steps as a rewound training takes, with the last value of the learning rate. The
    optimizer starts fresh all the same: zero slots, its own counter at 0.

    Source: Renda, Frankle & Carbin 2020 (fine-tuning); the usual practice since Han et al. 2015.
    """
    return _iterative(counting, rounds, target)


@rewinding('schedule', 'order')
def lr_rewind(counting: Counting, rounds: int, target: float | None) -> list[RoundPlan]:
    """Every round prunes the last one's network, keeps its weights and repeats the schedule.

    The learning rate and the data order return to the rewind step, the weights do not.

    Source: Renda, Frankle & Carbin 2020 (learning-rate rewinding).
    """
    return _iterative(counting, rounds, target)


PROCEDURES = Registry('procedure', [resetting, continued, one_shot_procedure, fine_tune, lr_rewind])


def rewound(experiment: Any) -> tuple[str, ...]:
    """What returns to the rewind step before a ticket is trained, in the order of `PARTS`."""
    procedure = PROCEDURES.get(experiment.procedure)
    chosen = experiment.rewound if procedure.free else procedure.rewinds
    return tuple(part for part in PARTS if part in chosen)
