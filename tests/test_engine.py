"""Which path trains: a fixed rule, or measured once per store; and several devices as one."""

import functools
import json
import math
import types

import pytest
import tensorflow as tf

from lth_keras import engine, errors, finding, pacing, plan
from lth_keras._compat import layers, tf_keras
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.probing import PROBE
from lth_keras.pruning import wrapping
from lth_keras.store import Store
from lth_keras.training import Trainer
from tests import nets

# -- the rule


def devices(count):
    return types.SimpleNamespace(num_replicas_in_sync=count)


def depthwise():
    return tf_keras.Sequential([layers.DepthwiseConv2D(2, input_shape=(6, 6, 2)), layers.Flatten()])


def within():
    """A convolution inside of another layer."""
    return tf_keras.Sequential([layers.TimeDistributed(layers.Conv1D(2, 2), input_shape=(4, 3, 2))])


NETWORKS = {
    'dense': (nets.dense, False),
    'normalised': (nets.normalised, False),
    'resnet': (nets.resnet, True),
    'depthwise': (depthwise, True),
    'within': (within, True),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_convolutions_are_found(name):
    build, convolves = NETWORKS[name]
    assert engine.convolutional(build()) == convolves


@pytest.mark.parametrize('replicas', [1, 2])
@pytest.mark.parametrize('name', ['dense', 'resnet'])
def test_choose_is_a_fixed_rule(name, replicas, monkeypatch):
    model, strategy = NETWORKS[name][0](), devices(replicas)
    several = replicas > 1

    def chosen(asked):
        return engine.choose(asked, model, strategy)

    assert chosen('auto') == ('plain' if several or name == 'resnet' else 'compiled')
    assert chosen('plain') == 'plain'
    assert chosen('probe') == ('plain' if several else 'probe')
    if several:
        with pytest.raises(errors.ConfigError, match='plain .or auto. for 2 replicas'):
            chosen('compiled')
    else:
        assert chosen('compiled') == 'compiled'
    gpu = tf.config.list_logical_devices('CPU')
    monkeypatch.setattr(tf.config, 'list_logical_devices', lambda kind: gpu)
    assert chosen('auto') == ('plain' if several else 'compiled')


def test_unknown_engines_are_named():
    with pytest.raises(errors.ConfigError, match="'compild': did you mean 'compiled'"):
        engine.choose('compild', nets.dense(), devices(1))
    with pytest.raises(errors.ConfigError, match='auto, compiled, plain, probe'):
        engine.choose('fast', nets.dense(), devices(1))


def test_the_fastest_is_measured_in_turn_and_by_its_least():
    times = {'one': iter([5.0, 1.0, 3.0]), 'two': iter([2.0, 2.0, 2.0])}
    calls = []

    def pace(name):
        return lambda: calls.append(name) or next(times[name])

    found = engine.fastest({name: pace(name) for name in times})
    assert found == {'one': 1.0, 'two': 2.0}
    assert calls == ['one', 'two'] * 3
    assert engine.fastest({'nan': lambda: math.inf}, repeats=1) == {'nan': math.inf}


# -- probe: measured once, kept in the store

TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 1, 'replicates': 1},
    **{'training_steps': 4, 'batch_size': 20, 'eval_every': 2, 'engine': 'probe'},
    **{'controls': (), 'export': ('none',)},
}


@pytest.fixture
def paces(monkeypatch):
    """Seconds that a Trainer takes per step, by its engine, and the engines that were asked."""
    found = types.SimpleNamespace(seconds={'compiled': 2.0, 'plain': 1.0}, asked=[])

    def pace(trainer, start, mask, seed, eval_every):
        found.asked.append(trainer.engine)
        return found.seconds[trainer.engine]

    monkeypatch.setattr(pacing, 'pace', pace)
    return found


def laboratory(folder, build=nets.dense, **options):
    return Laboratory(Experiment(**TINY | {'workdir': str(folder)} | options), build, nets.data())


@pytest.mark.parametrize('fastest', engine.PATHS)
def test_a_probe_is_kept_in_the_store(tmp_path, paces, fastest):
    paces.seconds[fastest] = 0.5
    first = laboratory(tmp_path)
    assert first.engine == first.identity['engine'] == first.engine == fastest
    assert paces.asked == ['compiled', 'plain'] * 3
    assert first.trainer.engine == fastest
    for name in paces.seconds:  # whatever it would measure now
        paces.seconds[name] = 0.1 if name != fastest else 9.0
    assert laboratory(tmp_path).engine == fastest
    assert laboratory(tmp_path, seed=5, rounds=3, rate=0.5).engine == fastest
    assert len(paces.asked) == 6
    assert first.experiment.engine == 'probe'  # what was asked for, in the configuration
    (stage,) = [path for path in tmp_path.rglob('*') if path.name.startswith(PROBE)]
    assert stage.is_dir()


