"""Mixed precision: layers compute in 16 bits; weights, masks and outputs stay as they were."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, initial, precisions
from lth_keras._compat import layers, tf_keras
from lth_keras.pruning import PruningPolicy, held_kernels, wrapping
from lth_keras.training import Trainer
from tests import nets

mixed = tf_keras.mixed_precision
optimizers = tf_keras.optimizers
SHORT = {'bfloat16': tf.bfloat16, 'float16': tf.float16}
each = pytest.mark.parametrize('name', SHORT)
ENGINES = pytest.mark.parametrize('engine', ['plain', 'compiled'])


@pytest.fixture(autouse=True)
def nothing_is_left_changed():
    assert mixed.global_policy().name == 'float32'
    yield
    assert mixed.global_policy().name == 'float32'


def softmax_after():
    return tf_keras.Sequential(
        [
            layers.Dense(8, activation='relu', input_shape=(6,)),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )


def two_outputs():
    x = inputs = layers.Input((6,))
    x = layers.Dense(8, activation='relu')(x)
    return tf_keras.Model(inputs, [layers.Dense(3)(x), layers.Dense(2)(x)])


def compute_types(model):
    """Of the layers that compute, in order, wrappers taken off."""
    found = [getattr(layer, 'layer', layer) for layer in model.layers]
    return [layer.compute_dtype for layer in found if not isinstance(layer, layers.InputLayer)]


@each
def test_layers_compute_short_and_outputs_do_not(name):
    for build in (nets.dense, nets.normalised, nets.residual, softmax_after, two_outputs):
        for model in (m := precisions.built(build, name), PruningPolicy().wrap(m)):
            types = compute_types(model)
            ends = len(model.outputs)
            assert set(types[:-ends]) == {name} and set(types[-ends:]) == {'float32'}
            assert {variable.dtype for variable in model.weights} <= {tf.float32, tf.int64}
            assert all(tensor.dtype == tf.float32 for tensor in model.outputs)


@each
def test_masters_masks_and_paths_are_those_of_float32(name):
    plain, short = nets.resnet(), precisions.built(nets.resnet, name)
    assert list(wrapping.read(plain)) == list(wrapping.read(short))
    wrapped = PruningPolicy().wrap(short)
    for path, weight, mask in held_kernels(wrapped):
        assert weight.dtype == mask.dtype == tf.float32, path
    # The models within differ in what they compute, hardly in what they give.
    wrapping.assign(short, wrapping.read(plain))
    x, _ = nets.examples((6, 6, 2))
    one, other = plain(x).numpy(), short(x).numpy()
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(one, other, atol=0.1)


@each
def test_outputs_of_a_model_within_a_model(name):
    model = precisions.built(nets.nested, name)
    body, head = (layer for layer in model.layers if hasattr(layer, 'layers'))
    assert compute_types(body) == [name, name]
    assert compute_types(head) == [name, 'float32']


def test_float32_is_the_builders_own_model():
    model = nets.dense()
    assert precisions.built(lambda: model, 'float32') is model
    assert compute_types(model) == ['float32', 'float32']


@each
def test_layers_that_say_their_type_keep_it(name):
    def build():
        return tf_keras.Sequential(
            [
                layers.Dense(8, dtype='float32', input_shape=(6,)),
                layers.Dense(7),
                layers.Dense(3),
            ]
        )

    assert compute_types(precisions.built(build, name)) == ['float32', name, 'float32']


def test_a_builder_that_fails_leaves_nothing_changed():
    def build():
        assert mixed.global_policy().name == 'mixed_bfloat16'
        raise ValueError('no')

    with pytest.raises(errors.ModelError, match='the model builder failed with ValueError: no'):
        precisions.built(build, 'bfloat16')
    with pytest.raises(ZeroDivisionError), precisions.scope('float16'):
        assert mixed.global_policy().name == 'mixed_float16'
        raise ZeroDivisionError


def test_float32_leaves_a_policy_of_the_users_own():
    try:
        mixed.set_global_policy('mixed_bfloat16')
        with precisions.scope('float32'):
            assert mixed.global_policy().name == 'mixed_bfloat16'
    finally:
        mixed.set_global_policy('float32')


def test_unknown_names():
    for act in (
        lambda name: precisions.policy(name),
        lambda name: precisions.built(nets.dense, name),
        lambda name: precisions.scaled(optimizers.SGD(), name),
    ):
        with pytest.raises(errors.ConfigError, match="'bfloat61': did you mean 'bfloat16'"):
            act('bfloat61')
    with pytest.raises(errors.ConfigError, match='unknown precision'):
        precisions.policy('mixed_float16')


def test_only_float16_needs_its_loss_scaled():
    given = optimizers.SGD(0.1)
    assert precisions.scaled(given, 'float32') is precisions.scaled(given, 'bfloat16') is given
    scaled = precisions.scaled(given, 'float16')
    assert isinstance(scaled, mixed.LossScaleOptimizer) and scaled.inner_optimizer is given
    assert precisions.scaled(scaled, 'float16') is scaled


# -- training


def make_trainer(name, engine='plain', build=nets.noisy, optimizer=None):
    return Trainer(
        lambda: PruningPolicy().wrap(precisions.built(build, name)),
        optimizer or (lambda: optimizers.SGD(0.1, momentum=0.9)),
        nets.data(),
        batch_size=8,
        engine=engine,
        precision=name,
    )


def share_of_short(values, name):
    """Share of the kept weights that a 16-bit number could hold, output kernel left out."""
    value = values['dense/kernel']
    alive = value[value != 0]
    return np.mean(tf.cast(tf.cast(alive, SHORT[name]), tf.float32).numpy() == alive)


@pytest.mark.parametrize(
    ('name', 'engine'),
    [
        ('bfloat16', 'plain'),
        ('float16', 'plain'),
        ('bfloat16', 'compiled'),
        pytest.param('float16', 'compiled', marks=pytest.mark.slow),
    ],
)
def test_trainings_repeat_and_hold_their_masks(name, engine):
    start = initial.initial_weights(nets.noisy, 0)
    ends = []
    for _ in range(2):
        trainer = make_trainer(name, engine)
        mask = nets.random_mask(trainer.model)
        ends.append(trainer.train(start, mask, seed=1, stop=13, eval_every=5))
    one, other = ends
    assert nets.unlike(one.final_weights, other.final_weights) == []
    assert np.array_equal(one.curve, other.curve, equal_nan=True)
    assert np.isfinite(one.curve[1:]).all()
    for values in (one.final_weights, one.early_weights):
        for path in mask:
            assert values[path].dtype == np.float32
            assert not np.count_nonzero(values[path][~mask[path]])
            assert np.count_nonzero(values[path][mask[path]]) == mask.survivors[path]
    moved = one.final_weights['dense/kernel'] != start['dense/kernel']
    assert moved[mask['dense/kernel']].mean() > 0.9
    assert share_of_short(one.final_weights, name) < 0.2  # updates are not rounded
    exact = make_trainer('float32', engine).train(start, mask, seed=1, stop=13, eval_every=5)
    np.testing.assert_allclose(one.curve[1:, 1:], exact.curve[1:, 1:], atol=0.05)
    assert nets.unlike(one.final_weights, exact.final_weights) != []


@each
def test_evaluation_leaves_weights_alone(name):
    """tfmot's own wrapper rounds them to 16 bits whenever the model is called."""
    trainer = make_trainer(name)
    start = initial.initial_weights(nets.noisy, 0)
    mask = nets.random_mask(trainer.model)
    trainer.reset(start, mask)
    before = wrapping.read(trainer.model)
    rounded = tf.cast(before['dense/kernel'], SHORT[name])
    assert share_of_short({'dense/kernel': tf.cast(rounded, tf.float32).numpy()}, name) == 1
    assert share_of_short(before, name) < 0.2
    trainer.loop.evaluate(trainer.validation)
    trainer.model.predict(nets.examples()[0], verbose=0)
    assert nets.unlike(before, wrapping.read(trainer.model)) == []
    trained = trainer.train(start, mask, seed=0, stop=3, snapshot_at=0)
    assert nets.unlike(before, trained.snapshot) == []


