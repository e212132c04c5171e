"""The digits in the format of MNIST: what enlarging keeps."""

import numpy as np
import pytest

from lth_keras import data
from lth_keras.data.base import PARTS


@pytest.fixture(scope='module')
def pair():
    """The digits, small and large."""
    return data.load('digits'), data.load('digits_28')


def test_shapes_and_names(pair):
    small, large = pair
    assert (large.input_shape, large.classes, large.name) == ((28, 28, 1), 10, 'digits_28')
    for part in PARTS:
        x, y = getattr(large, part)
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        assert x.shape == (len(getattr(small, part)[1]), 28, 28, 1)


def test_labels_and_split_are_those_of_the_digits(pair):
    small, large = pair
    for part in PARTS:
        assert np.array_equal(getattr(small, part)[1], getattr(large, part)[1])
    other = data.load('digits', split_seed=3), data.load('digits_28', split_seed=3)
    assert np.array_equal(other[0].train[1], other[1].train[1])
    assert not np.array_equal(other[1].validation[0], large.validation[0])


def test_pixels_are_in_the_unit_interval(pair):
    for part in PARTS:
        x = getattr(pair[1], part)[0]
        assert x.min() == 0 and x.max() <= 1
    assert pair[1].train[0].max() == 1


def test_a_border_of_four_is_empty_and_no_more(pair):
    x = np.concatenate([getattr(pair[1], part)[0] for part in PARTS])[..., 0]
    inside = np.zeros((28, 28), bool)
    inside[4:24, 4:24] = True
    assert not np.any(x[:, ~inside])
    ever = x.max(0) > 0
    assert ever[4:24, 4:24].any(1).all()  # digits fill the full height


def test_corners_are_kept_and_rows_between_are_interpolated(pair):
    small, large = (d.train[0][..., 0].astype(np.float64) for d in pair)
    inner = large[:, 4:24, 4:24]
    assert np.allclose(inner[:, ::19, ::19], small[:, ::7, ::7], atol=1e-6)
    places = np.linspace(0, 7, 20)
    for image, given in zip(inner[:5], small[:5], strict=True):
        rows = np.array([np.interp(places, range(8), row) for row in given])
        expected = np.array([np.interp(places, range(8), column) for column in rows.T]).T
        assert np.allclose(image, expected, atol=1e-6)


def test_brightness_is_about_that_of_the_digits(pair):
    small, large = (d.train[0][..., 0].mean((1, 2)) for d in pair)
    area = 20 * 20 / (28 * 28)
    assert abs(large.mean() / (small.mean() * area) - 1) < 0.15
    assert np.corrcoef(small, large)[0, 1] > 0.95


def test_neither_network_nor_files_and_the_same_bits(pair, tmp_path):
    again = data.load('digits_28', data_dir=str(tmp_path / 'nothing'), download=True)
    assert again.digest == pair[1].digest != pair[0].digest
    assert not list(tmp_path.iterdir())
