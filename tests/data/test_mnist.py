"""MNIST where it lies, and a clear, quick answer where it does not."""

import socket
import time

import numpy as np
import pytest

from lth_keras import data
from lth_keras.data import tfds
from lth_keras.errors import DataError


@pytest.fixture(scope='module')
def mnist(mnist_dir):
    """MNIST as it comes, before any split; read once, it takes seconds."""
    return tfds.load('mnist', str(mnist_dir), download=False, validation=5000)


@pytest.fixture
def no_network(monkeypatch):
    """Any connection fails the test."""
    tried = []

    def refuse(self, address, *_):
        tried.append(address)
        raise OSError('no network in this test')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *a, **k: refuse(None, a))
    yield
    assert not tried, f'connections were tried: {tried}'


def test_the_first_labels(mnist):
    assert mnist.train[1][:5].tolist() == [4, 1, 0, 7, 8]


def test_pixels(mnist):
    x, _ = mnist.train
    assert x.shape == (60_000, 28, 28, 1)
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)
    assert round(float(x.mean(dtype=np.float64)), 4) == 0.1307
    assert mnist.test[0].shape == (10_000, 28, 28, 1)


def test_the_split_of_the_paper(mnist):
    found = data.split(mnist, 0)
    sizes = [len(part[1]) for part in (found.train, found.validation, found.test)]
    assert sizes == [55_000, 5_000, 10_000]
    assert (found.classes, found.input_shape) == (10, (28, 28, 1))
    for part in (found.train, found.validation, found.test):
        share = np.bincount(part[1]) / len(part[1])
        assert len(share) == 10 and 0.08 < share.min() and share.max() < 0.13


def test_by_name_it_is_looked_for_in_the_folder(monkeypatch, tmp_path):
    asked = []

    def loader(name, folder, download, validation):
        asked.append((name, folder, download, validation))
        x, y = np.zeros((20, 2), np.float32), np.arange(20) % 10
        return data.Source(name, (x, y), (x, y), 10, 5)

    monkeypatch.setattr(tfds, 'load', loader)
    data.load('mnist', str(tmp_path))
    data.load('mnist', download=True)
    assert asked == [('mnist', str(tmp_path), False, 5000), ('mnist', '', True, 5000)]


def test_a_missing_set_names_the_folder_and_what_to_do_at_once(tmp_path, no_network):
    folder = tmp_path / 'nothing here'
    started = time.monotonic()
    with pytest.raises(DataError) as raised:
        data.load('mnist', str(folder))
    assert time.monotonic() - started < 20  # importing the library included; no retries
    text = str(raised.value)
    assert f"data set 'mnist': expected it below {str(folder)!r}" in text
    assert all(word in text for word in ('--data_dir=', 'TFDS_DATA_DIR', '--download'))
    assert not folder.exists(), 'a folder was made although nothing may be fetched'


@pytest.mark.parametrize('place', ['environment', 'home'])
def test_without_data_dir_the_usual_places_are_named(place, monkeypatch, tmp_path, no_network):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.delenv('TFDS_DATA_DIR', raising=False)
    expected = tmp_path / 'tensorflow_datasets'
    if place == 'environment':
        expected = tmp_path / 'elsewhere'
        monkeypatch.setenv('TFDS_DATA_DIR', '~/elsewhere')
    with pytest.raises(DataError) as raised:
        data.load('mnist')
    assert repr(str(expected)) in str(raised.value)


def test_a_download_that_fails_says_so_and_names_the_set_that_needs_none(tmp_path, monkeypatch):
    import tensorflow_datasets

    def fail(self, *_, **__):
        raise OSError('no\nnetwork')

    monkeypatch.setattr(tensorflow_datasets.core.DatasetBuilder, 'download_and_prepare', fail)
    with pytest.raises(DataError) as raised:
        data.load('mnist', str(tmp_path), download=True)
    text = str(raised.value)
    assert f'could not be fetched into {str(tmp_path)!r}: OSError: no network' in text
    assert '--dataset=digits' in text
    assert '\n' not in text


def test_an_unknown_set_of_the_library_is_named(tmp_path, no_network):
    with pytest.raises(DataError, match="data set 'mnsit': TFDS cannot load it"):
        tfds.load('mnsit', str(tmp_path), download=False, validation=10)


def test_a_torn_set_is_not_read(tmp_path, mnist_dir, no_network):
    import shutil

    shutil.copytree(mnist_dir / 'mnist', tmp_path / 'mnist')
    for shard in (tmp_path / 'mnist').rglob('*.tfrecord-*'):
        content = shard.read_bytes()
        shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError) as raised:
        tfds.load('mnist', str(tmp_path), download=False, validation=5000)
    assert str(tmp_path) in str(raised.value)
    assert 'prepare it anew' in str(raised.value)
