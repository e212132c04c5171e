"""The loop: train, prune, rewind; every stage kept in the store, controls beside the ticket."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lth_keras import allocation, criteria, digests
from lth_keras.artefact import Artefact
from lth_keras.controls import CONTROLS, Context
from lth_keras.experiment import seeds_of
from lth_keras.laboratory import Laboratory
from lth_keras.mask import Mask
from lth_keras.progress import Progress
from lth_keras.rewind import Snapshot
from lth_keras.schedules import RoundPlan
from lth_keras.store import Store, stage_key
from lth_keras.ticket import Ticket
from lth_keras.training import CURVE, Trained

TRAIN, PRUNE = 'train', 'prune'
TICKET = 'ticket'


@dataclasses.dataclass(frozen=True, eq=False)
class Round:
    """One trained network: the ticket of a round (round 0: the dense network), or a control."""

    replicate: int
    round: int
    variant: str
    ticket: Ticket
    stage: str
    row: dict[str, Any]


def search(lab: Laboratory, store: Store, progress: Progress) -> Iterator[Round]:
    """All rounds of all replicates, controls included, in order; finished stages are skipped."""
    for replicate, seed in enumerate(seeds_of(lab.experiment)):
        yield from rounds(lab, store, progress, replicate, seed)


def rounds(
    lab: Laboratory, store: Store, progress: Progress, replicate: int, seed: int
) -> Iterator[Round]:
    """The rounds of one replicate (Frankle & Carbin 2019, section 2).

    1. Initialise and train the dense network; keep the state of step k.
    2. Prune the survivors with the lowest scores.
    3. Return the others to step k, train again. Repeat from 2.
    """
    k, initial = lab.experiment.rewind_step or None, lab.initial(seed)
    plan0 = RoundPlan(0, 0, (), lab.dense.kept, lab.dense.size)
    dense = _ticket(lab, lab.dense, Snapshot(0, initial), replicate, plan0)
    done = {0: train(lab, store, progress, dense, replicate, seed, plan0, snapshot_at=k)}
    snapshot = done[0].ticket.snapshot
    yield done[0]
    for plan in lab.plans:
        mask = prune(lab, store, done[plan.source], snapshot, initial, plan)
        ticket = _ticket(lab, mask, snapshot, replicate, plan)
        done[plan.round] = train(lab, store, progress, ticket, replicate, seed, plan)
        yield done[plan.round]
        for name in lab.experiment.controls if lab.has_controls(plan.round) else ():
            context = Context(lab.model, seed, plan.round, build=lab.build_model)
            control = CONTROLS.get(name)(ticket, context)
            yield train(lab, store, progress, control, replicate, seed, plan, variant=name)
        for old in set(done) - {0, plan.round}:
            del done[old]  # weights of rounds that nobody prunes any more


def prune(
    lab: Laboratory,
    store: Store,
    source: Round,
    snapshot: Snapshot,
    initial: dict[str, np.ndarray],
    plan: RoundPlan,
) -> Mask:
    """The mask of a round, from the weights at the end of the round that it prunes."""
    before = source.ticket.mask

    def make() -> Artefact:
        evidence = criteria.Evidence(
            {path: initial[path] for path in before},
            {path: snapshot.weights[path] for path in before},
            {path: source.ticket.final[path] for path in before},
        )
        criterion = lab.policy.criterion
        evidence.require(criteria.needs_of(criterion), criterion.__name__)
        after = allocation.remove(criterion(evidence), before, plan.pools)
        return Artefact(PRUNE, {'survivors': after.survivors}, {'mask': dict(after)})

    stage = store.get_or(PRUNE, lab.pruning_inputs(plan, before, source.stage), make)
    return Mask({path: stage.arrays['mask'][path] for path in before})


def train(
    lab: Laboratory,
    store: Store,
    progress: Progress,
    ticket: Ticket,
    replicate: int,
    seed: int,
    plan: RoundPlan,
    variant: str = TICKET,
    snapshot_at: int | None = None,
) -> Round:
    """Trains a ticket or control, or takes it from the store."""
    begin, start = ticket.snapshot.step, ticket.start()
    inputs = lab.training_inputs(start, ticket.mask, seed, begin, snapshot_at)
    name = f'replicate {replicate} round {plan.round} {variant}'

    def make() -> Artefact:
        with progress.training(name, begin, lab.experiment.training_steps) as on_step:
            trained = lab.trainer.train(
                start,
                ticket.mask,
                seed,
                lab.experiment.training_steps,
                begin,
                lab.experiment.eval_every,
                snapshot_at,
                on_step,
            )
        progress.parts[name] = lab.trainer.seconds
        return _artefact(trained)

    key = stage_key(TRAIN, inputs)
    if store.has(TRAIN, key):
        progress.skip(name, begin, lab.experiment.training_steps)
    stage = store.get_or(TRAIN, inputs, make)
    if 'snapshot' in stage.arrays:
        kept = {path: stage.arrays['snapshot'][path] for path in start}
        ticket = dataclasses.replace(ticket, snapshot=Snapshot(snapshot_at, kept))
    key = f'{TRAIN}-{key}'
    row = _row(lab, ticket, replicate, plan, variant, key, stage.meta)
    ticket = dataclasses.replace(ticket, provenance={**ticket.provenance, 'result': row})
    return Round(replicate, plan.round, variant, with_weights(ticket, stage), key, row)


def with_weights(ticket: Ticket, stage: Artefact) -> Ticket:
    """The ticket with the trained weights of its stage."""
    names = list(ticket.snapshot.weights)
    early, final = (
        {path: stage.arrays[which][path] for path in names} for which in ('early_stop', 'final')
    )
    return dataclasses.replace(ticket, early_stop=early, final=final)


def _ticket(
    lab: Laboratory, mask: Mask, snapshot: Snapshot, replicate: int, plan: RoundPlan
) -> Ticket:
    provenance = {
        **lab.identity,
        'fingerprint': lab.fingerprint,
        'replicate': replicate,
        'seed': lab.experiment.seed + replicate,
        'round': plan.round,
    }
    return Ticket(mask, snapshot, digests.plain(provenance), lab.architecture)


def _artefact(trained: Trained) -> Artefact:
    arrays = {'early_stop': trained.early_weights, 'final': trained.final_weights}
    if trained.snapshot is not None:
        arrays['snapshot'] = trained.snapshot
    meta = {
        'early_stop_step': trained.early_stop_step,
        'early_stop': dict(trained.early_stop),
        'final': dict(trained.final),
    }
    lines = [','.join(CURVE)]
    for step, *values in trained.curve.tolist():
        lines.append(
            ','.join([str(int(step)), *('' if math.isnan(v) else repr(v) for v in values)])
        )
    return Artefact(TRAIN, meta, arrays, {'curve.csv': '\n'.join(lines) + '\n'})


def _row(
    lab: Laboratory,
    ticket: Ticket,
    replicate: int,
    plan: RoundPlan,
    variant: str,
    key: str,
    meta: Mapping[str, Any],
) -> dict[str, Any]:
    """The record of one training, as tables, plots and the verdict read it."""
    mask, final, early = ticket.mask, meta['final'], meta['early_stop']
    parameters = int(lab.model.count_params())
    return {
        'replicate': replicate,
        'seed': lab.experiment.seed + replicate,
        'round': plan.round,
        'variant': variant,
        'draw': 0,
        'density': mask.density,
        'model_density': (parameters - (mask.size - mask.kept)) / parameters,
        'layers': {
            path: {'kept': kept, 'size': mask.sizes[path]} for path, kept in mask.survivors.items()
        },
        'early_stop_step': meta['early_stop_step'],
        **early,
        **{f'final_{name}': value for name, value in final.items()},
        'training_steps': lab.experiment.training_steps,
        'rewind_step': lab.experiment.rewind_step,
        'eval_every': lab.experiment.eval_every,
        'stage': key,
    }
