"""What decides the bits of a stage: the inputs that name it in the store."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from lth_keras import allocation, behaviour, digests, session, strategies, training
from lth_keras.mask import Mask
from lth_keras.schedules import RoundPlan
from lth_keras.training import REWOUND, Shift


def digests_of(lab: Any) -> dict[str, str]:
    """Digests of a laboratory's data, network and initial weights."""
    return {
        'data': lab.data.digest,
        'model': digests.digest(lab.architecture),
        'behaviour': behaviour.digest(lab.model, lab.initial(0), lab.data.train[0][:8]),
        'initial_weights': digests.digest(lab.initial(lab.experiment.seed)),
    }


def machine(lab: Any) -> dict[str, Any]:
    """What of this process and machine decides bits."""
    name, replicas = lab.experiment.strategy, lab.strategy.num_replicas_in_sync
    return {
        'replicas': replicas,
        **({'strategy': name, 'workers': strategies.role(name).count} if replicas > 1 else {}),
        'threads': session.threads(),
        'device': session.device(),
        'xla_flags': os.environ.get('XLA_FLAGS', ''),
        'versions': session.versions(),
    }


def training_inputs(
    lab: Any,
    start: Mapping[str, np.ndarray],
    mask: Mask,
    seed: int,
    begin: int,
    snapshot_at: int | None,
    shift: Shift = REWOUND,
) -> dict[str, Any]:
    """All that decides the bits of one training, and nothing else.

    Settings that came later enter only where they differ from what was done before, so that the
    stages of older stores are found again.
    """
    experiment, identity = lab.experiment, lab.identity
    return {
        'revision': training.REVISION,
        'model': identity['digests']['model'],
        'behaviour': identity['digests']['behaviour'],
        'data': identity['digests']['data'],
        'optimizer': {
            'name': experiment.optimizer,
            'learning_rate': experiment.learning_rate,
            **_optimizer(experiment),
        },
        'batch_size': experiment.batch_size,
        'drop_remainder': experiment.drop_remainder,
        'augmentation': experiment.augmentation,
        'precision': experiment.precision,
        'seed': seed,
        'begin': begin,
        'stop': experiment.training_steps,
        'eval_every': experiment.eval_every,
        'snapshot_at': snapshot_at,
        'mask': digests.digest(dict(mask)),
        'start': digests.digest(dict(start)),
        'engine': identity['engine'],
        **({} if shift == REWOUND else {'shift': [shift.order, shift.schedule]}),
        **({'test_curve': True} if experiment.test_curve else {}),
        **machine(lab),
    }


def _optimizer(experiment: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if experiment.learning_rate_schedule != 'constant' or experiment.warmup_steps:
        found['schedule'] = experiment.learning_rate_schedule
        found['warmup'] = experiment.warmup_steps
    if experiment.learning_rate_boundaries:
        found['boundaries'] = list(experiment.learning_rate_boundaries)
        found['decay'] = experiment.learning_rate_decay
    for name in ('momentum', 'weight_decay'):
        if getattr(experiment, name) is not None:
            found[name] = getattr(experiment, name)
    return found


def pruning_inputs(lab: Any, plan: RoundPlan, mask: Mask, source: str) -> dict[str, Any]:
    """All that decides the bits of one pruning: the training it looks at, and the counts."""
    return {
        'revision': allocation.REVISION,
        'criterion': lab.experiment.criterion,
        'pools': [[list(pool.paths), pool.count] for pool in plan.pools],
        'mask': digests.digest(dict(mask)),
        'training': source,
    }
