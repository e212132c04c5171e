"""Image classification data in memory, split by a seed of its own."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from lth_keras import digests, errors, seeds

PARTS = ('train', 'validation', 'test')


@dataclasses.dataclass(frozen=True)
class Source:
    """A data set as it comes: inputs (n, ...) in float32 and labels (n,) in int32.

    `validation` is the number of training examples that are held out.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    classes: int
    validation: int


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """Train, validation and test parts, each (inputs, labels), ready for training.

    Anything that chooses looks at `validation`; `test` is for reporting. `normalised` says what
    was done to the inputs, so that whoever serves a ticket can do the same; `prepared`, that an
    experiment has had its way with them.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    classes: int
    normalised: Mapping[str, list[float]] | None = None
    prepared: bool = False

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        return self.train[0].shape[1:]

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all parts, split included: two runs on other data cannot be mixed up."""
        return digests.digest({part: list(getattr(self, part)) for part in PARTS})

    def summary(self) -> str:
        """One line: name, sizes, shape, classes."""
        sizes = ' / '.join(f'{len(getattr(self, part)[1]):,}' for part in PARTS)
        return (
            f'{self.name}: {sizes} train / validation / test examples of shape '
            f'{"x".join(map(str, self.input_shape))}, {self.classes} classes'
        )


def split(source: Source, seed: int, validation: int | None = None) -> Data:
    """Holds out a validation part of the training examples, drawn by `seed`.

    Args:
      source: the data set.
      seed: of the split; equal for all replicates unless asked otherwise.
      validation: number of examples to hold out; the source's own if None.

    Raises:
      DataError: NaN, unlike lengths, labels out of range, or a part that would be empty.
    """
    x, y = _checked(source.train, f'{source.name} (train)', source.classes)
    test = _checked(source.test, f'{source.name} (test)', source.classes)
    _check_shapes(x, test[0], f'{source.name} (test)')
    count = source.validation if validation is None else validation
    if not 0 < count < len(y):
        raise errors.DataError(
            f'{source.name}: expected between 1 and {len(y) - 1} of {len(y)} training examples '
            f'to be held out for validation, received {count}'
        )
    order = seeds.permutation(len(y), seeds.derive(seed, 'split'))
    held, rest = np.sort(order[:count]), np.sort(order[count:])
    return Data(source.name, (x[rest], y[rest]), (x[held], y[held]), test, source.classes)


def checked_labels(part: tuple[np.ndarray, np.ndarray], name: str) -> np.ndarray:
    """The labels of (inputs, labels) as int32, one whole number per example; else a DataError."""
    y = np.asarray(part[1])
    if y.ndim != 1 or (y.size and not np.issubdtype(y.dtype, np.integer)):
        raise errors.DataError(
            f'{name}: expected one whole number per example as label, received shape {y.shape} '
            f'of {y.dtype}; pass class indices, not one-hot rows'
        )
    if len(part[0]) != len(y) or not len(y):
        raise errors.DataError(
            f'{name}: expected as many labels as inputs, and some, received {len(part[0])} inputs '
            f'and {len(y)} labels'
        )
    return y.astype(np.int32)


def _checked(
    part: tuple[np.ndarray, np.ndarray], name: str, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    y = checked_labels(part, name)
    try:
        x = np.asarray(part[0], np.float32)
    except (ValueError, TypeError) as e:
        raise errors.DataError(f'{name}: expected inputs of numbers, but {e}') from e
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise errors.DataError(
            f'{name}: expected finite inputs, received {bad} NaN or infinite values in {len(x)} '
            'examples; clean the data first'
        )
    if y.min() < 0 or y.max() >= classes:
        raise errors.DataError(
            f'{name}: expected labels in [0, {classes - 1}], received {y.min()} to {y.max()}'
        )
    return x, y


def _check_shapes(train: np.ndarray, other: np.ndarray, name: str) -> None:
    if train.shape[1:] != other.shape[1:]:
        raise errors.DataError(
            f'{name}: expected inputs of shape {train.shape[1:]} as in train, received '
            f'{other.shape[1:]}'
        )


def given(source: Source, validation: tuple[np.ndarray, np.ndarray]) -> Data:
    """The data with a validation part of the user's own: nothing is held out of train."""
    held = _checked(validation, f'{source.name} (validation)', source.classes)
    train = _checked(source.train, f'{source.name} (train)', source.classes)
    test = _checked(source.test, f'{source.name} (test)', source.classes)
    _check_shapes(train[0], held[0], f'{source.name} (validation)')
    _check_shapes(train[0], test[0], f'{source.name} (test)')
    return Data(source.name, train, held, test, source.classes)
