"""Data sets of TensorFlow Datasets, read from where they lie; downloads only on request."""

import os
from typing import Any

import numpy as np

from lth_keras import errors
from lth_keras.data.base import Source

# TFDS retries a failed connection ten times, which is minutes of noise without a network.
DOWNLOAD_RETRIES = 2


def mnist(data_dir: str = '', download: bool = False) -> Source:
    """MNIST through TensorFlow Datasets: 28 x 28 pixels, 55,000 / 5,000 / 10,000 images.

    Pixels are divided by 255, into [0, 1].

    Source: LeCun, Cortes, Burges; split of Frankle & Carbin 2019.
    """
    return load('mnist', data_dir, download, validation=5000)


def fashion_mnist(data_dir: str = '', download: bool = False) -> Source:
    """Fashion-MNIST through TensorFlow Datasets: sizes and shape of MNIST, articles of clothing.

    28 x 28 pixels, divided by 255, into [0, 1]; 55,000 / 5,000 / 10,000 images.

    Source: Xiao, Rasul & Vollgraf, Fashion-MNIST, 2017; split as for MNIST.
    """
    return load('fashion_mnist', data_dir, download, validation=5000)


def cifar10(data_dir: str = '', download: bool = False) -> Source:
    """CIFAR-10 through TensorFlow Datasets: 32 x 32 colours, 45,000 / 5,000 / 10,000 images.

    Pixels are divided by 255, into [0, 1], and nothing else: no mean is taken off, no deviation
    divided by. What Frankle & Carbin 2019 did is not verified; their later code (open_lth:
    datasets/cifar10.py) standardises each channel, with the statistics of ImageNet.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009; sizes of the
    split of Zhou et al. 2019.
    """
    return load('cifar10', data_dir, download, validation=5000)


def cifar100(data_dir: str = '', download: bool = False) -> Source:
    """CIFAR-100 through TensorFlow Datasets: as CIFAR-10, with 100 classes.

    Pixels are divided by 255, into [0, 1], and nothing else. The labels are the fine ones.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, 2009.
    """
    return load('cifar100', data_dir, download, validation=5000)


def load(name: str, data_dir: str, download: bool, validation: int) -> Source:
    """Reads the train and test splits of an image-classification set into memory.

    Args:
      name: name of the set in TFDS.
      data_dir: folder that holds it; TFDS_DATA_DIR or ~/tensorflow_datasets if empty.
      download: fetch and prepare it if it is not there.
      validation: number of training examples to hold out later.

    Raises:
      DataError: the set is not there, cannot be fetched, or has no such splits.
    """
    # Imported here: it takes seconds, and the embedded set needs none of it.
    import tensorflow_datasets as tfds

    folder = os.path.expanduser(
        data_dir or os.environ.get('TFDS_DATA_DIR') or os.path.join('~', 'tensorflow_datasets')
    )
    tfds.disable_progress_bar()
    try:
        builder = tfds.builder(name, data_dir=folder)
    except Exception as e:
        raise errors.DataError(f'data set {name!r}: TFDS cannot load it: {_line(e)}') from e
    if not builder.is_prepared():
        if not download:
            raise errors.DataError(
                f'data set {name!r}: expected it below {folder!r}, found nothing there; pass '
                '--data_dir=FOLDER (or set TFDS_DATA_DIR) if it lies elsewhere, or --download to '
                'fetch it'
            )
        _fetch(builder, name, folder)
    try:
        parts = {
            part: tfds.as_numpy(builder.as_dataset(split=part, batch_size=-1, as_supervised=True))
            for part in ('train', 'test')
        }
    except Exception as e:
        raise errors.DataError(
            f'data set {name!r} in {folder!r} cannot be read: {_line(e)}; remove it and prepare '
            'it anew'
        ) from e
    scaled = {
        part: (np.divide(x, np.float32(255), dtype=np.float32), np.asarray(y, np.int32))
        for part, (x, y) in parts.items()
    }
    classes = builder.info.features['label'].num_classes
    return Source(name, scaled['train'], scaled['test'], classes, validation)


def _fetch(builder: Any, name: str, folder: str) -> None:
    from tensorflow_datasets.core.download import downloader

    downloader.MAX_RETRIES = DOWNLOAD_RETRIES
    try:
        builder.download_and_prepare()
    except Exception as e:
        raise errors.DataError(
            f'data set {name!r} could not be fetched into {folder!r}: {_line(e)}; copy a prepared '
            'one there, or use --dataset=digits, which needs no network'
        ) from e


def _line(e: Exception) -> str:
    return f'{type(e).__name__}: {e}'.replace('\n', ' ')[:200]
