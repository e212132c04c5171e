"""Plain `Model.fit` of tf_keras, and of tfmot's wrapper: what the library is compared with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import graph
from lth_keras._compat import Model, tf_keras, tfmot
from tools.benchmarks.material import DENSITY, Material


class Fit:
    """`fit` over arrays in memory, one call per slice, in the order that is given.

    The arrays are put in order before the slice, so that `shuffle=False` meets the batches of all
    the others; putting them in order is not timed.

    Args:
      material: data and start.
      model: a fresh model; its weights are set.
      steps_per_execution, jit_compile: Keras's own arguments.
      callbacks: for `fit`.
    """

    def __init__(
        self,
        material: Material,
        model: Model,
        steps_per_execution: int = 1,
        jit_compile: bool = False,
        callbacks: Sequence[Any] = (),
        masked: bool = False,
    ):
        self._material = material
        self.model = model
        self._callbacks = list(callbacks)
        values = material.start if masked else material.initial
        for path, variable in graph.variables(model).items():
            variable.assign(values[path])
        compile_model(model, material, steps_per_execution, jit_compile)
        model.optimizer.build(model.trainable_variables)
        state = [*model.variables, *model.optimizer.variables]
        self._state = [(variable, variable.numpy()) for variable in state]

    def start(self) -> None:
        for variable, value in self._state:
            variable.assign(value)

    def prepare(self, first: int, count: int) -> None:
        order = self._material.rows(first, count).reshape(-1)
        self._slice = self._material.x[order], self._material.y[order]
        self._count = count

    def run(self) -> float:
        batch = self._material.network.batch_size
        x, y = self._slice
        self.model.fit(
            *(x, y), batch_size=batch, shuffle=False, verbose=0, callbacks=self._callbacks
        )
        return self._count

    def weights(self) -> dict[str, np.ndarray]:
        return {path: v.numpy() for path, v in graph.variables(self.model).items()}

    def facts(self) -> dict[str, Any]:
        return {}


def compile_model(model: Model, material: Material, steps: int, jit: bool) -> None:
    """Compiles as a user would, accuracy included."""
    model.compile(
        material.optimizer(),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=['accuracy'],
        steps_per_execution=steps,
        jit_compile=jit,
    )


def fit(material: Material) -> Fit:
    """Plain fit, defaults"""
    return Fit(material, material.build())


def fit_many(material: Material) -> Fit:
    """fit, steps_per_execution=100"""
    return Fit(material, material.build(), 100)


def fit_jit(material: Material) -> Fit:
    """fit, steps_per_execution=100, jit_compile=True"""
    return Fit(material, material.build(), 100, True)


class Held(tf_keras.constraints.Constraint):
    """Zeroes what a mask prunes; Keras applies it after every update."""

    def __init__(self, mask: np.ndarray):
        self._mask = tf.constant(mask)

    def __call__(self, w: tf.Tensor) -> tf.Tensor:
        return tf.where(self._mask, w, tf.zeros_like(w))


def fit_held(material: Material) -> Fit:
    """fit, defaults, masks by a constraint"""
    plain = material.build()
    paths = {id(layer): path for path, layer in graph.named_layers(plain)}

    def clone(layer: Any) -> Any:
        twin = type(layer).from_config(layer.get_config())
        mask = material.masks.get(f'{paths.get(id(layer))}/kernel')
        if mask is not None:
            twin.kernel_constraint = Held(mask)
        return twin

    return Fit(material, tf_keras.models.clone_model(plain, clone_function=clone), masked=True)


def _tfmot(material: Material, schedule: Any) -> Fit:
    sparsity = tfmot.sparsity.keras
    model = sparsity.prune_low_magnitude(material.build(), pruning_schedule=schedule)
    return Fit(material, model, callbacks=[sparsity.UpdatePruningStep()])


def tfmot_idle(material: Material) -> Fit:
    """tfmot's wrapper + fit, defaults, masks of ones that never change"""
    never = tfmot.sparsity.keras.ConstantSparsity(0.0, begin_step=0, end_step=0)
    return _tfmot(material, never)


def tfmot_stock(material: Material) -> Fit:
    """tfmot's wrapper + fit, defaults, masks of its own every 100 steps"""
    schedule = tfmot.sparsity.keras.ConstantSparsity(1 - DENSITY, begin_step=0, frequency=100)
    return _tfmot(material, schedule)
