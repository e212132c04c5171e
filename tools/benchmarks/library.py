"""The library's own paths. What is called of it stands here and nowhere else in the benchmark."""

from typing import Any

import numpy as np
import tensorflow as tf

import lth_keras as lth
from lth_keras import graph, precisions, strategies, training
from lth_keras.data import Data
from lth_keras.mask import Mask
from lth_keras.pruning import PruningPolicy, wrapping
from lth_keras.steps import marks
from tools.benchmarks.fitting import compile_model
from tools.benchmarks.material import SEED, Material

EVAL_EVERY = 100  # a search pauses this often: no block of steps is longer


def trainer(
    material: Material,
    masked: bool,
    engine: str = 'auto',
    strategy: Any = None,
    precision: str = 'float32',
) -> training.Trainer:
    """What a search trains with, wrapped only if masks are to be held."""

    def build() -> Any:
        return precisions.built(material.build, precision)

    data = Data(
        'benchmark',
        (material.x, material.y),
        material.validation,
        (material.validation[0][:100], material.validation[1][:100]),
        material.network.classes,
    )
    return training.Trainer(
        (lambda: PruningPolicy().wrap(build)) if masked else build,
        *(material.optimizer, data, material.network.batch_size, engine, strategy),
        precision=precision,
    )


class Search:
    """The path of a search: the trainer's loop, in blocks as between two evaluations."""

    def __init__(self, material: Material, masked: bool, **options: Any):
        self._material = material
        self._mask = Mask(material.masks) if masked else None
        self._trainer = trainer(material, masked, **options)

    def start(self) -> None:
        self._trainer.reset(self._material.initial, self._mask)

    def prepare(self, first: int, count: int) -> None:
        self._pauses = marks(first, first + count, EVAL_EVERY)
        self._count = count

    def run(self) -> float:
        reached = self._pauses[0]
        for step in self._pauses[1:]:
            for block in self._material.epochs.blocks(reached, step, EVAL_EVERY):
                self._trainer.loop.run(block, reached, SEED)
                reached += len(block)
        return self._count

    def weights(self) -> dict[str, np.ndarray]:
        return wrapping.read(self._trainer.model)

    def facts(self) -> dict[str, Any]:
        return {'engine': self._trainer.engine}


class InsideFit:
    """The path inside `Model.fit`: `lth.Batches` as its data."""

    def __init__(self, material: Material, masked: bool):
        self._material = material
        network = material.network
        self._batches = lth.Batches(
            material.x, material.y, batch_size=network.batch_size, seed=SEED
        )
        build = material.build
        self.model = PruningPolicy().wrap(build) if masked else build()
        wrapping.assign(self.model, material.initial)
        if masked:
            lth.assign_mask(self.model, Mask(material.masks))
        compile_model(self.model, material, 500, False)  # one call of the program
        self.model.optimizer.build(self.model.trainable_variables)
        state = [*self.model.variables, *self.model.optimizer.variables]
        self._state = [(variable, variable.numpy()) for variable in state]

    def start(self) -> None:
        for variable, value in self._state:
            variable.assign(value)

    def prepare(self, first: int, count: int) -> None:
        # `fit` goes on at the batch that the optimizer has reached.
        reached = int(self.model.optimizer.iterations)
        if reached != first:
            raise ValueError(f'expected to go on at step {first}, the optimizer is at {reached}')
        self._count = count

    def run(self) -> float:
        self.model.fit(self._batches, epochs=1, steps_per_epoch=self._count, verbose=0)
        return self._count

    def weights(self) -> dict[str, np.ndarray]:
        return {path: v.numpy() for path, v in graph.variables(self.model).items()}

    def facts(self) -> dict[str, Any]:
        return {}


def library_dense(material: Material) -> Search:
    """the library's search path, dense"""
    return Search(material, masked=False)


def library_masked(material: Material) -> Search:
    """the library's search path, masked"""
    return Search(material, masked=True)


def library_plain(material: Material) -> Search:
    """the same without XLA: what several replicas have in common with one"""
    return Search(material, masked=True, engine='plain')


def library_mirrored(material: Material) -> Search:
    """the same under a MirroredStrategy over two logical processors"""
    cpu = tf.config.list_physical_devices('CPU')[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    return Search(material, masked=True, strategy=strategies.strategy('mirrored'))


def library_bfloat16(material: Material) -> Search:
    """the same in bfloat16; its weights are not those of float32"""
    return Search(material, masked=True, precision='bfloat16')


def library_fit_dense(material: Material) -> InsideFit:
    """the library's Batches in fit, dense"""
    return InsideFit(material, masked=False)


def library_fit_masked(material: Material) -> InsideFit:
    """the library's Batches in fit, masked"""
    return InsideFit(material, masked=True)
