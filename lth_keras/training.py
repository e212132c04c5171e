"""Training one network from a given start under a given mask, with everything that is recorded."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import engine as engines
from lth_keras import errors, graph, precisions, slots, steps
from lth_keras._compat import Model
from lth_keras.data import Data
from lth_keras.loop import Loop, Sums
from lth_keras.mask import Mask
from lth_keras.program import BLOCK, Augment
from lth_keras.pruning import holding, wrapping
from lth_keras.trained import Row, Trained, Values

# Raised when a change of this module or of the engine changes the bits of a training.
REVISION = 2


@dataclasses.dataclass(frozen=True)
class Shift:
    """How many steps later than the step's own number a training reads what is not rewound.

    Args:
      order: of the data order and of all random draws.
      schedule: of the learning rate.
    """

    order: int = 0
    schedule: int = 0


# Everything returns to the step that training starts at.
REWOUND = Shift()


class Trainer:
    """Trains one model again and again: built, traced and compiled once, data on the device.

    Results are bit-equal to those of a fresh build: every training assigns all variables, the
    mask and a fresh optimizer state; what random layers draw depends on the step alone.

    Args:
      build: makes the model (called under the strategy's scope).
      make_optimizer: makes the Keras optimizer, likewise.
      data: the data set.
      batch_size: examples per step, over all replicas.
      engine: 'auto', 'compiled' or 'plain' (see `engine.choose`).
      strategy: a `tf.distribute` strategy; one object per process.
      augment: random changes of the training inputs (see `data.augmentation`), or None.
      drop_remainder: leaves out the smaller last batch of an epoch.
      precision: what the layers that `build` makes compute in; float16 scales the loss.
      weight_decay: times the weight, added to the gradient of every trainable variable.
    """

    def __init__(
        self,
        build: Callable[[], Model],
        make_optimizer: Callable[[], Any],
        data: Data,
        batch_size: int,
        engine: str = 'auto',
        strategy: Any = None,
        augment: Augment | None = None,
        drop_remainder: bool = False,
        precision: str = 'float32',
        weight_decay: float = 0.0,
    ):
        self.strategy = strategy or tf.distribute.get_strategy()
        self.data = data
        self.batch_size = batch_size
        self.drop_remainder = drop_remainder
        with self.strategy.scope():
            self.model = build()
            self.optimizer = precisions.scaled(make_optimizer(), precision)
            slots.check_rewindable(self.optimizer)
            self._schedule = slots.shifted(self.optimizer)
            slots.build(self.optimizer, self.model.trainable_variables)
        self.engine = engines.choose(engine, self.model, self.strategy)
        compiled = self.engine == 'compiled'
        self.loop = Loop(
            *(self.model, self.optimizer, data.train, self.strategy, compiled, augment),
            weight_decay=weight_decay,
        )
        self._variables = graph.variables(self.model)
        with self.strategy.scope():
            self._best = {
                path: tf.Variable(variable, trainable=False, name='best')
                for path, variable in self._variables.items()
            }
        self._repeats = False
        self._keep = tf.function(self._keep_best)
        self.validation = self.loop.pieces(data.validation)
        self._test = self.loop.pieces(data.test)

    @property
    def seconds(self) -> dict[str, float]:
        """Time that the last training spent in steps, and in evaluation."""
        return dict(self.loop.seconds)

    def _keep_best(self) -> None:
        for path, variable in self._variables.items():
            # Read first: of a moving average that replicas keep each their own, this is the mean.
            self._best[path].assign(variable.read_value())

    def reset(self, start: Mapping[str, np.ndarray], mask: Mask | None) -> None:
        """Weights, masks and optimizer as at the start of a training."""
        wrapping.assign(self.model, start)
        if mask is not None:
            holding.assign_mask(self.model, mask)
            holding.check_zeros(self.model)
        with self.strategy.scope():
            fresh = slots.fresh(self.optimizer, self.model.trainable_variables)
        for variable, value in zip(slots.state(self.optimizer), fresh, strict=True):
            variable.assign(value)

    def train(
        self,
        start: Mapping[str, np.ndarray],
        mask: Mask | None,
        seed: int,
        stop: int,
        begin: int = 0,
        eval_every: int = 100,
        snapshot_at: int | None = None,
        on_evaluation: Callable[[Row], None] = lambda row: None,
        shift: Shift = REWOUND,
        test_curve: bool = False,
    ) -> Trained:
        """Trains from step `begin` to step `stop` and returns all that is recorded.

        Args:
          start: path -> value of every variable at step `begin`; pruned entries may hold anything.
          mask: the mask to hold; None for a model without wrappers.
          seed: the replicate's; data order and random layers follow from it.
          stop: the step after which training ends, counted from initialisation.
          begin: the step that `start` belongs to (the rewind point).
          eval_every: steps between evaluations on the validation part.
          snapshot_at: a step whose state is to be kept, or None.
          on_evaluation: called with each new row of the curve, by column.
          shift: what of the position in the training is not rewound.
          test_curve: evaluates the test part too, each time; nothing is chosen by it.

        Raises:
          TrainingError: a NaN or infinite loss.
        """
        if not 0 <= begin < stop:
            raise errors.TrainingError(
                f'expected a start before the end of training, received steps {begin} to {stop}'
            )
        if snapshot_at is not None and not begin <= snapshot_at <= stop:
            raise errors.TrainingError(
                f'snapshot: expected a step from {begin} to {stop}, received {snapshot_at}'
            )
        count = len(self.data.train[1])
        epochs = steps.Epochs(count, self.batch_size, seed, self.drop_remainder)
        if not self._repeats:
            self._check_repeats(start, mask, seed, next(epochs.blocks(begin, begin + 2)))
        self.loop.seconds = dict.fromkeys(self.loop.seconds, 0.0)
        self.reset(start, mask)
        if self._schedule is not None:
            self._schedule.offset.assign(begin + shift.schedule)
        regular = set(steps.marks(begin, stop, eval_every))
        pauses = steps.marks(begin, stop, eval_every, [snapshot_at] if snapshot_at else [])
        parts = {'validation': self.validation, **({'test': self._test} if test_curve else {})}
        rows: list[Row] = []
        best, best_step, snapshot = math.inf, begin, None
        sums, reached = Sums(), begin
        for step in pauses:
            for block in epochs.blocks(reached + shift.order, step + shift.order, BLOCK):
                sums.add(*self.loop.run(block, reached + shift.order, seed), block)
                reached += len(block)
            if step == snapshot_at:
                snapshot = wrapping.read(self.model)
            if step in regular:
                row = {'step': float(step)}
                row['train_loss'], row['train_accuracy'] = sums.means()
                for name, part in parts.items():
                    row[f'{name}_loss'], row[f'{name}_accuracy'] = self.loop.evaluate(part)
                value = row['validation_loss']
                if not math.isfinite(value) or not math.isfinite(sums.loss):
                    raise errors.TrainingError(
                        f'training diverged: expected a finite loss, received {value} on the '
                        f'validation part at step {step}; lower the learning rate'
                    )
                rows.append(row)
                if value < best:
                    best, best_step = value, step
                    self._keep()
                sums = Sums()
                on_evaluation(row)
        return self._finish(rows, best_step, snapshot)

    def _check_repeats(
        self, start: Mapping[str, np.ndarray], mask: Mask | None, seed: int, block: np.ndarray
    ) -> None:
        """Takes the first steps twice, once per process: the same bits, or a ModelError."""
        ends = []
        for _ in range(2):
            self.reset(start, mask)
            self.loop.run(block, 0, seed)
            ends.append(wrapping.read(self.model))
        for path, value in ends[0].items():
            if not np.array_equal(value, ends[1][path], equal_nan=True):
                raise errors.ModelError(
                    f'the same two steps gave two different values of {path!r}: a layer draws '
                    'random numbers that cannot be seeded, or keeps a state of its own; use '
                    'Dropout, GaussianNoise and the like, and stateless layers'
                )
        self._repeats = True

    def _finish(self, rows: list[Row], best_step: int, snapshot: Values | None) -> Trained:
        """The two looks at the test part: at the end, and at the early-stop iteration."""
        if any(True for _ in holding.held_kernels(self.model)):
            holding.check_zeros(self.model)
        final_weights = wrapping.read(self.model)
        final = self._metrics(rows[-1], self.loop.evaluate(self._test))
        early_weights = {path: variable.numpy() for path, variable in self._best.items()}
        wrapping.assign(self.model, early_weights)
        (row,) = (row for row in rows if row['step'] == best_step)
        early = self._metrics(row, self.loop.evaluate(self._test))
        curve = np.array([list(row.values()) for row in rows])
        results = best_step, early, final, early_weights, final_weights, snapshot
        return Trained(tuple(rows[0]), curve, *results)

    @staticmethod
    def _metrics(row: Row, test: tuple[float, float]) -> dict[str, float]:
        return {
            'validation_loss': row['validation_loss'],
            'validation_accuracy': row['validation_accuracy'],
            'test_loss': test[0],
            'test_accuracy': test[1],
        }
