"""The embedded data set: sizes, labels, and the same bits in every process."""

import numpy as np
import pytest

from lth_keras import data

# Of split seed 0. Frozen: it is part of the key of every stage on this data set.
DIGEST = '647dba056595081c2e45a00bcc1f840de37007473c3f2645052b09c03a473bc2'


@pytest.fixture(scope='module')
def digits():
    return data.load('digits')


def test_sizes(digits):
    assert [len(part[1]) for part in (digits.train, digits.validation, digits.test)] == [
        1250,
        250,
        297,
    ]
    assert (digits.input_shape, digits.classes, digits.name) == ((8, 8, 1), 10, 'digits')
    assert digits.summary() == (
        'digits: 1,250 / 250 / 297 train / validation / test examples of shape 8x8x1, 10 classes'
    )


def test_pixels_and_labels(digits):
    for x, y in (digits.train, digits.validation, digits.test):
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        assert (x.min(), x.max()) == (0, 1)
        assert np.array_equal(x * 16, np.round(x * 16)), '17 grey values'
        assert set(y.tolist()) == set(range(10))
        assert np.bincount(y).min() > 0.05 * len(y)


def test_nothing_is_lost(digits):
    given = data.DATASETS['digits']()
    assert given.train[1][:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    together = np.concatenate([digits.train[0], digits.validation[0]]).reshape(1500, 64)
    whole = given.train[0].reshape(1500, 64)
    assert sorted(map(bytes, together)) == sorted(map(bytes, whole))
    assert np.array_equal(digits.test[0], given.test[0])


def test_the_same_in_every_process(digits):
    assert digits.digest == data.load('digits').digest == DIGEST


def test_the_split_has_a_seed_of_its_own(digits):
    other = data.load('digits', split_seed=1)
    assert other.digest != digits.digest
    assert np.array_equal(other.test[0], digits.test[0]), 'the test part is never drawn'
    assert len(other.validation[1]) == 250


def test_neither_network_nor_files(digits, monkeypatch, tmp_path):
    import socket

    def refuse(*_):
        raise AssertionError('a connection was opened')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    found = data.load('digits', data_dir=str(tmp_path / 'nothing'), download=True)
    assert found.digest == digits.digest
    assert not list(tmp_path.iterdir())
