"""Evaluation: the library's, and the bare forward pass of the same images in one call."""

from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras.pruning import wrapping
from tools.benchmarks import library
from tools.benchmarks.material import Material


class _Evaluation:
    """Counts evaluations; `weights` gives the loss and accuracy that it found."""

    def start(self) -> None:
        pass

    def prepare(self, first: int, count: int) -> None:
        self._count = count

    def once(self) -> Any:
        raise NotImplementedError

    def run(self) -> float:
        for _ in range(self._count):
            self.once()
        return self._count

    def facts(self) -> dict[str, Any]:
        return {}


class Library(_Evaluation):
    """Loss and accuracy on the validation part, as a search takes them."""

    def __init__(self, material: Material):
        self._trainer = library.trainer(material, masked=True)
        wrapping.assign(self._trainer.model, material.initial)
        self._pieces = self._trainer.loop.pieces(material.validation)

    def once(self) -> tuple[float, float]:
        return self._trainer.loop.evaluate(self._pieces)

    def weights(self) -> dict[str, np.ndarray]:
        loss, accuracy = self.once()
        return {'loss': np.array(loss), 'accuracy': np.array(accuracy)}

    def facts(self) -> dict[str, Any]:
        return {'engine': self._trainer.engine}


class Bare(_Evaluation):
    """The network's outputs for all images at once, and nothing else."""

    def __init__(self, material: Material, compiled: bool):
        self._model = material.build()
        wrapping.assign(self._model, material.initial)
        self._x, self._y = tf.constant(material.validation[0]), material.validation[1]
        self._forward = tf.function(lambda x: self._model(x, training=False), jit_compile=compiled)

    def once(self) -> tf.Tensor:
        return self._forward(self._x)

    def weights(self) -> dict[str, np.ndarray]:
        logits = self.once().numpy().astype(np.float64)
        shifted = logits - logits.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(shifted, self._y[:, None].astype(np.int64), axis=1)[:, 0]
        losses = np.log(np.exp(shifted).sum(axis=1)) - chosen
        right = logits.argmax(axis=1) == self._y
        return {'loss': np.array(losses.mean()), 'accuracy': np.array(right.mean())}


def evaluation(material: Material) -> Library:
    """the library's evaluation"""
    return Library(material)


def forward_plain(material: Material) -> Bare:
    """bare forward pass in one call, not compiled"""
    return Bare(material, compiled=False)


def forward_compiled(material: Material) -> Bare:
    """bare forward pass in one call, compiled"""
    return Bare(material, compiled=True)
