"""The dry run: what will be trained, how long it takes, what is already there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lth_keras import rounds, runs, strategies
from lth_keras.artefact import Artefact
from lth_keras.experiment import Experiment, seeds_of
from lth_keras.laboratory import Laboratory
from lth_keras.progress import Progress
from lth_keras.records import recorded
from lth_keras.store import Store, stage_key


def trainings(lab: Laboratory) -> list[tuple[int, int, str]]:
    """(replicate, round, variant) of every training of the search, in order."""
    found = []
    for replicate in range(lab.experiment.replicates):
        found.append((replicate, 0, 'ticket'))
        for plan in lab.plans:
            found.append((replicate, plan.round, 'ticket'))
            if lab.has_controls(plan.round):
                found += [(replicate, plan.round, name) for name in lab.experiment.controls]
    return found


def steps(lab: Laboratory) -> int:
    """Optimizer steps of the whole search: round 0 starts at 0, the others at the rewind step."""
    total, k = lab.experiment.training_steps, lab.experiment.rewind_step
    return sum(total - (k if number else 0) for _, number, _ in trainings(lab))


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


def there(lab: Laboratory, run: Path) -> set[tuple[int, int, str]]:
    """The trainings that need not be done: recorded by this run, or in the store from another.

    Keys depend on the results of earlier rounds, so each replicate is followed as far as it goes.
    """
    store = _Reader(lab.experiment.workdir)
    rows = recorded(run, store).values()
    found = {(row['replicate'], row['round'], row['variant']) for row in rows}
    for replicate, seed in enumerate(seeds_of(lab.experiment)):
        try:
            for done in rounds.rounds(lab, store, Progress(0, quiet=True), replicate, seed):
                found.add((done.replicate, done.round, done.variant))
        except _MissingError:
            continue
    return found & set(trainings(lab))


def probe(lab: Laboratory) -> float:
    """Seconds per step of this network here, evaluation included, after compiling."""
    seed = seeds_of(lab.experiment)[0]
    return lab.trainer.pace(lab.initial(seed), lab.dense, seed, lab.experiment.eval_every)


def describe(experiment: Experiment, lab: Laboratory | None = None) -> str:
    """The plan as text; writes nothing."""
    lab = lab or Laboratory(experiment)
    workdir = Path(experiment.workdir)
    runs.check_run(workdir, lab.name, lab.fingerprint, lab.identity, bool(experiment.label))
    run = workdir / f'{lab.name}-{lab.fingerprint}'
    all_of_them = trainings(lab)
    kept = there(lab, run)
    k = experiment.rewind_step
    left = sum(
        experiment.training_steps - (k if number else 0)
        for replicate, number, variant in all_of_them
        if (replicate, number, variant) not in kept
    )
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
        f'{experiment.replicates} replicates, {len(all_of_them)} trainings of '
        f'{experiment.training_steps:,} steps (rounds above 0 from step {k:,}), '
        f'{lab.engine} engine',
        f'results: {run}',
        f'already there: {len(kept)} of {len(all_of_them)} trainings',
        f'to do: {_to_do(lab, left)}',
    ]
    return '\n'.join(lines)


def _to_do(lab: Laboratory, left: int) -> str:
    if not left:
        return 'nothing but the report'
    if isinstance(lab.strategy, strategies.Planned):
        return f'{left:,} steps; the pace of several workers is not measured here'
    seconds = probe(lab)
    return f'{left:,} steps, about {_span(left * seconds)} at {1 / seconds:,.0f} steps/s here'


def _span(seconds: float) -> str:
    if seconds < 120:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 7200 else f'{seconds / 3600:.1f} h'
