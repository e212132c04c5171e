"""Settings that contradict each other: what no single field can tell."""

from typing import Any

from lth_keras import optimizers, steps
from lth_keras.controls import CONTROLS
from lth_keras.errors import ConfigError
from lth_keras.procedures import PARTS, PROCEDURES, rewound


def check(experiment: Any) -> None:
    """Raises a ConfigError that names the first contradiction.

    Durations in different units are compared once the data set is known (`Experiment.resolved`).
    """
    for rule in (
        _durations,
        _learning_rate,
        _optimizer,
        _procedure,
        _stopping,
        _transfer,
        _noise,
        _export,
    ):
        rule(experiment)


def _durations(e: Any) -> None:
    if not e.training_steps or not e.eval_every:
        raise ConfigError('training_steps, eval_every: expected at least one step, received 0')
    if _reaches(e.rewind_step, e.training_steps):
        raise ConfigError(
            f'rewind_step: expected a step before the end of training '
            f'({e.training_steps}), received {e.rewind_step}'
        )
    if _exceeds(e.eval_every, e.training_steps):
        raise ConfigError(
            f'eval_every: expected at most training_steps ({e.training_steps}), received '
            f'{e.eval_every}; early stop chooses among the evaluations'
        )
    if _exceeds(e.warmup_steps, e.training_steps):
        raise ConfigError(
            f'warmup_steps: expected at most training_steps ({e.training_steps}), received '
            f'{e.warmup_steps}; the learning rate would never be reached'
        )


def _exceeds(one: steps.Duration, other: steps.Duration) -> bool:
    return steps.shorter(other, one) is True


def _reaches(one: steps.Duration, other: steps.Duration) -> bool:
    """Whether `one` is as long as `other` or longer."""
    return steps.shorter(one, other) is False


def _learning_rate(e: Any) -> None:
    boundaries = e.learning_rate_boundaries
    if (e.learning_rate_schedule == 'piecewise') != bool(boundaries):
        raise ConfigError(
            'learning_rate_boundaries: expected some with '
            '--learning_rate_schedule=piecewise and none without, received '
            f'{", ".join(map(str, boundaries)) or "none"} with {e.learning_rate_schedule}'
        )
    for before, after in zip(boundaries, boundaries[1:], strict=False):
        if _reaches(before, after):
            raise ConfigError(
                f'learning_rate_boundaries: expected rising steps, received {before} before {after}'
            )
    if boundaries and _reaches(boundaries[-1], e.training_steps):
        raise ConfigError(
            f'learning_rate_boundaries: expected steps before the end of training '
            f'({e.training_steps}), received {boundaries[-1]}: the schedule is longer than training'
        )


def _optimizer(e: Any) -> None:
    optimizers.check(e.optimizer, {'momentum': e.momentum})


def _procedure(e: Any) -> None:
    procedure = PROCEDURES.get(e.procedure)
    if not procedure.free and set(e.rewound) != set(procedure.rewinds) and e.rewound != PARTS:
        raise ConfigError(
            f'rewound: expected to be left out, since {e.procedure} rewinds '
            f'{", ".join(procedure.rewinds) or "nothing"}, received {", ".join(e.rewound)}'
        )
    goes_on = procedure.continued or 'schedule' not in rewound(e)
    if goes_on and e.learning_rate_schedule == 'cosine':
        raise ConfigError(
            f'learning_rate_schedule: expected one that ends above 0, since {e.procedure} trains '
            'on with its last value, received cosine; use piecewise or constant'
        )
    for name in e.controls if 'weights' not in rewound(e) else ():
        # Their weights of earlier rounds' pruned positions are gone: another mask would keep zeros.
        changes: frozenset[str] = getattr(CONTROLS.get(name), 'changes', frozenset())
        if 'mask' in changes and 'weights' not in changes:
            raise ConfigError(
                f'controls: expected a procedure that rewinds weights for {name}, received '
                f'{e.procedure}; leave {name} out'
            )
    if e.only_rounds and e.procedure != 'one_shot':
        raise ConfigError(
            f'only_rounds: expected --procedure=one_shot, received {e.procedure}, where every '
            'round needs the one before'
        )
    if e.only_rounds and e.target_density is not None:
        raise ConfigError(
            'only_rounds: expected to be left out beside target_density, which means one round'
        )
    missing = [number for number in e.only_rounds if number > e.rounds]
    if missing:
        raise ConfigError(
            f'only_rounds: expected rounds among 1 to {e.rounds}, received {missing[0]}; raise '
            '--rounds'
        )


def _stopping(e: Any) -> None:
    if (e.stop_rule == 'accuracy_floor') != bool(e.stop_floor):
        raise ConfigError(
            f'stop_floor: expected an accuracy above 0 with --stop_rule=accuracy_floor and none '
            f'without, received {e.stop_floor:g} with {e.stop_rule}'
        )


def _transfer(e: Any) -> None:
    if e.transfer_from == e.dataset:
        raise ConfigError(
            f'transfer_from: expected another data set than --dataset, received {e.dataset} for '
            'both; leave it out'
        )
    if e.transfers and rewound(e) != PARTS:
        raise ConfigError(
            'transfer_from: expected a procedure that rewinds weights and all else, received '
            f'{e.procedure}, which rewinds {", ".join(rewound(e)) or "nothing"}'
        )
    if e.transfers and e.stop_rule != 'never':
        raise ConfigError(
            'stop_rule: expected never beside transfer_from, since the tickets are found on other '
            f'data than they are judged on, received {e.stop_rule}'
        )
    if e.transfers and e.target_density is not None:
        raise ConfigError(
            'target_density: expected --rounds beside transfer_from, since a density can mean '
            f'other rounds on other data, received {e.target_density}'
        )


def _noise(e: Any) -> None:
    if e.label_noise_kind != type(e).label_noise_kind:
        if not e.label_noise:
            raise ConfigError(
                f'label_noise_kind: expected --label_noise beside it, received {e.label_noise_kind}'
            )


def _export(e: Any) -> None:
    for value in e.export:
        if value not in ('smallest_matching', 'none') and not value.isdecimal():
            raise ConfigError(
                f'export: expected round numbers, smallest_matching or none, received {value!r}'
            )
