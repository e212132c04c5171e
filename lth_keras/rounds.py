"""The loop: train, prune, rewind; every stage kept in the store, controls beside the ticket."""

from collections.abc import Iterator, Sequence

from lth_keras import transfer
from lth_keras.controls import CONTROLS, Context
from lth_keras.experiment import replicates_of, seeds_of
from lth_keras.laboratory import Laboratory
from lth_keras.mask import Mask
from lth_keras.procedures import PARTS, PROCEDURES, rewound
from lth_keras.rewind import Snapshot
from lth_keras.schedules import RoundPlan
from lth_keras.stages import TICKET, Round, Stages
from lth_keras.stopping import STOP_RULES
from lth_keras.store import Store
from lth_keras.ticket import Ticket
from lth_keras.training import REWOUND, Shift
from lth_keras.watching import NOBODY, Watcher

# The network that trains on and is pruned, beside the tickets of the procedure `continued`.
CONTINUED = 'continued'


def search(lab: Laboratory, store: Store, watcher: Watcher = NOBODY) -> Iterator[Round]:
    """All rounds of all replicates, controls included, in order; finished stages are skipped."""
    experiment = lab.experiment
    for replicate, seed in zip(replicates_of(experiment), seeds_of(experiment), strict=True):
        yield from rounds(lab, store, watcher, replicate, seed)


def rounds(
    lab: Laboratory,
    store: Store,
    watcher: Watcher,
    replicate: int,
    seed: int,
    where: str = '',
) -> Iterator[Round]:
    """The rounds of one replicate (Frankle & Carbin 2019, section 2).

    1. Initialise and train the dense network; keep the state of step k.
    2. Prune the survivors with the lowest scores.
    3. Return the others to step k, train again. Repeat from 2.

    With a transfer, 1 to 3 happen on other data, and every ticket is trained on this one.
    """
    stages = Stages(lab, store, watcher, replicate, seed, where)
    k, initial = lab.experiment.rewind_step or None, lab.initial(seed)
    plan0 = RoundPlan(0, 0, (), lab.dense.kept, lab.dense.size)
    dense = stages.ticket(lab.dense, Snapshot(0, initial), plan0)
    kept = None if lab.experiment.transfers else k
    done = {0: stages.train(dense, plan0, snapshot_at=kept)}
    yield done[0]
    if lab.experiment.transfers:
        yield from transferred(stages)
        return
    snapshot, parts = done[0].ticket.snapshot, rewound(lab.experiment)
    for plan in lab.plans:
        source = done[plan.source]
        mask = stages.prune(source, initial, plan)
        ticket, shift = ticket_after(stages, mask, snapshot, source, plan, parts)
        results = trained(stages, ticket, plan, shift, parts)
        done[plan.round] = next(results)
        yield done[plan.round]
        stops = _stops(lab, done[plan.round], done[0])
        if PROCEDURES.get(lab.experiment.procedure).continued:
            ticket, shift = ticket_after(stages, mask, snapshot, source, plan, ())
            done[plan.round] = stages.train(ticket, plan, CONTINUED, shift=shift, rewound=())
            yield done[plan.round]
        yield from results
        if stops:
            return
        for old in set(done) - {0, plan.round}:
            del done[old]  # weights of rounds that nobody prunes any more


def ticket_after(
    stages: Stages,
    mask: Mask,
    snapshot: Snapshot,
    source: Round,
    plan: RoundPlan,
    parts: Sequence[str],
) -> tuple[Ticket, Shift]:
    """The ticket of a round, and where its training goes on in what is not rewound.

    Args:
      stages: of the replicate.
      mask: of the round.
      snapshot: the state of step k.
      source: the training that was pruned.
      plan: of the round.
      parts: what returns to step k, of `PARTS`; the rest is as at the end of `source`.
    """
    lab, last = stages.lab, source.ticket.final
    weights = {}
    for path, value in snapshot.weights.items():
        part = 'statistics' if path in lab.statistics else 'weights'
        weights[path] = value if part in parts else last[path]
    ticket = stages.ticket(mask, Snapshot(snapshot.step, weights), plan)
    # Every training after the dense one takes the steps from k to the end once more.
    again = 1 if plan.source == 0 else plan.round
    gone = again * (lab.experiment.training_steps - snapshot.step)
    shift = Shift(
        order=0 if 'order' in parts else gone, schedule=0 if 'schedule' in parts else gone
    )
    return ticket, shift


def transferred(stages: Stages) -> Iterator[Round]:
    """Every ticket that the same search finds on other data, trained on this one."""
    lab, seed = stages.lab, stages.seed
    plans, where = {plan.round: plan for plan in lab.plans}, lab.source.data.name
    others = rounds(lab.source, stages.store, stages.watcher, stages.replicate, seed, where)
    for found in others:
        if found.round and found.variant == TICKET:
            plan = plans[found.round]
            moved = transfer.moved(found.ticket, lab, seed, plan.round)
            ticket = stages.ticket(moved.mask, moved.snapshot, plan, found=found.ticket.provenance)
            yield from trained(stages, ticket, plan)


def trained(
    stages: Stages,
    ticket: Ticket,
    plan: RoundPlan,
    shift: Shift = REWOUND,
    parts: Sequence[str] = PARTS,
) -> Iterator[Round]:
    """The trained ticket of a round, then its controls, trained in the same way."""
    lab = stages.lab
    yield stages.train(ticket, plan, shift=shift, rewound=parts)
    for name in lab.experiment.controls if lab.has_controls(plan.round) else ():
        for draw in range(lab.experiment.control_draws):
            control = CONTROLS.get(name)(ticket, _context(stages, plan, draw))
            yield stages.train(control, plan, name, draw, shift=shift, rewound=parts)


def _context(stages: Stages, plan: RoundPlan, draw: int) -> Context:
    lab = stages.lab
    return Context(
        lab.model, stages.seed, plan.round, draw, build=lab.build_model, resized=lab.resized
    )


def _stops(lab: Laboratory, ticket: Round, dense: Round) -> bool:
    """Whether the replicate ends here, by its rule on validation data."""
    rule, experiment = STOP_RULES.get(lab.experiment.stop_rule), lab.experiment
    return rule(ticket.row, dense.row, experiment.stop_floor, experiment.margin)
