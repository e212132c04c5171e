"""The machine's best float32 matrix product: what no training step can beat."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tools.benchmarks.material import Material

SIZES = (1024, 2048, 3072)


def products() -> Iterator[tuple[str, int, Callable[[], tf.Tensor]]]:
    """(name, arithmetic, function) of square products, by TensorFlow's kernels and by XLA."""
    for size in SIZES:
        draw = np.random.default_rng(size)
        a, b = (tf.constant(draw.random((size, size), np.float32)) for _ in range(2))
        for side in ('', 'transpose_a', 'transpose_b'):
            options = {side: True} if side else {}
            for compiled in (False, True):
                compute = tf.function(
                    lambda a=a, b=b, o=options: tf.matmul(a, b, **o), jit_compile=compiled
                )
                words = [f'{size} x {size}', 'XLA' if compiled else 'TensorFlow', side]
                yield ' '.join(filter(None, words)), 2 * size**3, compute


class Ceiling:
    """Repeats the product that was fastest when it was made; its unit is one operation.

    The rate of a slice is the mean over it, as for all others.
    """

    def __init__(self, seconds: float):
        self._seconds = seconds
        self._choices = list(products())
        self._choice = self._choices[0]

    def start(self) -> None:
        """Finds the fastest product: the best of three of each, after one to warm up."""
        times = []
        for _, operations, compute in self._choices:
            found = []
            for _ in range(4):
                began = time.perf_counter()
                compute().numpy()
                found.append(time.perf_counter() - began)
            times.append(operations / min(found[1:]))
        self._choice = self._choices[int(np.argmax(times))]

    def prepare(self, first: int, count: int) -> None:
        """The slice is measured in seconds, not in steps."""

    def run(self) -> float:
        _, operations, compute = self._choice
        done, began = 0, time.perf_counter()
        while not done or time.perf_counter() - began < self._seconds:
            compute()
            done += operations
        return done

    def weights(self) -> dict[str, np.ndarray]:
        return {}

    def facts(self) -> dict[str, Any]:
        return {'product': self._choice[0]}


def ceiling(material: Material, seconds: float = 1.0) -> Ceiling:
    """the machine's best matrix product"""
    return Ceiling(seconds)
