"""The dry run: what will be trained, how long it takes, what is already there."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from lth_keras import pacing, rounds, runs, strategies, watching
from lth_keras.artefact import Artefact
from lth_keras.experiment import Experiment, replicates_of, seeds_of
from lth_keras.laboratory import Laboratory
from lth_keras.procedures import PROCEDURES
from lth_keras.progress import span
from lth_keras.records import recorded
from lth_keras.stages import TICKET
from lth_keras.store import Store, stage_key

Training = tuple[int, int, str, int]


def trainings(lab: Laboratory) -> list[Training]:
    """(replicate, round, variant, draw) of every training of the search, in order.

    With a rule that stops early there may be fewer.
    """
    experiment, found = lab.experiment, []
    continued = PROCEDURES.get(experiment.procedure).continued and not experiment.transfers
    for replicate in replicates_of(experiment):
        found.append((replicate, 0, TICKET, 0))
        for plan in lab.plans:
            found.append((replicate, plan.round, TICKET, 0))
            if continued:
                found.append((replicate, plan.round, rounds.CONTINUED, 0))
            if lab.has_controls(plan.round):
                found += [
                    (replicate, plan.round, name, draw)
                    for name in experiment.controls
                    for draw in range(experiment.control_draws)
                ]
    return found


def count(lab: Laboratory) -> int:
    """Number of trainings of the whole search, those for the tickets of a transfer included."""
    elsewhere = count(lab.source) if lab.experiment.transfers else 0
    return elsewhere + len(trainings(lab))


def steps(lab: Laboratory) -> int:
    """Optimizer steps of the whole search, that for the tickets of a transfer included."""
    elsewhere = steps(lab.source) if lab.experiment.transfers else 0
    return elsewhere + _steps(lab, trainings(lab))


def _steps(lab: Laboratory, some: Iterable[Training]) -> int:
    """Steps of some trainings: round 0 starts at 0, the others at the rewind step."""
    total, k = lab.experiment.training_steps, lab.experiment.rewind_step
    return sum(total - (k if number else 0) for _, number, *_ in some)


class _Reader(Store):
    """The store as it is: a stage that is not there is an error instead of work."""

    def get_or(
        self, kind: str, inputs: Mapping[str, Any], make: Callable[[], Artefact]
    ) -> Artefact:
        stage = self.find(kind, stage_key(kind, inputs))
        if stage is None:
            raise _MissingError
        return stage


class _MissingError(Exception):
    pass


def there(lab: Laboratory, run: Path) -> tuple[set[Training], set[Training]]:
    """The trainings that are there already, and those that a stop rule leaves out.

    There: recorded by this run, or in the store from another.

    Keys depend on the results of earlier rounds, so each replicate is followed as far as it goes.
    """
    store = _Reader(lab.experiment.workdir)
    rows = recorded(run, store).values()
    found, finished = {_training(row) for row in rows}, set()
    numbers = zip(replicates_of(lab.experiment), seeds_of(lab.experiment), strict=True)
    for replicate, seed in numbers:
        try:
            for done in rounds.rounds(lab, store, watching.NOBODY, replicate, seed):
                found.add(_training(done.row))
        except _MissingError:
            continue
        finished.add(replicate)
    wanted = set(trainings(lab))
    return found & wanted, {t for t in wanted if t[0] in finished} - found


def _training(row: Mapping[str, Any]) -> Training:
    return row['replicate'], row['round'], row['variant'], row['draw']


def probe(lab: Laboratory) -> float:
    """Seconds per step of this network here, evaluation included, after compiling."""
    seed = seeds_of(lab.experiment)[0]
    return pacing.pace(lab.trainer, lab.initial(seed), lab.dense, seed, lab.experiment.eval_every)


def describe(experiment: Experiment, lab: Laboratory | None = None) -> str:
    """The plan as text; writes nothing."""
    lab = lab or Laboratory(experiment)
    experiment = lab.experiment
    workdir = Path(experiment.workdir)
    runs.check_run(workdir, lab.name, lab.fingerprint, lab.identity, bool(experiment.label))
    run = workdir / f'{lab.name}-{lab.fingerprint}'
    all_of_them = trainings(lab)
    kept, unwanted = there(lab, run)
    left = _steps(lab, set(all_of_them) - kept - unwanted)
    source, elsewhere = _source(lab)
    stops = '' if experiment.stop_rule == 'never' else f', or fewer ({experiment.stop_rule})'
    lines = [
        'plan (dry run, nothing is written)',
        lab.data.summary(),
        lab.policy.report(lab.model),
        f'{"round":>5}  {"prunes":>6}  {"weights":>12}  {"density":>8}  controls',
        f'{0:>5}  {"-":>6}  {lab.dense.size:>12,}  {1:>8.4f}  -',
    ]
    for plan in lab.plans:
        controls = ', '.join(experiment.controls) if lab.has_controls(plan.round) else '-'
        lines.append(
            f'{plan.round:>5}  {plan.source:>6}  {plan.kept:>12,}  {plan.density:>8.4f}  {controls}'
        )
    lines += [
        *source,
        f'{experiment.replicates} replicates, {len(all_of_them)} trainings of '
        f'{experiment.training_steps:,} steps (rounds above 0 from step '
        f'{experiment.rewind_step:,}), '
        f'{lab.engine} engine{stops}',
        f'results: {run}',
        f'already there: {len(kept)} of {len(all_of_them)} trainings',
        f'to do: {_to_do(lab, left + elsewhere)}',
    ]
    return '\n'.join(lines)


def _source(lab: Laboratory) -> tuple[list[str], int]:
    """Lines on the search for the tickets that are transferred, and its steps to do."""
    if not lab.experiment.transfers:
        return [], 0
    source = lab.source
    wanted = trainings(source)
    kept, unwanted = there(
        source, Path(lab.experiment.workdir) / f'{source.name}-{source.fingerprint}'
    )
    lines = [
        f'tickets from {source.data.summary()}',
        f'  {len(wanted)} trainings there, already there: {len(kept)}',
    ]
    return lines, _steps(source, set(wanted) - kept - unwanted)


def _to_do(lab: Laboratory, left: int) -> str:
    if not left:
        return 'nothing but the report'
    if isinstance(lab.strategy, strategies.Planned):
        return f'{left:,} steps; the pace of several workers is not measured here'
    seconds = probe(lab)
    return f'{left:,} steps, about {span(left * seconds)} at {1 / seconds:,.0f} steps/s here'
