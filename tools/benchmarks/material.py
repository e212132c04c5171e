"""What all contestants of one network share: data, order, initial weights, masks. Made once."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lth_keras import data, graph, models, optimizers, seeds
from lth_keras._compat import Conv, Model, Sequential, layers, tf_keras
from lth_keras.pruning import PruningPolicy, wrapping
from lth_keras.steps import Epochs
from tools.benchmarks.networks import Network, Product

SEED = 0
DENSITY = 0.2  # of the masks, drawn at random
VALIDATION = 5000


@dataclasses.dataclass(frozen=True)
class Material:
    """Data, start and masks of one network.

    `initial` and `start` are path -> value of every weight; `start` has the masks applied.
    """

    network: Network
    x: np.ndarray
    y: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    initial: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]

    @functools.cached_property
    def start(self) -> dict[str, np.ndarray]:
        """The initial weights, +0.0 where a mask is False."""
        held = {k: np.where(m, self.initial[k], np.float32(0)) for k, m in self.masks.items()}
        return {**self.initial, **held}

    @property
    def build(self) -> Callable[[], Model]:
        """The network's builder."""
        return builder(self.network)

    def optimizer(self) -> Any:
        """A new optimizer."""
        return optimizers.OPTIMIZERS.get(self.network.optimizer)(self.network.learning_rate)

    @functools.cached_property
    def epochs(self) -> Epochs:
        """Which examples each batch has: the library's own order, which all others are given."""
        return Epochs(len(self.y), self.network.batch_size, SEED)

    def rows(self, first: int, count: int) -> np.ndarray:
        """Indices (count, batch) of the examples of the steps from `first` on."""
        return np.concatenate(list(self.epochs.blocks(first, first + count)))


def builder(network: Network) -> Callable[[], Model]:
    """The library's builder, with `network.width` times the units in all layers but the last."""
    build = models.builder(network.model, network.shape, network.classes)
    if network.width == 1:
        return build

    def wide() -> Model:
        config = build().get_config()
        inner = [layer['config'] for layer in config['layers'] if 'units' in layer['config']]
        for one in inner[:-1]:
            one['units'] *= network.width
        return Sequential.from_config(config)

    return wide


def products(model: Model) -> list[Product]:
    """The matrix products of a model's layers, in order."""
    found = []
    for layer in model.layers:
        if isinstance(layer, layers.Dense):
            found.append(Product(1, *layer.kernel.shape))
        elif isinstance(layer, Conv):
            height, width, filters = layer.output_shape[1:]
            found.append(Product(height * width, layer.kernel.shape[:-1].num_elements(), filters))
    return found


def made(network: Network, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images that can be learned: a brightness and a pattern for each class and channel, noise.

    In one channel most pixels are dark, as in MNIST.
    """
    draw = np.random.default_rng(seeds.derive(SEED, 'benchmark data'))
    y = draw.integers(0, network.classes, count, np.int32)
    patterns = draw.random((network.classes, *network.shape), np.float32)
    x = draw.random((count, *network.shape), np.float32)
    if network.shape[-1] == 1:
        patterns *= draw.random(patterns.shape, np.float32) < 0.25
        x *= draw.random(x.shape, np.float32) < 0.1
    else:
        patterns += 2 * draw.random((network.classes, 1, 1, network.shape[-1]), np.float32)
    x += patterns[y]
    x /= x.max()
    return x, y


def prepare(network: Network, folder: Path, batches: int, data_dir: str) -> dict[str, Any]:
    """Writes the material of a network to a folder.

    Args:
      network: which.
      folder: an existing one.
      batches: steps per epoch; fewer if the real data have fewer.
      data_dir: folder of real TFDS data sets; made data if empty.

    Returns:
      What the tables say of it: examples, arithmetic of a step and of the validation part.
    """
    if not data_dir:
        x, y = made(network, batches * network.batch_size + VALIDATION)
        train = x[:-VALIDATION], y[:-VALIDATION]
        held = x[-VALIDATION:], y[-VALIDATION:]
    else:
        real = data.load(network.dataset, data_dir)
        train, held = real.train, real.validation
    count = min(batches, len(train[1]) // network.batch_size) * network.batch_size
    tf_keras.utils.set_random_seed(SEED)
    model = builder(network)()
    initial = wrapping.read(model)
    chosen = [c for c in PruningPolicy().choices(model) if c.pruned]
    masks = {c.path: _mask(c.path, c.shape) for c in chosen}
    arrays = {
        **{f'initial/{k}': v for k, v in initial.items()},
        **{f'mask/{k}': v for k, v in masks.items()},
        **{'x': train[0][:count], 'y': train[1][:count]},
        **{'validation_x': held[0], 'validation_y': held[1]},
    }
    np.savez(folder / 'material.npz', **arrays)
    return {
        'examples': count,
        'validation': len(held[1]),
        'data': 'made' if not data_dir else network.dataset,
        'weights': int(sum(v.size for v in initial.values())),
        'masked': int(sum(m.size for m in masks.values())),
        'products': [dataclasses.astuple(p) for p in products(model)],
        'masks': masks,
    }


def _mask(path: str, shape: tuple[int, ...]) -> np.ndarray:
    draw = np.random.default_rng(seeds.derive(SEED, 'benchmark mask', path))
    return draw.random(shape) < DENSITY


def load(network: Network, folder: Path) -> Material:
    """What `prepare` wrote, in the memory of this process."""
    with np.load(folder / 'material.npz') as arrays:
        found = {key: arrays[key] for key in arrays.files}

    def under(prefix: str) -> dict[str, np.ndarray]:
        return {k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)}

    return Material(
        network,
        *(found['x'], found['y']),
        (found['validation_x'], found['validation_y']),
        *(under('initial/'), under('mask/')),
    )


def trainable(model: Model) -> dict[str, Any]:
    """Path -> variable of what is compared: all that a rewind covers."""
    return graph.variables(model)
