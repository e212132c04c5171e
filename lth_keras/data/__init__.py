"""The data sets: one function each, one line here."""

import inspect
from collections.abc import Callable

from lth_keras import errors
from lth_keras.data import base
from lth_keras.data.base import Data, Source, given, split
from lth_keras.data.digits import digits, digits_28
from lth_keras.data.tfds import cifar10, cifar100, fashion_mnist, mnist
from lth_keras.registry import Registry

DATASETS = Registry('dataset', [digits, digits_28, mnist, fashion_mnist, cifar10, cifar100])


def load(
    name: str | Callable[..., Source | tuple],
    data_dir: str = '',
    download: bool = False,
    split_seed: int = 0,
    validation: int | None = None,
) -> Data:
    """The named data set, split. A function of the user's own is called with what it asks for.

    It may return a `Source`, or ((train inputs, labels), (test inputs, labels)) of numpy arrays,
    of which a tenth is held out for validation.

    Raises:
      ConfigError, DataError: unknown name, missing or malformed data.
    """
    function = DATASETS.resolve(name)
    offered = {'data_dir': data_dir, 'download': download}
    taken = inspect.signature(function).parameters
    source = function(**{key: value for key, value in offered.items() if key in taken})
    if not isinstance(source, Source):
        try:
            (x, y), (test_x, test_y) = source
        except (TypeError, ValueError) as e:
            raise errors.DataError(
                f'data set {_called(name)!r}: expected ((train inputs, labels), '
                f'(test inputs, labels)), received {type(source).__name__}'
            ) from e
        source = from_arrays((x, y), (test_x, test_y), name=_called(name))
    return split(source, split_seed, validation)


def from_arrays(train: tuple, test: tuple, name: str = 'arrays') -> Source:
    """A source from the user's own arrays; the number of classes is read off the labels.

    Raises:
      DataError: labels that are not one whole number per example.
    """
    for part in (train, test):
        if not isinstance(part, list | tuple) or len(part) != 2:
            raise errors.DataError(
                f'{name}: expected (inputs, labels) of numpy arrays, received '
                f'{type(part).__name__}; small data sets are held in memory'
            )
    labels = [
        base.checked_labels(part, f'{name} ({which})')
        for part, which in ((train, 'train'), (test, 'test'))
    ]
    classes = 1 + max(int(part.max()) for part in labels)
    return Source(name, train, test, classes, max(1, len(labels[0]) // 10))


def _called(name: str | Callable) -> str:
    """The name of a data set in messages and records: of a function never its address."""
    return name if isinstance(name, str) else getattr(name, '__name__', type(name).__name__)


__all__ = ['DATASETS', 'Data', 'Source', 'from_arrays', 'given', 'load', 'split']
