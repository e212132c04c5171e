"""The stages of one replicate: each training and each pruning, kept in the store."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lth_keras import allocation, criteria, curve, digests, keys, watching
from lth_keras.artefact import Artefact
from lth_keras.laboratory import Laboratory
from lth_keras.mask import Mask
from lth_keras.procedures import PARTS
from lth_keras.rewind import Snapshot
from lth_keras.schedules import RoundPlan
from lth_keras.store import Store, stage_key
from lth_keras.ticket import Ticket
from lth_keras.training import REWOUND, Shift, Trained

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


@dataclasses.dataclass(frozen=True, eq=False)
class Stages:
    """Trains and prunes for one replicate, or takes what was done from the store.

    Args:
      lab: the experiment.
      store: where stages are kept.
      watcher: is told of every training.
      replicate: its number.
      seed: its seed.
      where: the data set, if it is another than the search's own; watchers are told.
    """

    lab: Laboratory
    store: Store
    watcher: watching.Watcher
    replicate: int
    seed: int
    where: str = ''

    def ticket(self, mask: Mask, snapshot: Snapshot, plan: RoundPlan, **origin: Any) -> Ticket:
        """A ticket of this replicate, with where it comes from; `origin` says more about that."""
        provenance = {
            **self.lab.identity,
            'fingerprint': self.lab.fingerprint,
            'replicate': self.replicate,
            'seed': self.seed,
            'round': plan.round,
            **({'normalised': self.lab.data.normalised} if self.lab.data.normalised else {}),
            **origin,
        }
        return Ticket(mask, snapshot, digests.plain(provenance), self.lab.architecture)

    def prune(
        self,
        source: Round,
        initial: Mapping[str, np.ndarray],
        plan: RoundPlan,
    ) -> Mask:
        """The mask of a round, from the weights at the end of the training that it prunes."""
        before = source.ticket.mask

        def make() -> Artefact:
            evidence = criteria.Evidence(
                {path: initial[path] for path in before},
                {path: source.ticket.snapshot.weights[path] for path in before},
                {path: source.ticket.final[path] for path in before},
            )
            criterion = self.lab.policy.criterion
            evidence.require(criteria.needs_of(criterion), criterion.__name__)
            after = allocation.remove(criterion(evidence), before, plan.pools)
            return Artefact(PRUNE, {'survivors': after.survivors}, {'mask': dict(after)})

        inputs = keys.pruning_inputs(self.lab, plan, before, source.stage)
        stage = self.store.get_or(PRUNE, inputs, make)
        return Mask({path: stage.arrays['mask'][path] for path in before})

    def train(
        self,
        ticket: Ticket,
        plan: RoundPlan,
        variant: str = TICKET,
        draw: int = 0,
        snapshot_at: int | None = None,
        shift: Shift = REWOUND,
        rewound: Sequence[str] = PARTS,
    ) -> Round:
        """Trains a ticket or control from its rewind step to the end of training.

        Args:
          ticket: mask and start.
          plan: of the round.
          variant: 'ticket', or the name of what stands beside it.
          draw: which of several draws of a control.
          snapshot_at: the step whose state is kept.
          shift: where training goes on in what is not rewound.
          rewound: what is, for the record.
        """
        lab, begin, start = self._lab_of(ticket), ticket.snapshot.step, ticket.start()
        inputs = keys.training_inputs(lab, start, ticket.mask, self.seed, begin, snapshot_at, shift)
        stop, watcher = lab.experiment.training_steps, self.watcher
        place = self.replicate, plan.round, variant, draw
        training = watching.Training(*place, begin, stop, self.where)

        def make() -> Artefact:
            watcher.started(training)
            trained = lab.trainer.train(
                *(start, ticket.mask, self.seed, stop, begin, lab.experiment.eval_every),
                *(snapshot_at, functools.partial(watcher.evaluated, training), shift),
                test_curve=lab.experiment.test_curve,
            )
            watcher.trained(training, lab.trainer.seconds)
            return _artefact(trained)

        key = stage_key(TRAIN, inputs)
        kept = self.store.has(TRAIN, key)
        stage = self.store.get_or(TRAIN, inputs, make)
        if 'snapshot' in stage.arrays:
            state = {path: stage.arrays['snapshot'][path] for path in start}
            ticket = dataclasses.replace(ticket, snapshot=Snapshot(snapshot_at, state))
        key = f'{TRAIN}-{key}'
        row = {
            'replicate': self.replicate,
            'seed': self.seed,
            'round': plan.round,
            'variant': variant,
            'draw': draw,
            **_densities(ticket.mask, lab, self.lab),
            **_results(stage.meta),
            'training_steps': stop,
            'rewind_step': lab.experiment.rewind_step,
            'rewound': '+'.join(rewound),
            'eval_every': lab.experiment.eval_every,
            'stage': key,
        }
        ticket = dataclasses.replace(ticket, provenance={**ticket.provenance, 'result': row})
        ticket = with_weights(ticket, stage)
        watcher.done(training, watching.Result(row, ticket, stage.texts[curve.NAME], kept))
        return Round(self.replicate, plan.round, variant, ticket, key, row)

    def _lab_of(self, ticket: Ticket) -> Laboratory:
        """Where the ticket's network is trained: a control's may be a narrower one."""
        if ticket.architecture == self.lab.architecture:
            return self.lab
        return self.lab.sibling(ticket.provenance['width_factor'])


def with_weights(ticket: Ticket, stage: Artefact) -> Ticket:
    """The ticket with the trained weights of its stage."""
    names = list(ticket.snapshot.weights)
    early, final = (
        {path: stage.arrays[which][path] for path in names} for which in ('early_stop', 'final')
    )
    return dataclasses.replace(ticket, early_stop=early, final=final)


def _artefact(trained: Trained) -> Artefact:
    arrays = {'early_stop': trained.early_weights, 'final': trained.final_weights}
    if trained.snapshot is not None:
        arrays['snapshot'] = trained.snapshot
    meta = {
        'early_stop_step': trained.early_stop_step,
        'early_stop': dict(trained.early_stop),
        'final': dict(trained.final),
    }
    text = curve.to_text(trained.columns, trained.curve)
    return Artefact(TRAIN, meta, arrays, {curve.NAME: text})


def _densities(mask: Mask, lab: Laboratory, whole: Laboratory) -> dict[str, Any]:
    """What is left, as shares of the experiment's own dense network."""
    parameters = int(lab.model.count_params()) - (mask.size - mask.kept)
    return {
        'density': mask.kept / whole.dense.size,
        'model_density': parameters / int(whole.model.count_params()),
        'layers': {
            path: {'kept': kept, 'size': mask.sizes[path]} for path, kept in mask.survivors.items()
        },
    }


def _results(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The measurements of one training, as tables, plots and the verdict read them."""
    return {
        'early_stop_step': meta['early_stop_step'],
        **meta['early_stop'],
        **{f'final_{name}': value for name, value in meta['final'].items()},
    }
