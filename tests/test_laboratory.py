"""What the rounds share: what must stay as it was, what names a run, and what cannot be meant."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import digests, errors, keys, session
from lth_keras._compat import layers, tf_keras
from lth_keras.data import Data
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from tests import nets, own

TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 2, 'replicates': 1},
    **{'training_steps': 6, 'batch_size': 20, 'eval_every': 3, 'engine': 'plain'},
}


def make(build=nets.dense, data=None, **options):
    return Laboratory(Experiment(**TINY | options), build, data or nets.data())


class Scaled(layers.Layer):
    """A layer whose code holds a number that its configuration does not."""

    factor = 1.0

    def call(self, inputs):
        return self.factor * inputs


def scaled():
    return tf_keras.Sequential(
        [layers.Dense(10, activation='relu', input_shape=(6,)), Scaled(), layers.Dense(3)]
    )


# -- identity


def test_identity_holds_all_that_bits_depend_on():
    lab = make()
    identity = lab.identity
    assert identity['configuration'] == lab.experiment.configuration()
    assert set(identity['digests']) == {'data', 'model', 'behaviour', 'initial_weights'}
    assert all(len(text) == 64 for text in identity['digests'].values())
    assert identity['digests']['data'] == lab.data.digest
    assert identity['engine'] == 'plain' and identity['replicas'] == 1
    assert identity['threads'] == session.threads() >= 1
    assert identity['device'].split()[0] in ('CPU', 'GPU') and len(identity['device']) > 4
    assert set(identity['versions']) == {'python', *session.LIBRARIES}
    assert 'unknown' not in identity['versions'].values()
    digests.plain(identity)  # it is stored as JSON


@pytest.mark.parametrize('build', [nets.dense, nets.noisy, nets.resnet], ids=lambda b: b.__name__)
def test_identity_is_the_same_for_each_build(build):
    shape = (6, 6, 2) if build is nets.resnet else (6,)
    one = make(build, nets.data(shape)).identity
    build()
    assert make(build, nets.data(shape)).identity == one


def test_identity_in_another_process_is_the_same():
    code = (
        'from tests import nets; from lth_keras.experiment import Experiment\n'
        'from lth_keras.laboratory import Laboratory\n'
        f'lab = Laboratory(Experiment(**{TINY!r}), nets.noisy, nets.data())\n'
        'from lth_keras import digests\n'
        'print(digests.canonical(lab.identity))'
    )
    assert nets.in_another_process(code).splitlines()[-1] == digests.canonical(
        make(nets.noisy).identity
    )


def changed(one, other):
    """The digests in which two identities differ."""
    return {k for k in one['digests'] if one['digests'][k] != other['digests'][k]}


def test_another_model_data_or_seed_is_another_identity():
    one = make().identity
    assert changed(one, make(seed=1).identity) >= {'initial_weights'}
    assert not changed(one, make(seed=1).identity) & {'model', 'data'}
    wider = make(lambda: nets.dense(11)).identity
    assert changed(one, wider) == {'model', 'behaviour', 'initial_weights'}
    (x, y), *rest = (getattr(nets.data(), part) for part in ('train', 'validation', 'test'))
    x = np.where(np.arange(40)[:, None] == 39, x + np.float32(1e-3), x)  # not in the first batch
    other = make(data=Data('random', (x, y), *rest, 3)).identity
    assert changed(one, other) == {'data'}


def test_behaviour_sees_code_that_the_architecture_does_not_hold(monkeypatch):
    before = make(scaled)
    one = before.identity['digests']
    assert make(scaled).identity['digests'] == one
    monkeypatch.setattr(Scaled, 'factor', 1.5)
    after = make(scaled)
    assert after.architecture == before.architecture
    assert changed({'digests': one}, after.identity) == {'behaviour'}
    key = [
        keys.training_inputs(lab, lab.initial(0), lab.dense, 0, 0, None)['behaviour']
        for lab in (before, after)
    ]
    assert key[0] != key[1]


def test_behaviour_sees_gradients_too(monkeypatch):
    """Outputs are equal, gradients are not."""
    monkeypatch.setattr(Scaled, 'call', lambda self, inputs: tf.identity(inputs))
    one = make(scaled).identity
    monkeypatch.setattr(
        Scaled, 'call', lambda self, inputs: tf.stop_gradient(inputs) + 0.5 * (inputs - inputs)
    )
    assert changed(one, make(scaled).identity) == {'behaviour'}


# -- what names a run


def test_a_named_experiment_is_named_by_its_configuration():
    lab = Laboratory(Experiment(replicates=1))
    assert lab.fingerprint == Experiment(replicates=1).fingerprint()
    assert lab.name == 'lenet_300_100-digits-resetting'


def test_a_given_model_and_data_enter_the_fingerprint():
    labs = [
        make(),
        make(nets.noisy),
        make(lambda: nets.dense(11)),
        make(data=nets.data(sizes=(41, 20, 20))),
        make(data=nets.data(sizes=(40, 20, 21))),
        make(rate=0.3),
    ]
    assert len({lab.fingerprint for lab in labs}) == len(labs)
    assert make().fingerprint == make(rounds=1, controls=(), export=('none',)).fingerprint
    assert all(len(lab.fingerprint) == 10 and lab.name == 'tickets' for lab in labs)
    assert make(label='mine').name == 'mine'


# -- what cannot be meant


def test_the_number_of_outputs_must_be_that_of_the_classes():
    with pytest.raises(errors.ModelError, match=r'one output of 3 classes, received .*4'):
        _ = make(own.wrong_outputs).plans


def test_there_must_be_one_output():
    def two():
        inputs = layers.Input((6,))
        x = layers.Dense(4)(inputs)
        return tf_keras.Model(inputs, [layers.Dense(3)(x), layers.Dense(3)(x)])

    with pytest.raises(errors.ModelError, match='one output of 3 classes'):
        _ = make(two).plans


def test_outputs_must_be_one_row_per_example():
    def image():
        return tf_keras.Sequential([layers.Reshape((2, 3), input_shape=(6,)), layers.Dense(3)])

    with pytest.raises(errors.ModelError, match='one output of 3 classes'):
        _ = make(image).plans


def test_the_input_must_have_the_shape_of_the_examples():
    with pytest.raises(errors.ModelError, match=r'inputs of shape \(5,\), received one for \(6,\)'):
        _ = make(data=nets.data((5,))).plans


def test_there_must_be_one_input():
    def two():
        a, b = layers.Input((6,)), layers.Input((6,))
        return tf_keras.Model([a, b], layers.Dense(3)(a + b))

    with pytest.raises(errors.ModelError, match='expected a model for inputs of shape'):
        _ = make(two).plans


def test_a_model_without_kernels_is_refused_with_the_reasons():
    with pytest.raises(errors.ModelError, match='(?s)no kernel that the policy may prune.*left'):
        _ = make(own.no_kernels).plans


def test_a_builder_that_fixes_its_seeds_is_refused():
    for build in (own.fixed_seed, own.seeds_everything):
        with pytest.raises(errors.ConfigError, match='every replicate would start alike'):
            make(build, replicates=2)
        make(build)  # one replicate may


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'control_rounds': (1, 3)}, 'control_rounds: expected rounds among 1 to 2, received 3'),
        ({'control_rounds': (1,), 'rounds': 0}, 'control_rounds: .* received 1'),
        ({'export': ('3',)}, 'export: expected rounds among 0 to 2, received 3'),
        ({'export': ('none', '2', '07')}, 'export: expected rounds among 0 to 2, received 07'),
        (
            {'export': ('2',), 'procedure': 'one_shot', 'target_density': 0.3},
            'export: expected rounds among 0 to 1, received 2',
        ),
    ],
    ids=str,
)
def test_rounds_out_of_range_are_named(options, text):
    with pytest.raises(errors.ConfigError, match=text):
        _ = make(**options).plans


def test_rounds_in_range_are_taken():
    lab = make(control_rounds=(2,), export=('0', '2', 'smallest_matching'))
    assert [lab.has_controls(number) for number in range(3)] == [False, False, True]
    lab = make()
    assert [lab.has_controls(number) for number in range(3)] == [False, True, True]
    assert not any(make(controls=()).has_controls(number) for number in range(3))


# -- two in one process


def test_two_laboratories_do_not_disturb_each_other():
    def train(lab):
        found = lab.trainer.train(lab.initial(0), lab.dense, 0, 6, eval_every=3)
        return {**found.final_weights, 'curve': found.curve}

    alone = train(make(nets.noisy))
    one, other = make(nets.noisy), make(own.small, seed=4)
    identity = one.identity
    both = [train(one)]
    of_other = train(other)
    both += [train(one)]
    assert nets.unlike(train(other), of_other) == []
    for found in both:
        assert nets.unlike(found, alone) == []
    assert make(nets.noisy).identity == identity
    assert one.model is not one.trainer.model


def test_looking_changes_nothing():
    """The plan, the identity and the model are looked at before, between and after trainings."""
    lab, other = make(nets.noisy), make(nets.noisy)
    plain = lab.trainer.train(lab.initial(0), lab.dense, 0, 6, eval_every=3).final_weights
    assert other.plans and other.identity and other.architecture
    looked = other.trainer.train(other.initial(0), other.dense, 0, 6, eval_every=3).final_weights
    assert nets.unlike(plain, looked) == []
