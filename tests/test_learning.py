"""Learning-rate schedules, weight decay and optimizers as a training really applies them."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, graph, optimizers, slots, steps
from lth_keras._compat import tf_keras
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.learning_rates import LEARNING_RATES, LearningRate
from lth_keras.making import coupled_decay, optimizer
from lth_keras.pruning import holding, wrapping
from lth_keras.training import Shift
from tests import nets

BASE = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'training_steps': 8},
    **{'batch_size': 20, 'eval_every': 4, 'replicates': 1, 'controls': ()},
}


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({}, [1, 1, 1, 1, 1]),
        ({'warmup': 4}, [0.25, 0.5, 0.75, 1, 1]),
        ({'schedule': 'piecewise', 'boundaries': (2, 4)}, [1, 1, 0.1, 0.1, 0.01]),
        (
            {'schedule': 'piecewise', 'boundaries': (1,), 'decay': 0.5, 'warmup': 2},
            [0.5, 0.5, 0.5, 0.5, 0.5],
        ),
        ({'schedule': 'cosine', 'total': 4}, [1, 0.5 + 0.5 * 2**-0.5, 0.5, 0.5 - 0.5 * 2**-0.5, 0]),
    ],
)
def test_rates_by_hand(settings, expected):
    rate = LearningRate(2.0, **settings)
    found = [float(rate(tf.constant(t, tf.int64))) for t in range(5)]
    assert np.allclose(found, [2 * e for e in expected], atol=1e-6)


@pytest.mark.parametrize('name', LEARNING_RATES)
def test_a_schedule_is_saved_and_made_again(name):
    rate = LearningRate(0.3, name, 100, boundaries=(10, 20), decay=0.2, warmup=5)
    config = tf_keras.optimizers.schedules.serialize(rate)
    again = tf_keras.optimizers.schedules.deserialize(config)
    assert [float(rate(t)) for t in (0, 10, 99)] == [float(again(t)) for t in (0, 10, 99)]


@pytest.mark.parametrize('engine', ['plain', 'compiled'])
def test_sgd_under_a_schedule_decay_and_a_mask_is_the_arithmetic(engine):
    """w -= rate(t) * (gradient + decay * w), for a quadratic that has no other gradient."""
    lab = Laboratory(
        Experiment(
            **BASE | {'engine': engine},
            optimizer='sgd',
            learning_rate=0.5,
            learning_rate_schedule='piecewise',
            learning_rate_boundaries=(3, 5),
            warmup_steps=2,
            weight_decay=0.1,
        ),
        nets.dense,
        nets.data(),
    )
    trainer, start = lab.trainer, lab.initial(0)
    mask = nets.random_mask(trainer.model)
    begin = 2
    taken = trainer.train(start, mask, 0, 8, begin, 4, shift=Shift(schedule=0)).final_weights
    # The same by hand, in NumPy, with the gradients of a plain model.
    rate = LearningRate(0.5, 'piecewise', 8, (3, 5), 0.1, 2)
    by_hand = plain_sgd(lab, start, mask, rate, begin, decay=0.1)
    for path, value in by_hand.items():
        assert np.allclose(taken[path], value, atol=2e-6), path
    for path, kept in mask.items():
        assert not np.any(taken[path][~kept])


def plain_sgd(lab, start, mask, rate, begin, decay):
    model = lab.build_model()
    values = {p: np.where(mask[p], v, 0) if p in mask else v for p, v in start.items()}
    x, y = lab.data.train
    epochs = steps.Epochs(len(y), 20, 0)
    rows = np.concatenate(list(epochs.blocks(begin, 8)))
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for t, row in enumerate(rows, begin):
        wrapping.assign(model, values)
        known = graph.variables(model)
        with tf.GradientTape() as tape:
            value = loss(y[row], model(x[row], training=True))
        gradients = tape.gradient(value, list(known.values()))
        for (path, variable), g in zip(known.items(), gradients, strict=True):
            g = g.numpy() * mask[path] if path in mask else g.numpy()
            values[path] = variable.numpy() - float(rate(t)) * (g + decay * variable.numpy())
    return values


def test_a_rewound_training_reads_the_schedule_where_it_left(monkeypatch):
    lab = Laboratory(
        Experiment(**BASE, optimizer='sgd', warmup_steps=8, engine='plain'), nets.dense, nets.data()
    )
    trainer, start = lab.trainer, lab.initial(0)
    whole = trainer.train(start, lab.dense, 0, 8, 0, 4, snapshot_at=4)
    rest = trainer.train(whole.snapshot, lab.dense, 0, 8, 4, 4)
    shifted = trainer.train(whole.snapshot, lab.dense, 0, 8, 4, 4, shift=Shift(schedule=-4))
    same = [np.array_equal(whole.final_weights[p], rest.final_weights[p]) for p in start]
    assert all(same)  # SGD has no slots: the ticket's rest is the dense network's
    assert any(not np.array_equal(whole.final_weights[p], shifted.final_weights[p]) for p in start)


def test_the_order_may_go_on():
    lab = Laboratory(Experiment(**BASE, engine='plain'), nets.dense, nets.data())
    trainer, start = lab.trainer, lab.initial(0)
    one = trainer.train(start, lab.dense, 0, 8)
    other = trainer.train(start, lab.dense, 0, 8, shift=Shift(order=8))
    assert any(not np.array_equal(one.final_weights[p], other.final_weights[p]) for p in start)
    again = trainer.train(start, lab.dense, 0, 8, shift=Shift(order=8))
    assert all(np.array_equal(again.final_weights[p], other.final_weights[p]) for p in start)


@pytest.mark.parametrize('name', optimizers.OPTIMIZERS)
def test_every_optimizer_holds_masks_under_decay_and_schedule(name):
    experiment = Experiment(
        **BASE | {'eval_every': 8},
        optimizer=name,
        weight_decay=0.01,
        warmup_steps=3,
        engine='plain',
    )
    lab = Laboratory(experiment, nets.dense, nets.data())
    mask = nets.random_mask(lab.trainer.model)
    trained = lab.trainer.train(lab.initial(0), mask, 0, 8)
    for path, kept in mask.items():
        assert not np.any(trained.final_weights[path][~kept])
        assert np.all(trained.final_weights[path][kept] != lab.initial(0)[path][kept])
    holding.check_zeros(lab.trainer.model)


def test_decay_is_decoupled_for_adamw_alone():
    adamw = optimizer(Experiment(optimizer='adamw', weight_decay=0.02))
    assert adamw.weight_decay == 0.02
    assert coupled_decay(Experiment(optimizer='adamw', weight_decay=0.02)) == 0
    assert optimizer(Experiment(optimizer='adamw')).weight_decay == 0.004
    for name in set(optimizers.OPTIMIZERS) - {'adamw'}:
        assert coupled_decay(Experiment(optimizer=name, weight_decay=0.02)) == 0.02
        assert coupled_decay(Experiment(optimizer=name)) == 0


def test_momentum_is_that_of_the_flag():
    assert optimizer(Experiment(optimizer='momentum')).momentum == 0.9
    nesterov = optimizer(Experiment(optimizer='nesterov', momentum=0.8))
    assert nesterov.momentum == 0.8 and nesterov.nesterov
    assert optimizer(Experiment(optimizer='rmsprop', momentum=0.5)).momentum == 0.5
    with pytest.raises(errors.ConfigError, match=r"momentum, nesterov, rmsprop\), received 'adam'"):
        optimizer(Experiment(optimizer='adam', momentum=0.5))


def test_a_schedule_can_be_shifted_once():
    plain = tf_keras.optimizers.SGD(0.1)
    assert slots.shifted(plain) is None
    with_schedule = tf_keras.optimizers.SGD(LearningRate(0.1, warmup=3))
    assert slots.shifted(with_schedule) is slots.shifted(with_schedule)


@pytest.mark.parametrize(
    ('settings', 'text'),
    [
        ({'learning_rate_schedule': 'piecewise'}, 'expected some with'),
        ({'learning_rate_boundaries': (5,)}, 'none without'),
        (
            {'learning_rate_schedule': 'piecewise', 'learning_rate_boundaries': (9, 5)},
            'expected rising steps, received 9 before 5',
        ),
        (
            {'learning_rate_schedule': 'piecewise', 'learning_rate_boundaries': (5, 2000)},
            'the schedule is longer than training',
        ),
        ({'warmup_steps': 2001}, 'warmup_steps: expected at most training_steps'),
        ({'training_steps': '3ep', 'rewind_step': '3ep'}, 'before the end of training'),
        ({'training_steps': '3 epochs'}, 'training_steps: expected a whole number of steps'),
    ],
)
def test_durations_that_contradict_each_other(settings, text):
    with pytest.raises(errors.ConfigError, match=text):
        Experiment(**settings)


def test_units_are_compared_when_the_data_set_is_known():
    mixed = Experiment(training_steps='3ep', rewind_step=40, eval_every=10)
    assert mixed.resolved(20).training_steps == 60
    with pytest.raises(errors.ConfigError, match='rewind_step: expected a step before'):
        mixed.resolved(10)
    lab = Laboratory(
        Experiment(**BASE | {'training_steps': '4ep', 'eval_every': '1ep'}), nets.dense, nets.data()
    )
    assert (lab.experiment.training_steps, lab.experiment.eval_every) == (8, 2)
    assert (
        lab.fingerprint
        == Laboratory(Experiment(**BASE | {'eval_every': 2}), nets.dense, nets.data()).fingerprint
    )
