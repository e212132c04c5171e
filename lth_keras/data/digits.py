"""The embedded data set: needs no network and no files."""

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
