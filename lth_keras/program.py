"""Many steps in one call: a loop in the graph over the index rows of batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import errors, seeds
from lth_keras._compat import Model
from lth_keras.draws import Draws, replica
from lth_keras.products import Products

# One program serves every block up to this length: the number of steps is an argument.
BLOCK = 512
Augment = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


class Program:
    """Runs `step` on one batch after the other, inside one compiled (or plain) function.

    On one device the loop is a single `tf.while_loop`, so that XLA sees all of it. On several the
    loop stands outside `strategy.run` (updates inside a loop in there cannot merge), and each
    replica takes its part of every row: examples round(batch * r / replicas) and on.

    Args:
      model: whose random layers draw anew at each step, and Dense layers compute fast.
      step: (batch, share) -> tensors; the batch is what `data` has at the indices, `share` the
        replica's part of it, 1.0 on one device. It may update variables.
      strategy: a `tf.distribute` strategy.
      compiled: whether XLA compiles the loop.
      adds: whether the results of the steps are summed up, over replicas too; else those of the
        last step (of the first replica) are returned.
      augment: (inputs, key, step, positions in the batch) -> inputs; nothing if None.
      results: what a step returns, as zeros; found by tracing one if None.
      eager: runs step by step in Python, for debuggers.
    """

    def __init__(
        self,
        model: Model,
        step: Callable[[Any, float], Any],
        strategy: Any,
        compiled: bool,
        adds: bool,
        augment: Augment | None = None,
        results: Any = None,
        eager: bool = False,
    ):
        self._step = step
        self._strategy = strategy
        self._replicas = strategy.num_replicas_in_sync
        self._compiled = compiled
        self._adds = adds
        self._augment = augment
        self._draws = Draws(model)
        self._products = Products(model, compiled)
        run = self._one_device if self._replicas == 1 else self._many_devices
        self._run = tf.function(run, jit_compile=compiled)
        self._eager = eager
        self._traced: dict[Any, Any] = {}
        self._given = results is not None
        self._results = results
        self._widest = 0

    def __call__(self, data: Any, block: np.ndarray, first: int, seed: int) -> Any:
        """Takes one step per row of `block`.

        Args:
          data: tensors (n, ...) in any structure of tuples and dictionaries, inputs first.
          block: (steps, batch) indices of examples, int32, at most `BLOCK` steps.
          first: number of the first step, counted from initialisation: draws depend on it.
          seed: what the draws derive from.

        Raises:
          ConfigError: a batch with fewer examples than replicas.
          ModelError: a model that XLA cannot compile.
        """
        count, batch = block.shape
        if batch < self._replicas:
            raise errors.ConfigError(
                f'batch size: expected at least one example for each of {self._replicas} '
                f'replicas in every batch, received a batch of {batch}; choose a batch size that '
                'leaves no smaller rest, or drop the rest'
            )
        self._widest = max(batch, self._widest)
        if count < BLOCK and batch == self._widest:  # a smaller rest of an epoch comes alone
            block = np.concatenate([block, np.zeros((BLOCK - count, batch), block.dtype)])
        try:
            if not self._eager:
                function = self._function(data, block)
            keys = self._draws.keys(seed), np.int64(seeds.derive(seed, 'augmentation'))
            arguments = [tf.constant(a) for a in (*keys, np.int64(first), block, np.int32(count))]
            if self._eager:
                return self._many_devices(data, *arguments)
            return function(data, *arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as e:
            if not self._compiled:
                raise
            line = str(e.message).strip().split('\n')[0]
            raise errors.ModelError(
                f"the compiled engine cannot run this model ({line}); use engine='plain'"
            ) from e

    def _function(self, data: Any, block: np.ndarray) -> Callable[..., Any]:
        """The traced function for data and blocks of these shapes: calling it costs less."""
        form = tf.nest.map_structure(lambda part: (tuple(part.shape), part.dtype.name), data)
        # A variable of several devices is caught by the function, no argument of it.
        caught = [id(part) for part in tf.nest.flatten(data) if isinstance(part, tf.Variable)]
        key = (repr(form), *caught, block.shape)
        if key not in self._traced:
            # What a step returns may have the size of the batch, so each function has its own.
            if not self._given:
                self._results = self._example(data, block)
                self._draws.find()
                self._products.find()
            scalar, index = tf.TensorSpec((), tf.int64), tf.TensorSpec(block.shape, tf.int32)
            keys = tf.TensorSpec((len(self._draws),), tf.int64)
            run = tf.function(self._many_devices) if caught else self._run
            self._traced[key] = run.get_concrete_function(
                data, keys, scalar, scalar, index, tf.TensorSpec((), tf.int32)
            )
        return self._traced[key]

    def _example(self, data: Any, block: np.ndarray) -> Any:
        """Zeros in the form of what a step returns; nothing is run.

        Tracing a step before the loop also makes the variables that it makes when first called.
        """
        keys = tf.constant(self._draws.keys(0)), tf.constant(0, tf.int64)
        traced = tf.function(
            lambda row: self._strategy.run(
                lambda: self._one(data, row, tf.constant(0, tf.int64), *keys)
            )
        ).get_concrete_function(tf.TensorSpec(block.shape[1:], block.dtype))
        first = tf.nest.map_structure(self._first, traced.structured_outputs)
        return tf.nest.map_structure(lambda t: np.zeros(t.shape, t.dtype.as_numpy_dtype), first)

    def _first(self, value: Any) -> Any:
        return self._strategy.experimental_local_results(value)[0]

    def _one(
        self, data: Any, row: tf.Tensor, step: tf.Tensor, keys: tf.Tensor, key: tf.Tensor
    ) -> Any:
        """One step on this replica's part of a row."""
        batch, number = row.shape[0], replica()
        start, stop = (round(batch * r / self._replicas) for r in (number, number + 1))
        indices = row[start:stop]
        examples = tf.nest.map_structure(lambda part: tf.gather(part, indices), data)
        if self._augment is not None:
            inputs, *others = examples
            positions = tf.range(start, stop)
            augmented = tf.nest.map_structure(
                lambda x: self._augment(x, key, step, positions), inputs
            )
            examples = (augmented, *others)
        with self._draws.at(step, keys), self._products.turned():
            return self._step(examples, (stop - start) / batch)

    def _one_device(
        self,
        data: Any,
        keys: tf.Tensor,
        key: tf.Tensor,
        first: tf.Tensor,
        block: tf.Tensor,
        count: tf.Tensor,
    ) -> Any:
        def body(i: tf.Tensor, results: Any) -> Any:
            new = self._one(data, block[i], first + tf.cast(i, tf.int64), keys, key)
            return i + 1, self._combined(results, new)

        start = tf.nest.map_structure(tf.constant, self._results)
        return tf.while_loop(lambda i, _: i < count, body, (tf.constant(0), start))[1]

    def _many_devices(
        self,
        data: Any,
        keys: tf.Tensor,
        key: tf.Tensor,
        first: tf.Tensor,
        block: tf.Tensor,
        count: tf.Tensor,
    ) -> Any:
        results = self._results and tf.nest.map_structure(tf.constant, self._results)
        for i in tf.range(count):
            step = first + tf.cast(i, tf.int64)
            new = self._strategy.run(self._one, args=(data, block[i], step, keys, key))
            if self._adds:
                new = tf.nest.map_structure(
                    lambda value: self._strategy.reduce('SUM', value, axis=None), new
                )
            else:
                new = tf.nest.map_structure(self._first, new)
            results = self._combined(results, new)
        return results

    def _combined(self, results: Any, new: Any) -> Any:
        adds = self._adds and results is not None
        return tf.nest.map_structure(tf.add, results, new) if adds else new