@pytest.mark.parametrize('engine', ['plain', pytest.param('compiled', marks=pytest.mark.slow)])
def test_float16_scales_its_loss(engine):
    """Gradients below 6e-8 are 0 in float16; a scale that is too large skips the step."""

    def faint():
        return tf_keras.Sequential(
            [
                layers.Dense(8, activation='relu', input_shape=(6,)),
                layers.Dense(8),
                layers.Rescaling(1e-7, dtype='float32'),
                layers.Dense(3),
            ]
        )

    def unscaled():  # a scale of 1 is none
        return mixed.LossScaleOptimizer(optimizers.SGD(0.1), dynamic=False, initial_scale=1)

    moved = []
    for optimizer in (lambda: optimizers.SGD(0.1), unscaled):
        trainer = make_trainer('float16', engine, faint, optimizer)
        start = wrapping.read(trainer.model)
        trained = trainer.train(start, None, seed=0, stop=6)
        gap = trained.final_weights['dense_1/bias'] - start['dense_1/bias']
        moved.append(np.count_nonzero(gap))
        assert isinstance(trainer.optimizer, mixed.LossScaleOptimizer)
    assert moved == [8, 0]


@ENGINES
def test_steps_that_overflow_are_skipped_and_counted(engine):
    def huge():
        return mixed.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=2.0**40)

    trainer = make_trainer('float16', engine, nets.dense, huge)
    start = wrapping.read(trainer.model)
    trained = trainer.train(start, None, seed=0, stop=4)
    assert nets.unlike(start, trained.final_weights) == []
    assert float(trainer.optimizer.loss_scale) == 2.0**36
    assert trainer.optimizer.iterations == 4
    later = trainer.train(start, None, seed=0, stop=60)
    assert len(nets.unlike(start, later.final_weights)) == 4
    assert np.isfinite(later.final['test_loss'])
