"""A tiny finished search that the tests of the analyses share, and fabricated tickets."""

import shutil
import types

import numpy as np
import pytest

import lth_keras as lth
from lth_keras._compat import layers, tf_keras
from lth_keras.analysis import Seen, analyse
from lth_keras.mask import Mask
from lth_keras.rewind import Snapshot
from lth_keras.stages import Round
from lth_keras.ticket import Ticket

OPTIONS = {
    **{'rounds': 2, 'replicates': 2, 'controls': (), 'export': ('none',), 'engine': 'plain'},
    **{'training_steps': 12, 'batch_size': 20, 'eval_every': 6, 'learning_rate': 0.02},
    'report': False,
}


def build():
    """2 x 3 pixels, 6 hidden ReLU units, 2 classes."""
    return tf_keras.Sequential(
        [
            layers.Flatten(input_shape=(2, 3, 1)),
            layers.Dense(6, activation='relu', bias_initializer='ones'),
            layers.Dense(2),
        ]
    )


def source():
    """80 images of noise; the class is whether the left half is brighter."""
    rng = np.random.default_rng(0)
    x = rng.random((80, 2, 3, 1), np.float32)
    y = (x[:, :, 0].sum((1, 2)) > x[:, :, 2].sum((1, 2))).astype(np.int32)
    return lth.data.from_arrays((x, y), (x[:20], y[:20]))


@pytest.fixture(scope='session')
def given():
    """What `analyse` needs of a run by `find_tickets`."""
    return {'build_model': build, 'data': lth.data.split(source(), 0)}


@pytest.fixture(scope='session')
def searched(tmp_path_factory):
    """The directory of a finished search; not to be written to."""
    found = source()
    workdir = str(tmp_path_factory.mktemp('work'))
    return lth.find_tickets(
        build, found.train, found.test, quiet=True, workdir=workdir, **OPTIONS
    ).directory


@pytest.fixture(scope='session')
def analysed(searched, given, tmp_path_factory):
    """The same, with all analyses, and what they returned."""
    work = tmp_path_factory.mktemp('analysed') / 'work'
    shutil.copytree(searched.parent, work)
    return work / searched.name, analyse(work / searched.name, **given)


@pytest.fixture(scope='session')
def named(tmp_path_factory):
    """The directory of a search on a named data set and model."""
    options = {**OPTIONS, 'rounds': 1, 'replicates': 1, 'training_steps': 6, 'hidden': (8,)}
    experiment = lth.Experiment(
        model='mlp', dataset='digits', workdir=str(tmp_path_factory.mktemp('named')), **options
    )
    return lth.find(experiment, quiet=True).directory


@pytest.fixture
def seen():
    """Makes what an analysis is given, of arrays."""

    def make(mask, initial=None, dense=None, final=None, replicate=0, number=1):
        mask = Mask(mask)
        zeros = {path: np.zeros(shape, np.float32) for path, shape in mask.shapes.items()}

        def result(mask, final, number):
            start = Snapshot(0, initial or zeros)
            ticket = Ticket(mask, start, {}, '', final or zeros, final or zeros)
            return Round(replicate, number, 'ticket', ticket, '', {})

        ones = Mask.ones(mask.shapes)
        return Seen(result(mask, final, number), result(ones, dense, 0), initial or zeros)

    return make


@pytest.fixture
def lab():
    """Makes the part of a laboratory that the analyses look at."""

    def make(build_model, inputs, dense):
        data = types.SimpleNamespace(
            input_shape=np.shape(inputs)[1:],
            train=(np.asarray(inputs, np.float32), None),
            validation=(np.asarray(inputs[:1], np.float32), None),
        )
        return types.SimpleNamespace(
            model=build_model(), build_model=build_model, data=data, dense=Mask(dense)
        )

    return make
