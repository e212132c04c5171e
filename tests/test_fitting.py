"""`fit` and `evaluate` on Batches: what Keras does with the same batches in the same order."""

import numpy as np
import pytest

from lth_keras import precisions
from lth_keras._compat import tf_keras
from lth_keras.batches import Batches
from lth_keras.pruning import wrapping
from tests import nets
from tests.fitted import VALIDATION, Bench, X, Y, close, exact, momentum, ours, theirs

optimizers = tf_keras.optimizers


def decaying():
    return optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 4, 0.5))


OPTIMIZERS = {
    'momentum': momentum,
    'adam': lambda: optimizers.Adam(0.01),
    'adamw': lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    'schedule': decaying,
    'ema': lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9),
    'legacy': lambda: optimizers.legacy.SGD(0.1, momentum=0.9),
}


@pytest.fixture(scope='module')
def bench():
    """Fitted by Batches alone."""
    return Bench(steps_per_execution=7)


@pytest.fixture(scope='module')
def stock():
    """Fitted by Keras alone."""
    return Bench()


def agree(optimizer, engine, gap, build=exact, **options):
    """The exam: a fit on Batches against a fit of Keras."""
    history, weights = Bench(build, optimizer, steps_per_execution=4, **options).fit(ours(engine))
    stock_history, stock_weights = Bench(build, optimizer, **options).stock_fit()
    close(weights, stock_weights, gap)
    close(history, stock_history, max(gap, 1e-6))
    return weights


COUSINS = ('adamw', 'ema')


@pytest.mark.parametrize(
    'name', [pytest.param(n, marks=pytest.mark.slow) if n in COUSINS else n for n in OPTIMIZERS]
)
def test_agrees_with_keras_under_every_optimizer(name):
    agree(OPTIMIZERS[name], 'plain', 1e-9)


@pytest.mark.parametrize('jit', [pytest.param(None, marks=pytest.mark.slow), True])
def test_agrees_with_keras_compiled(jit):
    agree(momentum, 'auto', 1e-9, jit_compile=jit)


def scaled():
    return tf_keras.mixed_precision.LossScaleOptimizer(
        momentum(), initial_scale=2.0**20, dynamic_growth_steps=4
    )


@pytest.mark.parametrize(
    ('precision', 'optimizer'),
    [pytest.param('bfloat16', momentum, marks=pytest.mark.slow), ('float16', scaled)],
)
def test_agrees_with_keras_in_mixed_precision(precision, optimizer):
    def build():
        return precisions.built(nets.dense, precision)

    weights = agree(optimizer, 'plain', 2e-3, build)
    assert all(value.dtype == np.float32 for value in weights.values())


def test_another_order_does_not_agree(bench):
    """The exam can fail."""
    with pytest.raises(AssertionError, match='Mismatch'):
        close(bench.fit(ours(seed=4))[1], bench.fit(ours())[1], 1e-3)


# -- however many steps one call takes


@pytest.mark.parametrize('steps', [1, 4, 6, 100])
def test_the_number_of_steps_per_call_changes_nothing(bench, steps):
    one, other = bench.fit(ours(), steps=7), bench.fit(ours(), steps=steps)
    assert one[0] == other[0] and nets.unlike(one[1], other[1]) == []
    assert int(bench.model._steps_per_execution) == steps


def test_engine_of_the_model_and_of_the_batches():
    """`jit_compile=True` asks for XLA, `engine` has the last word."""
    bench = Bench(nets.dense, jit_compile=True)
    assert bench.model.jit_compile
    compiled, plain, auto = (bench.fit(ours(e))[1] for e in ('compiled', 'plain', 'auto'))
    assert nets.unlike(compiled, auto) == [] and nets.unlike(compiled, plain) != []


# -- which steps belong to which epoch


