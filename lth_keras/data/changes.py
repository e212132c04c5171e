"""What may be done to a data set after it is split: subsets, label noise, normalisation."""

import dataclasses

import numpy as np

from lth_keras import errors, seeds
from lth_keras.data.base import Data
from lth_keras.registry import Registry

Part = tuple[np.ndarray, np.ndarray]


def redraw(labels: np.ndarray, share: float, classes: int, seed: int) -> np.ndarray:
    """New labels drawn over all classes, the old one included: flips share * (1 - 1 / classes).

    Exactly round(share * n) examples, chosen at random, get a label drawn uniformly.

    >>> labels = np.zeros(1000, np.int32)
    >>> int(np.count_nonzero(redraw(labels, 0.2, 10, seed=0)))
    184

    Source: the label noise of open_lth and of He et al. 2022 (0.2 there changes 0.18 of them).
    """
    chosen, random = _chosen(labels, share, seed)
    noisy = labels.copy()
    noisy[chosen] = random.integers(0, classes, len(chosen))
    return noisy


def symmetric(labels: np.ndarray, share: float, classes: int, seed: int) -> np.ndarray:
    """New labels drawn over all other classes: flips exactly the share.

    >>> labels = np.zeros(1000, np.int32)
    >>> int(np.count_nonzero(symmetric(labels, 0.2, 10, seed=0)))
    200

    Raises:
      DataError: one class only.

    Source: symmetric noise matrices, as a second choice in the code of He et al. 2022.
    """
    if classes < 2:
        raise errors.DataError('label noise: expected two classes or more, received one')
    chosen, random = _chosen(labels, share, seed)
    noisy = labels.copy()
    noisy[chosen] = (labels[chosen] + random.integers(1, classes, len(chosen))) % classes
    return noisy


LABEL_NOISES = Registry('label noise', [redraw, symmetric])


def _chosen(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.random.Generator]:
    random = np.random.Generator(np.random.Philox(seed))
    return random.permutation(len(labels))[: round(share * len(labels))], random


def none(data: Data) -> Data:
    """Leaves the inputs as the data set gives them."""
    return data


def per_channel(data: Data) -> Data:
    """Takes off each channel's mean over the training part and divides by its deviation.

    x' = (x - mean_c) / deviation_c, statistics over examples, height and width of the training
    part alone (the last axis is the channel), applied to all parts.

    >>> x = np.array([[[[0.0, 2.0]]], [[[4.0, 2.5]]]], np.float32)
    >>> y = np.zeros(2, np.int32)
    >>> per_channel(Data('two', (x, y), (x, y), (x, y), 1)).train[0].ravel().tolist()
    [-1.0, -1.0, 1.0, 1.0]

    Raises:
      DataError: a channel without any variation.

    Source: usual for CIFAR; open_lth uses the statistics of ImageNet instead.
    """
    x = data.train[0]
    axes = tuple(range(x.ndim - 1))
    mean, deviation = x.mean(axes, np.float64), x.std(axes, dtype=np.float64)
    if not np.all(deviation > 0):
        raise errors.DataError(
            f'{data.name}: expected every channel to vary, received one with deviation 0; leave '
            '--normalisation out'
        )

    def normal(part: Part) -> Part:
        return ((part[0] - mean) / deviation).astype(np.float32), part[1]

    return dataclasses.replace(
        data,
        train=normal(data.train),
        validation=normal(data.validation),
        test=normal(data.test),
        normalised={'mean': mean.tolist(), 'deviation': deviation.tolist()},
    )


NORMALISATIONS = Registry('normalisation', [none, per_channel])


def subset(data: Data, train: int | None, test: int | None, seed: int) -> Data:
    """The data with that many training and test examples, drawn by the seed of the split.

    Examples keep their order; a larger subset of the same seed contains a smaller one.

    Raises:
      DataError: more examples than there are.
    """

    def cut(part: Part, count: int | None, name: str) -> Part:
        if count is None:
            return part
        if not 0 < count <= len(part[1]):
            raise errors.DataError(
                f'{data.name}: expected --{name}_examples between 1 and {len(part[1])}, received '
                f'{count}'
            )
        order = seeds.permutation(len(part[1]), seeds.derive(seed, 'subset', name))
        chosen = np.sort(order[:count])
        return part[0][chosen], part[1][chosen]

    return dataclasses.replace(
        data, train=cut(data.train, train, 'train'), test=cut(data.test, test, 'test')
    )


def noisy(data: Data, share: float, kind: str, seed: int) -> Data:
    """The data with noise in the labels of its training part; validation and test stay clean.

    Args:
      data: the data set.
      share: of the training examples, in [0, 1).
      kind: one of `LABEL_NOISES`, which define what becomes of them.
      seed: of the split; which labels change depends on nothing else.
    """
    if not share:
        return data
    x, y = data.train
    draw = seeds.derive(seed, 'label_noise')
    changed = LABEL_NOISES.get(kind)(y, share, data.classes, draw).astype(np.int32)
    return dataclasses.replace(data, train=(x, changed))
