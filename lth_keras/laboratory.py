"""All that a search works with, built once: data, network, policy, plan, trainer, digests."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from lth_keras import (
    architecture,
    digests,
    engine,
    errors,
    graph,
    initial,
    keys,
    making,
    precisions,
    probing,
    procedures,
    schedules,
    strategies,
    training,
    transfer,
)
from lth_keras._compat import Model
from lth_keras.controls import CONTROLS
from lth_keras.data import Data
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.experiment import Experiment, seeds_of
from lth_keras.mask import Mask
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
        self._given = build_model is not None or dataset is not None
        self.strategy = strategies.strategy(experiment.strategy, experiment.dry_run)
        self.data = making.changed(dataset or making.loaded(experiment), experiment)
        self._unresolved = experiment  # an epoch of other data has other steps
        self.experiment = experiment = experiment.resolved(making.per_epoch(experiment, self.data))
        self._build_model = build_model
        self._sibling: tuple[float, Laboratory] | None = None
        self.build_model = build_model or making.builder(experiment, self.data)
        rates = ('rate', 'conv_rate', 'output_rate', 'shortcut_rate')
        others = ('scope', 'include', 'exclude', 'criterion', 'rounding')
        self.policy = PruningPolicy(**{k: getattr(experiment, k) for k in rates + others})
        if experiment.replicates > 1:
            initial.check_replicates(self.build_model, *seeds_of(experiment)[:2])

    def resized(self, factor: float) -> Callable[[], Model]:
        """A builder of the network with its width multiplied by `factor`.

        Raises:
          ConfigError: a network that has no such option, or that was given as a function.
        """
        if self._build_model is not None:
            raise errors.ConfigError(
                'expected a network by name, of which narrower ones can be built, received a '
                'function; leave out the control small_dense'
            )
        return making.builder(self.experiment, self.data, factor)

    def sibling(self, factor: float) -> 'Laboratory':
        """The laboratory of the same search with another width of the network; the last is kept."""
        if self._sibling is None or self._sibling[0] != factor:
            self._sibling = None  # its trainer goes before another one is made
            width = self.experiment.width * factor
            changes: dict[str, Any] = {'width': width, 'engine': self.engine, 'replicates': 1}
            made = dataclasses.replace(self.experiment, **changes)
            self._sibling = factor, Laboratory(made, dataset=self.data)
        return self._sibling[1]

    @functools.cached_property
    def source(self) -> 'Laboratory':
        """The laboratory that finds the tickets which this one trains on other data."""
        changes: dict[str, Any] = {
            'dataset': self.experiment.transfer_from,
            'transfer_from': 'none',
        }
        made = dataclasses.replace(self._unresolved, **changes, controls=(), control_rounds=())
        return Laboratory(made, self._build_model)

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
        procedure = procedures.PROCEDURES.get(experiment.procedure)
        plans = procedure(self.counting, experiment.rounds, experiment.target_density)
        only = experiment.only_rounds
        plans = [plan for plan in plans if not only or plan.round in only]
        if experiment.transfers:
            transfer.check(self)
        known = {plan.round for plan in plans}
        for name in experiment.controls:
            if 'architecture' in getattr(CONTROLS.get(name), 'changes', ()):
                self.resized(0.5)  # a network without a width is refused before it is trained
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
        augmentation = experiment.augmentation
        return training.Trainer(
            lambda: self.policy.wrap(precisions.built(self.build_model, experiment.precision)),
            lambda: making.optimizer(experiment),
            self.data,
            experiment.batch_size,
            path,
            self.strategy,
            None if augmentation == 'none' else AUGMENTATIONS.get(augmentation),
            experiment.drop_remainder,
            experiment.precision,
            making.coupled_decay(experiment),
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
        return keys.digests_of(self)

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What must stay as it was for a run to go on: bits depend on it."""
        return {
            'configuration': self.experiment.configuration(),
            'digests': self.digests,
            'engine': self.engine,
            **keys.machine(self),
        }

    @functools.cached_property
    def statistics(self) -> frozenset[str]:
        """Paths of the variables that no gradient trains: moving statistics."""
        known = graph.variables(self.model)
        trained = {id(variable) for variable in self.model.trainable_variables}
        return frozenset(path for path, variable in known.items() if id(variable) not in trained)