def test_later_fits_go_on(bench):
    whole, weights = bench.fit(ours(), epochs=4)
    first, _ = bench.fit(ours(), epochs=2)
    rest, same = bench.fit(ours(), anew=False, epochs=4, initial_epoch=2)
    assert bench.model.history.epoch == [2, 3]
    assert {name: first[name] + rest[name] for name in first} == whole
    assert nets.unlike(weights, same) == []
    bench.fit(ours(), epochs=3)
    _, same = bench.fit(ours(), anew=False, epochs=1)
    assert nets.unlike(weights, same) == []


def test_epochs_of_another_length_meet_the_same_batches(bench):
    _, weights = bench.fit(ours(), epochs=2)
    for length, epochs in [(4, 3), (12, 1), (3, 4)]:
        history, same = bench.fit(ours(), steps_per_epoch=length, epochs=epochs)
        assert len(history['loss']) == epochs
        assert nets.unlike(weights, same) == []


def test_the_rest_of_an_epoch_is_left_out_on_request(bench, stock):
    _, weights = bench.fit(ours(drop_remainder=True), epochs=2)
    assert bench.model.optimizer.iterations == 10
    data = theirs(2, drop_remainder=True)
    _, expected = stock.fit(data, epochs=2, steps_per_epoch=5)
    close(weights, expected, 1e-9)


def test_without_shuffling_the_order_is_that_of_the_examples(bench, stock):
    history, weights = bench.fit(ours(shuffle=False), epochs=2)
    stock.reset()
    expected = stock.model.fit(X, Y, 8, 2, shuffle=False, verbose=0)
    close(weights, wrapping.read(stock.model), 1e-9)
    close(history, expected.history, 1e-6)


# -- validation and evaluation


def test_validation_values_are_those_of_keras(bench, stock):
    x, y = VALIDATION
    expected, weights = stock.stock_fit(validation_data=(x, y), validation_batch_size=5)
    for data in [(x, y), ours(arrays=VALIDATION), ours(arrays=VALIDATION, batch_size=21)]:
        history, same = bench.fit(ours(), validation_data=data)
        close(history, expected, 1e-6)
        close(same, weights, 1e-9)
    assert set(expected) == {'loss', 'accuracy', 'val_loss', 'val_accuracy'}


def test_validation_may_be_rare(bench):
    validation = ours(arrays=VALIDATION)
    history, _ = bench.fit(ours(), validation_data=validation, epochs=4)
    rare, _ = bench.fit(ours(), validation_data=validation, epochs=4, validation_freq=2)
    assert rare['val_loss'] == history['val_loss'][1::2]
    assert rare['loss'] == history['loss']


@pytest.mark.parametrize('engine', ['plain', pytest.param('compiled', marks=pytest.mark.slow)])
def test_evaluate_gives_what_keras_gives(bench, engine):
    x, y = VALIDATION
    expected = bench.model.evaluate(x, y, batch_size=5, verbose=0, return_dict=True)
    before = wrapping.read(bench.model)
    for size in (5, 8, 21):  # the last batch is smaller, and counts for what it has
        data = ours(engine, VALIDATION, batch_size=size)
        found = bench.model.evaluate(data, verbose=0, return_dict=True)
        close(found, expected, 1e-6)
    assert nets.unlike(before, wrapping.read(bench.model)) == []
    some = bench.model.evaluate(ours(engine, VALIDATION, shuffle=True), steps=2, verbose=0)
    first = bench.model.evaluate(x[:16], y[:16], verbose=0)
    np.testing.assert_allclose(some, first, rtol=1e-6)


def test_evaluation_neither_draws_nor_augments():
    model = nets.compiled(nets.noisy(), metrics=['accuracy'])
    x, y = VALIDATION

    def ruin(inputs, *_):
        return inputs * np.float32(np.nan)

    data = Batches(x, y, batch_size=8, augmentation=ruin, engine='plain')
    found = [model.evaluate(data, verbose=0) for _ in range(2)]
    assert found[0] == found[1]
    np.testing.assert_allclose(found[0], model.evaluate(x, y, verbose=0), rtol=1e-5)
