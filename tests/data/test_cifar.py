"""CIFAR and Fashion-MNIST: by name, offline, from small sets and from the real one."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lth_keras import data
from lth_keras.data import DATASETS
from lth_keras.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[2]
SETS = {  # shape and classes
    'fashion_mnist': ((28, 28, 1), 10),
    'cifar10': ((32, 32, 3), 10),
    'cifar100': ((32, 32, 3), 100),
}


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


# -- small sets, in the format of the real ones


def drawn(name, count):
    """Random pixels, all 256 values among them, and labels."""
    shape, classes = SETS[name]
    random = np.random.default_rng(count)
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    return images, random.integers(0, classes, count)


def examples(name, count, features):
    """The same with keys, as TFDS takes them; CIFAR also has an id, CIFAR-100 coarse labels."""
    for index, (image, label) in enumerate(zip(*drawn(name, count), strict=True)):
        example = {'image': image, 'label': label, 'coarse_label': 0, 'id': str(index)}
        yield index, {key: example[key] for key in features}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A data_dir with 40 and 12 examples of each set, as TFDS itself writes them."""
    import tensorflow_datasets as tfds

    place = tmp_path_factory.mktemp('tfds')
    tfds.disable_progress_bar()
    for name in SETS:
        known = tfds.builder(name, data_dir=place)
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=str(known.version),
            features=known.info.features,
            split_datasets={
                'train': examples(name, 40, known.info.features),
                'test': examples(name, 12, known.info.features),
            },
            data_dir=place,
        )
    return place


@pytest.mark.parametrize('name', SETS)
def test_a_set_by_name(name, folder, no_network):
    found = data.load(name, str(folder), validation=5)
    assert [len(part[1]) for part in (found.train, found.validation, found.test)] == [35, 5, 12]
    assert (found.name, found.input_shape, found.classes) == (name, *SETS[name])


@pytest.mark.parametrize('name', SETS)
def test_pixels_are_divided_by_255_and_nothing_else(name, folder):
    source = DATASETS[name](str(folder))
    for (x, y), count in [(source.train, 40), (source.test, 12)]:
        images, labels = drawn(name, count)
        assert (x.dtype, y.dtype) == (np.float32, np.int32)
        # TFDS shuffles what it writes: compared as sets of (image, label).
        expected = images.astype(np.float32) / np.float32(255)
        pairs = sorted((image.tobytes(), int(label)) for image, label in zip(x, y, strict=True))
        assert pairs == sorted(
            (image.tobytes(), int(label)) for image, label in zip(expected, labels, strict=True)
        )
        assert (x.min(), x.max()) == (0, 1)


@pytest.mark.parametrize('name', SETS)
def test_five_thousand_are_held_out(name, folder):
    assert DATASETS[name](str(folder)).validation == 5000
    with pytest.raises(DataError, match=f'{name}: expected between 1 and 39 of 40 .* 5000'):
        data.load(name, str(folder))


@pytest.mark.parametrize('name', SETS)
def test_a_missing_set_names_the_folder_and_what_to_do(name, tmp_path, no_network):
    place = tmp_path / 'nothing here'
    with pytest.raises(DataError) as raised:
        data.load(name, str(place))
    text = str(raised.value)
    assert f'data set {name!r}: expected it below {str(place)!r}' in text
    assert all(word in text for word in ('--data_dir=', 'TFDS_DATA_DIR', '--download'))
    assert not place.exists()


@pytest.mark.parametrize('name', SETS)
def test_a_torn_set_is_not_read(name, folder, tmp_path, no_network):
    shutil.copytree(folder / name, tmp_path / name)
    for shard in (tmp_path / name).rglob('*.tfrecord-*'):
        content = shard.read_bytes()
        shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match='prepare it anew'):
        data.load(name, str(tmp_path))


def test_a_mistyped_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown dataset 'cifar_10': did you mean 'cifar10'"):
        data.load('cifar_10')


# -- the real one, JPEG-re-encoded


def has_cifar10(place):
    return bool(list((place / 'cifar10').glob('*/dataset_info.json')))


@pytest.fixture(scope='module')
def cifar10_dir():
    """A data_dir of tensorflow_datasets that has CIFAR-10; nothing is downloaded for a test."""
    cache, pack = ROOT / 'build' / 'tfds', ROOT.parent / 'shared' / 'data' / 'prepare_cifar10'
    places = [cache]
    if os.environ.get('TFDS_DATA_DIR'):
        places.insert(0, Path(os.environ['TFDS_DATA_DIR']).expanduser())
    for place in places:
        if has_cifar10(place):
            return place
    if not pack.is_file():
        pytest.skip('CIFAR-10 is not on this machine: TFDS_DATA_DIR names no folder that has it')
    subprocess.run([sys.executable, str(pack), str(cache)], check=True, capture_output=True)
    return cache


@pytest.fixture(scope='module')
def cifar10(cifar10_dir):
    """CIFAR-10 as it comes, before any split; read once, it takes seconds."""
    return DATASETS['cifar10'](str(cifar10_dir))


@pytest.mark.slow
def test_real_pixels(cifar10):
    x, y = cifar10.train
    assert (x.shape, cifar10.test[0].shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert (x.dtype, x.min(), x.max()) == (np.float32, 0, 1)
    # Published for the original: means 0.4914, 0.4822, 0.4465, deviations 0.2470, 0.2435, 0.2616.
    # Re-encoding smooths: hence the tolerance.
    mean = x.mean((0, 1, 2), dtype=np.float64)
    assert np.abs(mean - [0.4914, 0.4822, 0.4465]).max() < 0.001
    assert np.abs(x.std((0, 1, 2), dtype=np.float64) - [0.2470, 0.2435, 0.2616]).max() < 0.003
    assert np.bincount(y).tolist() == [5000] * 10
    assert np.bincount(cifar10.test[1]).tolist() == [1000] * 10


@pytest.mark.slow
def test_the_split_of_the_paper(cifar10):
    found = data.split(cifar10, 0)
    sizes = [len(part[1]) for part in (found.train, found.validation, found.test)]
    assert sizes == [45_000, 5_000, 10_000]
    assert (found.classes, found.input_shape) == (10, (32, 32, 3))
    for part in (found.train, found.validation):
        share = np.bincount(part[1]) / len(part[1])
        assert 0.09 < share.min() and share.max() < 0.11


@pytest.mark.slow
def test_the_order_is_that_of_the_library(cifar10):
    assert cifar10.train[1][:5].tolist() == [7, 8, 4, 4, 6]
