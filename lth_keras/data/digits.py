"""The embedded data set, in two sizes: needs no network and no files."""

import numpy as np

from lth_keras.data.base import Source


def digits(data_dir: str = '', download: bool = False) -> Source:
    """Real handwritten digits, 8 x 8 pixels, bundled with scikit-learn: 1,797 images.

    Pixels are divided by 16, into [0, 1]. The last 297 images (in the order of the set, written
    by other people than the first ones) are the test part; 250 of the others are held out.

    Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (its test set).
    """
    from sklearn.datasets import load_digits

    bundle = load_digits()
    x = (bundle.images / 16.0).astype(np.float32)[..., np.newaxis]
    y = bundle.target.astype(np.int32)
    return Source('digits', (x[:1500], y[:1500]), (x[1500:], y[1500:]), 10, 250)


def digits_28(data_dir: str = '', download: bool = False) -> Source:
    """The embedded digits in the format of MNIST: 28 x 28 pixels, so that tickets can be moved.

    As in MNIST the digit fills 20 x 20 pixels (bilinear, corners kept) inside a border of 4. The
    parts are those of `digits`.

    Source: as `digits`; the format of LeCun et al. 1998.
    """
    small = digits()
    weights = _bilinear(8, 20)

    def enlarged(x: np.ndarray) -> np.ndarray:
        large = np.einsum('ai,nij,bj->nab', weights, x[..., 0].astype(np.float64), weights)
        return np.pad(large, ((0, 0), (4, 4), (4, 4))).astype(np.float32)[..., np.newaxis]

    train, test = ((enlarged(x), y) for x, y in (small.train, small.test))
    return Source('digits_28', train, test, small.classes, small.validation)


def _bilinear(size: int, target: int) -> np.ndarray:
    """(target, size) weights of linear interpolation; the first and last points stay."""
    where = np.linspace(0, size - 1, target)
    return np.maximum(0.0, 1.0 - np.abs(where[:, np.newaxis] - np.arange(size)))
