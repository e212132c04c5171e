"""How `Model.fit` and `Model.evaluate` take `Batches`: many steps in one call of one program.

Keras chooses an adapter by the type of its data; ours joins its table. Keras asks a model for the
function that runs one execution of `steps_per_execution` steps; the models that are given
`Batches` answer with one that knows them, and that hands everything else on to Keras's own.
"""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from lth_keras import engine, errors, rewind, slots
from lth_keras._compat import DataAdapter, Model, add_adapter
from lth_keras.batches import Batches
from lth_keras.program import BLOCK, Program

_TRAIN, _TEST = 'train', 'test'


class BatchesAdapter(DataAdapter):
    """Lets Keras iterate over `Batches`; also sees that the model can run them."""

    @staticmethod
    def can_handle(x: Any, y: Any = None) -> bool:
        return isinstance(x, Batches)

    def __init__(
        self,
        x: Batches,
        y: Any = None,
        sample_weights: Any = None,
        batch_size: int | None = None,
        model: Model | None = None,
        **kwargs: Any,
    ):
        super().__init__(x, y, **kwargs)
        given = {'y': y, 'sample_weight': sample_weights, 'batch_size': batch_size}
        twice = [name for name, value in given.items() if value is not None]
        if twice:
            raise errors.ConfigError(
                f'{twice[0]}: expected to be given to Batches alone, received it from the call too'
            )
        if model is None or model._cluster_coordinator is not None:
            raise errors.ConfigError(
                'Batches expects Model.fit or Model.evaluate under one device or a mirrored '
                'strategy; use a tf.data.Dataset elsewhere'
            )
        self._batches = x
        self._feed = _Feed(x)
        _adopt(model)

    def get_dataset(self) -> Any:
        return self._feed

    def get_size(self) -> int:
        return len(self._batches)

    def batch_size(self) -> int:
        return self._batches.epochs.batch_size

    def has_partial_batch(self) -> bool:
        return bool(self.partial_batch_size())

    def partial_batch_size(self) -> int:
        epochs = self._batches.epochs
        return 0 if epochs.drop_remainder else epochs.examples % epochs.batch_size

    def should_recreate_iterator(self) -> bool:
        return False


class _Feed(tf.distribute.DistributedDataset):
    """What Keras takes for a data set that is distributed already; one iterator per call."""

    def __init__(self, batches: Batches):
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        return _Position(self.batches)

    @property
    def element_spec(self) -> Any:
        raise NotImplementedError

    def map(self, function: Any) -> Any:
        """Called by Keras for `class_weight`."""
        raise errors.ConfigError(
            'class_weight: expected none beside Batches; give each example its weight with '
            'sample_weight'
        )


class _Position:
    """Where in its data a running `fit` or `evaluate` is; `step` is None before the first."""

    def __init__(self, batches: Batches):
        self.batches = batches
        self.step: int | None = None

    def __iter__(self) -> '_Position':
        return self

    def __next__(self) -> Any:
        raise errors.ConfigError('predict: expected arrays or a data set, received Batches')


class _Execution:
    """A train or test function of one compiled model: Keras's own, and ours for `Batches`."""

    def __init__(self, model: Model, kind: str, stock: Callable[[Any], Any]):
        self._model = model
        self._kind = kind
        self._stock = stock
        self._programs: dict[Any, Program] = {}

    def __call__(self, iterator: Any) -> Any:
        if not isinstance(iterator, _Position):
            return self._stock(iterator)
        model, batches = self._model, iterator.batches
        training = self._kind == _TRAIN
        if iterator.step is None:
            # Now, after all callbacks began: one of them may have restored a checkpoint.
            counted = slots.inner(model.optimizer).iterations.numpy() if training else 0
            iterator.step = (rewind.origin(model) + int(counted)) if training else 0
        stop = iterator.step + int(model._steps_per_execution.numpy())
        counter = model._train_counter if training else model._test_counter
        epochs = batches.epochs if training else batches.in_order
        data = batches.resident(model.distribute_strategy)
        program = self._program(batches)
        logs = None
        for block in epochs.blocks(iterator.step, stop, BLOCK):
            logs = program(data, block, iterator.step, batches.seed)
            iterator.step += len(block)
            counter.assign_add(len(block))
        return logs

    def _program(self, batches: Batches) -> Program:
        """Traced once for all data of one form: the examples are an argument."""
        model = self._model
        key = batches.engine, batches.augment
        if key not in self._programs:
            step = model.train_step if self._kind == _TRAIN else model.test_step
            self._programs[key] = Program(
                model,
                lambda examples, _: step(examples),
                model.distribute_strategy,
                self._path(batches.engine) == 'compiled',
                adds=False,
                augment=batches.augment if self._kind == _TRAIN else None,
                eager=model.run_eagerly,
            )
        return self._programs[key]

    def _path(self, asked: str) -> str:
        model = self._model
        if asked == 'auto' and model.jit_compile:
            asked = 'compiled'
        path = engine.choose(asked, model, model.distribute_strategy)
        if path == 'probe':
            raise errors.ConfigError(
                f'engine of Batches: expected auto, {" or ".join(engine.PATHS)}, received probe; '
                'fit measures nothing'
            )
        return path


def _adopt(model: Model) -> None:
    """Lets a model answer Keras with an `_Execution`, until it is compiled again and after."""
    for kind in (_TRAIN, _TEST):
        name = f'make_{kind}_function'
        if name not in vars(model):
            setattr(model, name, _maker(model, kind))


def _maker(model: Model, kind: str) -> Callable[..., Any]:
    def make(force: bool = False) -> Any:
        stock = getattr(type(model), f'make_{kind}_function')(model, force)
        if not isinstance(stock, _Execution):
            stock = _Execution(model, kind, stock)
            setattr(model, f'{kind}_function', stock)
        return stock

    return make


add_adapter(BatchesAdapter)
