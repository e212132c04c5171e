"""What all tests share: the environment of TensorFlow, --slow, and real data."""

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

# Before anything imports TensorFlow.
os.environ['TF_USE_LEGACY_KERAS'] = '1'
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='also run the tests marked slow')


def pytest_collection_modifyitems(config, items):
    if config.getoption('--slow'):
        return
    skip = pytest.mark.skip(reason='slow: runs with --slow')
    for item in items:
        if 'slow' in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope='session')
def mnist_dir() -> Path:
    """A data_dir of tensorflow_datasets that has MNIST; nothing is downloaded for a test."""
    places = [ROOT.parent / 'shared' / 'data' / 'tfds']
    if os.environ.get('TFDS_DATA_DIR'):
        places.insert(0, Path(os.environ['TFDS_DATA_DIR']).expanduser())
    for place in places:
        if (place / 'mnist').is_dir():
            return place
    pytest.skip('MNIST is not on this machine: TFDS_DATA_DIR names no folder that has it')


def _seed():
    random.seed(0)
    np.random.seed(0)
    if 'tf_keras' in sys.modules:  # tests of arrays alone do not load it
        sys.modules['tf_keras'].utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope='module')
def seeded_module():
    """The same draws in every run for what a module's tests share."""
    _seed()


@pytest.fixture(autouse=True)
def seeded(seeded_module):
    """The same draws in every run, whatever ran before: a test that fails, fails again."""
    _seed()