def test_what_decides_the_speed_is_measured_anew(tmp_path, paces):
    assert laboratory(tmp_path).engine == 'plain'
    paces.seconds['compiled'] = 0.1
    for options in ({'batch_size': 10}, {'optimizer': 'sgd'}):
        assert laboratory(tmp_path, **options).engine == 'compiled'
    assert laboratory(tmp_path, lambda: nets.dense(11)).engine == 'compiled'
    assert len(paces.asked) == 4 * 6
    assert laboratory(tmp_path).engine == 'plain'


def test_a_dry_run_measures_and_writes_nothing(tmp_path, paces):
    folder = tmp_path / 'work'
    dry = laboratory(folder, dry_run=True)
    assert dry.engine == 'plain' and not folder.exists()
    assert 'plain engine' in plan.describe(dry.experiment, dry) and not folder.exists()
    assert paces.asked == ['compiled', 'plain'] * 3 + ['plain']  # the last one for the plan
    assert laboratory(folder).engine == 'plain'
    paces.seconds['compiled'] = 0.1
    assert laboratory(folder, dry_run=True).engine == 'plain'  # what is there is read
    assert len(paces.asked) == 13


def test_records_name_the_path_that_was_chosen(tmp_path, paces):
    ends = []
    for options in ({'rounds': 0}, {'rounds': 1, 'engine': 'plain'}):
        lab = laboratory(tmp_path, **options)
        found = finding.find(lab.experiment, lab, quiet=True)
        run = json.loads((found.directory / 'run.json').read_text())
        records = json.loads((found.directory / 'records.json').read_text())
        assert run['identity']['engine'] == records['identity']['engine'] == 'plain'
        assert run['identity']['configuration']['engine'] == lab.experiment.engine
        ends.append({row['stage'] for row in records['rows']})
    # Trainings are keyed by the path that trained: whoever asks for it by name finds them.
    assert ends[0] < ends[1]
    assert len(paces.asked) == 6
    store = Store(tmp_path)
    assert all((store.stages / stage).is_dir() for stage in ends[1])


def test_a_real_measurement_is_a_time_and_leaves_no_trace():
    def make_trainer():
        make = functools.partial(tf_keras.optimizers.SGD, 0.1, momentum=0.9)
        return Trainer(nets.normalised, make, nets.data(), 8, 'plain')

    trainer, fresh = make_trainer(), make_trainer()
    start = wrapping.read(trainer.model)
    assert 0 < pacing.pace(trainer, start, None, 0, eval_every=10) < 5
    one, other = (t.train(start, None, seed=0, stop=3).final_weights for t in (trainer, fresh))
    assert nets.unlike(one, other) == []


# -- several devices: strategies cannot share a process

TWO_DEVICES = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from lth_keras import data, initial, models, strategies, training
from lth_keras._compat import tf_keras
from lth_keras.pruning import PruningPolicy, read_mask
from lth_keras.mask import Mask
from tests.own import small
generator = np.random.default_rng(0)
x = generator.random((100, 6), np.float32)
y = (x.sum(1) / 2).astype(np.int32).clip(0, 2)
whole = data.split(data.from_arrays((x, y), (x, y)), 0, 13)   # 87 examples: a smaller last batch
policy = PruningPolicy(0.5)

def build():
    return tf_keras.Sequential([tf_keras.layers.Dense(16, activation='relu', input_shape=(6,),
        kernel_regularizer='l2'), tf_keras.layers.Dense(3)])

def trainer(strategy):
    return training.Trainer(lambda: policy.wrap(build), lambda: tf_keras.optimizers.Adam(0.01),
                            whole, 20, 'plain', strategy)

one = trainer(tf.distribute.get_strategy())
two = trainer(strategies.strategy('mirrored'))
assert two.strategy.num_replicas_in_sync == 2
start = initial.initial_weights(build, 0)
generator = np.random.default_rng(1)
mask = Mask({p: generator.random(m.shape) < 0.5 for p, m in read_mask(one.model).items()})
a, b = (t.train(start, mask, 0, 23, eval_every=5) for t in (one, two))
for path in a.final_weights:
    gap = np.abs(a.final_weights[path] - b.final_weights[path]).max()
    assert gap < 1e-6, (path, gap)
    if path in mask:
        assert not np.any(b.final_weights[path][~mask[path]])
assert np.allclose(a.curve, b.curve, atol=1e-5, equal_nan=True)
print('agree')
"""


def test_two_replicas_train_like_one_device():
    assert nets.in_another_process(TWO_DEVICES).split()[-1] == 'agree'
