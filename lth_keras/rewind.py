"""Rewinding: a snapshot of step k, taken during `fit`, to which survivors return."""

import dataclasses
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from lth_keras import errors, slots
from lth_keras._compat import Model, tf_keras
from lth_keras.mask import Mask
from lth_keras.pruning import holding, wrapping

# The step since initialisation at which a model's optimizer began to count, if not 0.
_ORIGINS: weakref.WeakKeyDictionary[Model, int] = weakref.WeakKeyDictionary()


def origin(model: Model) -> int:
    """The step k that the model was last rewound to with a fresh optimizer; 0 if never.

    Steps since initialisation are this and the optimizer's own count.
    """
    return _ORIGINS.get(model, 0)


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The state of a model at step k: path -> value, kernels, biases and moving statistics.

    `optimizer` holds the optimizer's variables at step k, counter first, or None.
    """

    step: int
    weights: Mapping[str, np.ndarray]
    optimizer: tuple[np.ndarray, ...] | None = None

    def masked(self, mask: Mask) -> dict[str, np.ndarray]:
        """The start of a round: mask * snapshot, with +0.0 where pruned.

        >>> snapshot = Snapshot(0, {'a/kernel': np.array([-1.0, 2.0])})
        >>> snapshot.masked(Mask({'a/kernel': [0, 1]}))['a/kernel'].tolist()
        [0.0, 2.0]

        Raises:
          MaskError: the mask's kernels are not among the snapshot's variables.
        """
        mask.check_fits({p: w.shape for p, w in self.weights.items() if p in mask})
        return {
            path: np.where(mask[path], value, np.zeros((), value.dtype)) if path in mask else value
            for path, value in self.weights.items()
        }


class RewindCallback(tf_keras.callbacks.Callback):
    """Takes a snapshot of step k during `fit`, and restores it between rounds.

    Step k is the state after exactly k optimizer updates since initialisation: 0 is the
    initialisation itself, k > 0 an early point ("late rewinding"). It may lie anywhere in an epoch
    and between the steps of one execution: with `steps_per_execution` > 1 the execution that would
    run past k is cut in two, which changes no result.

    `restore` assigns mask * snapshot, starts the optimizer fresh (zero slots, its own counter at
    0) and moves a learning-rate schedule on to step k. With `optimizer='restore'` slots and
    counter of step k come back instead.

    One callback serves one search: its snapshot is that of the first model it saw at step k.

    Args:
      step: k >= 0, counted in optimizer updates.
      optimizer: 'fresh' or 'restore'.

    Raises:
      ConfigError: a negative step or unknown option.
      TrainingError: from `fit`, if the model was trained past step k before; from `restore`, if
        training never reached step k.

    Source: Frankle & Carbin 2019 (k = 0); Frankle et al., Stabilizing the Lottery Ticket
    Hypothesis, 2019 (k > 0).
    """

    def __init__(self, step: int = 0, optimizer: str = 'fresh'):
        super().__init__()
        if not isinstance(step, int | np.integer) or step < 0:
            raise errors.ConfigError(
                f'rewind step: expected a whole number >= 0, received {step!r}; it counts '
                'optimizer updates, 0 is the initialisation'
            )
        if optimizer not in ('fresh', 'restore'):
            raise errors.ConfigError(
                f"optimizer: expected 'fresh' or 'restore', received {optimizer!r}"
            )
        self.step = int(step)
        self.snapshot: Snapshot | None = None
        self.initial: dict[str, np.ndarray] | None = None
        self._restores_optimizer = optimizer == 'restore'
        self._learning_rate: float | None = None
        self._steps_per_execution = 1
        self._mask: Mask | None = None

    @property
    def weights(self) -> Mapping[str, np.ndarray] | None:
        """The snapshot's weights, or None before step k."""
        return self.snapshot.weights if self.snapshot else None

    def set_model(self, model: Model) -> None:
        super().set_model(model)
        if model is None:
            return
        if self.snapshot is not None:
            if self.step and self._counted() == 0 and not self._restores_optimizer:
                self._shift(model)  # it was compiled again after `restore`
            return
        slots.check_rewindable(model.optimizer)
        if getattr(model, '_autotune_steps_per_execution', False):
            raise errors.ConfigError(
                "RewindCallback expects a fixed steps_per_execution, received 'auto'; give a number"
            )
        if model._steps_per_execution is not None:
            self._steps_per_execution = int(model._steps_per_execution.numpy())
        if self._steps_per_execution > 1:
            # Keras builds the evaluation loop for the number of steps it finds at that moment,
            # which may be one that was cut short here.
            model.make_test_function()
        if self.step:
            _shiftable(model)  # before the first step is traced, so that a shift needs no new trace

    def _counted(self) -> int:
        return int(slots.inner(self.model.optimizer).iterations.numpy())

    def on_train_begin(self, logs: Any = None) -> None:
        rate = slots.learning_rate(self.model.optimizer)
        if self._learning_rate is None and not _is_schedule(rate):
            self._learning_rate = float(rate.numpy() if hasattr(rate, 'numpy') else rate)
        if self.snapshot is None:
            if self._counted() == 0:
                self.initial = wrapping.read(self.model)
            mask = _mask(self.model)
            if self._mask is not None and mask != self._mask:
                raise errors.TrainingError(
                    f'rewind step {self.step}: expected to reach it before the first pruning, '
                    f'received a model that was pruned at step {self._counted()}; train longer '
                    'in the first round, or rewind to an earlier step'
                )
            self._mask = mask
            self._look()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._look()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._look()

    def on_train_end(self, logs: Any = None) -> None:
        self._set_steps(self._steps_per_execution)

    def _look(self) -> None:
        """Takes the snapshot at step k; before it, sees that no execution runs past k."""
        if self.snapshot is not None:
            return
        counted = self._counted()
        if counted > self.step:
            raise errors.TrainingError(
                f'rewind step {self.step}: expected a model at step {self.step} or before, '
                f'received one that took {counted} steps; pass the callback to the first fit'
            )
        if counted == self.step:
            held = slots.state(self.model.optimizer) if self._restores_optimizer else None
            self.snapshot = Snapshot(
                self.step,
                wrapping.read(self.model),
                None if held is None else tuple(variable.numpy() for variable in held),
            )
            self._set_steps(self._steps_per_execution)
        else:
            self._set_steps(min(self._steps_per_execution, self.step - counted))

    def _set_steps(self, steps: int) -> None:
        if self._steps_per_execution > 1:
            self.model._steps_per_execution.assign(steps)

    def restore(self, model: Model) -> None:
        """Rewinds `model` to mask * snapshot under the mask it holds now.

        Raises:
          TrainingError: step k was never reached.
          ModelError: the snapshot is of another model.
        """
        if self.snapshot is None:
            raise errors.TrainingError(
                f'expected a snapshot of step {self.step}, but training never reached it; pass '
                'the callback to fit, and train at least that many steps'
            )
        wrapping.assign(model, self.snapshot.masked(holding.read_mask(model)))
        _ORIGINS[model] = 0 if self._restores_optimizer else self.step
        optimizer = getattr(model, 'optimizer', None)
        if optimizer is not None:
            self._reset(model, optimizer)

    def _shift(self, model: Model) -> None:
        """Lets the learning-rate schedule go on at step k, if there is one."""
        shifted = _shiftable(model)
        if shifted is not None:
            shifted.offset.assign(0 if self._restores_optimizer else self.step)

    def _reset(self, model: Model, optimizer: Any) -> None:
        with model.distribute_strategy.scope():
            slots.build(optimizer, model.trainable_variables)
            if self._restores_optimizer and self.snapshot.optimizer:
                values = list(self.snapshot.optimizer)
            else:
                values = slots.fresh(optimizer, model.trainable_variables)
        for variable, value in zip(slots.state(optimizer), values, strict=True):
            variable.assign(value)
        masks = {id(weight): mask.numpy() != 0 for _, weight, mask in holding.held_kernels(model)}
        slots.clear(optimizer, model.trainable_variables, masks)
        rate = slots.learning_rate(optimizer)
        if _is_schedule(rate):
            if self.step:
                self._shift(model)
        elif self._learning_rate is not None and hasattr(rate, 'assign'):
            rate.assign(self._learning_rate)


def _mask(model: Model) -> Mask | None:
    return holding.read_mask(model) if any(True for _ in holding.held_kernels(model)) else None


def _is_schedule(rate: Any) -> bool:
    return isinstance(rate, tf_keras.optimizers.schedules.LearningRateSchedule)


def _shiftable(model: Model) -> slots.ShiftedSchedule | None:
    """The model's learning-rate schedule, made one that can be shifted; None if it has none."""
    before = slots.learning_rate(model.optimizer)
    with model.distribute_strategy.scope():
        shifted = slots.shifted(model.optimizer)
    if shifted is not before and shifted is not None:
        model.train_function = None  # a step that was traced already has the other schedule in it
    return shifted
