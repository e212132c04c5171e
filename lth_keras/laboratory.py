"""All that a search works with, built once: data, network, policy, plan, trainer, digests."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lth_keras import (
    allocation,
    architecture,
    behaviour,
    data,
    digests,
    engine,
    errors,
    initial,
    models,
    precisions,
    probing,
    schedules,
    session,
    strategies,
    training,
)
from lth_keras._compat import Model
from lth_keras.data import Data
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.experiment import Experiment, seeds_of
from lth_keras.mask import Mask
from lth_keras.optimizers import OPTIMIZERS
from lth_keras.pruning import PruningPolicy
from lth_keras.pruning.wrapping import built


class Laboratory:
    """What the rounds of one experiment share; everything is made at first use, once.

    Args:
      experiment: the configuration.
      build_model: the network's builder; the experiment's `model` if None.
      dataset: the data; the experiment's `dataset` if None.
    """

    def __init__(
        self,
        experiment: Experiment,
        build_model: Callable[[], Model] | None = None,
        dataset: Data | None = None,
    ):
        self.experiment = experiment
        self._given = build_model is not None or dataset is not None
        self.strategy = strategies.strategy(experiment.strategy, experiment.dry_run)
        source = experiment.dataset, experiment.data_dir, experiment.download
        self.data = dataset or data.load(*source, experiment.split_seed)
        self.build_model = build_model or models.builder(
            experiment.model, self.data.input_shape, self.data.classes
        )
        rates = ('rate', 'conv_rate', 'output_rate', 'shortcut_rate')
        others = ('scope', 'include', 'exclude', 'criterion', 'rounding')
        self.policy = PruningPolicy(**{k: getattr(experiment, k) for k in rates + others})
        if experiment.replicates > 1:
            initial.check_replicates(self.build_model, *seeds_of(experiment)[:2])

    @functools.cached_property
    def model(self) -> Model:
        """A plain model of the network, to look at; its weights mean nothing."""
        model = built(self.build_model)
        outputs = model.output_shape
        if not isinstance(outputs, tuple) or outputs[1:] != (self.data.classes,):
            raise errors.ModelError(
                f'expected one output of {self.data.classes} classes, received output shape '
                f'{outputs}; the data set has {self.data.classes} classes'
            )
        if tuple(model.input_shape[1:]) != tuple(self.data.input_shape):
            raise errors.ModelError(
                f'expected a model for inputs of shape {self.data.input_shape}, received one for '
                f'{tuple(model.input_shape[1:])}'
            )
        return model

    @functools.cached_property
    def architecture(self) -> str:
        """The network as JSON, the same in every process."""
        return architecture.to_json(self.model)

    @functools.cached_property
    def counting(self) -> schedules.Counting:
        """Sizes and rates of the kernels that are pruned."""
        return self.policy.counting(self.model)

    @functools.cached_property
    def plans(self) -> list[schedules.RoundPlan]:
        """Which round prunes what; round 0 is the dense network and not in the list."""
        experiment = self.experiment
        if not self.counting.sizes:
            raise errors.ModelError(
                'the model has no kernel that the policy may prune:\n'
                + self.policy.report(self.model)
            )
        procedure = schedules.PROCEDURES.get(experiment.procedure)
        plans = procedure(self.counting, experiment.rounds, experiment.target_density)
        known = {plan.round for plan in plans}
        for number in experiment.control_rounds:
            if number not in known:
                raise errors.ConfigError(
                    f'control_rounds: expected rounds among 1 to {len(plans)}, received {number}'
                )
        for text in experiment.export:
            if text.isdecimal() and int(text) not in {0, *known}:
                raise errors.ConfigError(
                    f'export: expected rounds among 0 to {len(plans)}, received {text}'
                )
        return plans

    def has_controls(self, number: int) -> bool:
        """Whether controls are trained beside the ticket of this round."""
        chosen = self.experiment.control_rounds
        return number > 0 and bool(self.experiment.controls) and (not chosen or number in chosen)

    @functools.cached_property
    def dense(self) -> Mask:
        """The mask of ones."""
        shapes = {c.path: c.shape for c in self.policy.choices(self.model) if c.pruned}
        return Mask.ones(shapes)

    @functools.cached_property
    def engine(self) -> str:
        """The path that trains: part of the result, since its bits differ.

        With 'probe' both are measured once, and what was found is kept in the store: every run of
        this workdir that trains the same network the same way here reuses it.
        """
        chosen = engine.choose(self.experiment.engine, self.model, self.strategy)
        return probing.probed(self) if chosen == 'probe' else chosen

    @functools.cached_property
    def trainer(self) -> training.Trainer:
        """Built and traced once for all rounds, replicates and controls."""
        return self.make_trainer(self.engine)

    def make_trainer(self, path: str) -> training.Trainer:
        """A new trainer on the given path of the engine."""
        experiment = self.experiment
        make = OPTIMIZERS.get(experiment.optimizer)
        augmentation = experiment.augmentation
        return training.Trainer(
            lambda: self.policy.wrap(precisions.built(self.build_model, experiment.precision)),
            lambda: make(experiment.learning_rate),
            self.data,
            experiment.batch_size,
            path,
            self.strategy,
            None if augmentation == 'none' else AUGMENTATIONS.get(augmentation),
            experiment.drop_remainder,
            experiment.precision,
        )

    def initial(self, seed: int) -> dict[str, np.ndarray]:
        """The initial weights of a replicate."""
        return initial.initial_weights(self.build_model, seed)

    @functools.cached_property
    def name(self) -> str:
        """The readable part of the run's directory."""
        own = self._given and not self.experiment.label
        return 'tickets' if own else self.experiment.name()

    @functools.cached_property
    def fingerprint(self) -> str:
        """The other part: of the configuration, and of model and data that it does not name."""
        named = self.experiment.fingerprint()
        if not self._given:
            return named
        content = {k: self.digests[k] for k in ('model', 'data')}
        return digests.digest({'configuration': named, **content})[:10]

    @functools.cached_property
    def digests(self) -> dict[str, str]:
        """Digests of data, network and initial weights."""
        return {
            'data': self.data.digest,
            'model': digests.digest(self.architecture),
            'behaviour': behaviour.digest(self.model, self.initial(0), self.data.train[0][:8]),
            'initial_weights': digests.digest(self.initial(self.experiment.seed)),
        }

    def machine(self) -> dict[str, Any]:
        """What of this process and machine decides bits."""
        name, replicas = self.experiment.strategy, self.strategy.num_replicas_in_sync
        return {
            'replicas': replicas,
            **({'strategy': name, 'workers': strategies.role(name).count} if replicas > 1 else {}),
            'threads': session.threads(),
            'device': session.device(),
            'xla_flags': os.environ.get('XLA_FLAGS', ''),
            'versions': session.versions(),
        }

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What must stay as it was for a run to go on: bits depend on it."""
        return {
            'configuration': self.experiment.configuration(),
            'digests': self.digests,
            'engine': self.engine,
            **self.machine(),
        }

    def training_inputs(
        self, start: Mapping[str, np.ndarray], mask: Mask, seed: int, begin: int, snapshot_at: Any
    ) -> dict[str, Any]:
        """All that decides the bits of one training, and nothing else: its key in the store."""
        experiment, identity = self.experiment, self.identity
        return {
            'revision': training.REVISION,
            'model': identity['digests']['model'],
            'behaviour': identity['digests']['behaviour'],
            'data': identity['digests']['data'],
            'optimizer': {
                'name': experiment.optimizer,
                'learning_rate': experiment.learning_rate,
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
            **self.machine(),
        }

    def pruning_inputs(self, plan: schedules.RoundPlan, mask: Mask, source: str) -> dict[str, Any]:
        """All that decides the bits of one pruning: the training it looks at, and the counts."""
        return {
            'revision': allocation.REVISION,
            'criterion': self.experiment.criterion,
            'pools': [[list(pool.paths), pool.count] for pool in plan.pools],
            'mask': digests.digest(dict(mask)),
            'training': source,
        }
