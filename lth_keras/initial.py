"""Initial weights: those of a builder under a seed, and fresh draws for the controls."""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from lth_keras import errors, graph, seeds
from lth_keras._compat import Model, tf_keras
from lth_keras.pruning import wrapping
from lth_keras.pruning.kernels import kernels
from lth_keras.pruning.wrapping import built

Values = dict[str, np.ndarray]
_CONSTANT = (
    tf_keras.initializers.Zeros,
    tf_keras.initializers.Ones,
    tf_keras.initializers.Constant,
    tf_keras.initializers.Identity,
)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, every unseeded draw of Keras follows from `seed`; Python's and NumPy's global
    generators are as they were afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    tf_keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def initial_weights(build_model: Callable[[], Model], seed: int) -> Values:
    """Path -> value of what the builder makes under the replicate's seed."""
    with seeded(seeds.derive(seed, 'initialisation')):
        return wrapping.read(built(build_model))


def check_replicates(build_model: Callable[[], Model], first: int, second: int) -> None:
    """Raises a ConfigError if the builder fixes its seeds, so that two replicates start alike."""
    one, other = initial_weights(build_model, first), initial_weights(build_model, second)
    drawn = [k.path for k in kernels(built(build_model))[0] if not _constant(one[k.path])]
    alike = [path for path in drawn if np.array_equal(one[path], other[path])]
    if alike:
        raise errors.ConfigError(
            f'every replicate would start alike: kernel {alike[0]!r} has the same initial values '
            'under two seeds; take the seed out of the initialisers (and set_random_seed out of '
            'the builder), or ask for --replicates=1'
        )


def redrawn(model: Model, seed: int, purpose: str) -> Values:
    """A fresh draw of every variable from the initialiser of its own layer; path -> value.

    The initialiser is made again from its configuration with a seed derived from (seed, purpose,
    path): called a second time, a Keras initialiser returns the same values, seeded or not, and
    two layers that share one get equal weights. A function as initialiser draws under that seed.
    Variables that start at a constant (biases, normalisation) get what the model holds.

    Args:
      model: a model that was never trained.
      seed, purpose: what the draws derive from.

    Raises:
      ModelError: a kernel whose layer has no initialiser to draw from.
    """
    must = {kernel.path for kernel in kernels(model)[0]}
    known = graph.variables(model)
    values: Values = {}
    for path, layer in graph.named_layers(model):
        things = dict(graph.attributes(graph.unwrap(layer)))
        for inside, variable in things.items():
            full = '/'.join((path, *inside))
            if full not in known or known[full] is not variable:
                continue
            initializer = _initializer(things.get(inside[:-1]), inside[-1])
            if initializer is None and full in must:
                raise errors.ModelError(
                    f'kernel {full!r} cannot be drawn again: its layer of class '
                    f'{type(graph.unwrap(layer)).__name__} has no {inside[-1]}_initializer'
                )
            if isinstance(initializer, _CONSTANT):
                values[full] = variable.numpy()  # not always the constant: an LSTM's forget gate
            elif initializer is not None:
                draw = seeds.derive(seed, purpose, full)
                with seeded(draw):
                    again = _reseeded(initializer, draw)
                    values[full] = np.asarray(again(variable.shape, dtype=variable.dtype))
    return values


def _initializer(owner: Any, attribute: str) -> Any:
    for name in (attribute, attribute.removesuffix('_kernel')):
        found = getattr(owner, f'{name}_initializer', None)
        if found is not None:
            return tf_keras.initializers.get(found)
    return None


def _reseeded(initializer: Any, seed: int) -> Any:
    config = initializer.get_config() if hasattr(initializer, 'get_config') else {}
    if 'seed' in config:
        return type(initializer).from_config({**config, 'seed': seed})
    return initializer


def _constant(values: np.ndarray) -> bool:
    return bool(np.all(values == values.flat[0])) if values.size > 1 else False


def check_differs(start: Mapping[str, np.ndarray], other: Values, kernel_paths: list[str]) -> None:
    """Raises a ModelError if a re-drawn kernel equals the one it should replace."""
    for path in kernel_paths:
        if np.array_equal(start[path], other[path]):
            raise errors.ModelError(
                f'kernel {path!r}: the re-drawn values equal the old ones; its initialiser is '
                'constant, so random re-initialisation says nothing about it'
            )
