"""Optimizer state: the slots of a weight, a fresh start, the shifted schedule."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, slots
from lth_keras._compat import tf_keras
from tests import nets

optimizers = tf_keras.optimizers
scaled = tf_keras.mixed_precision.LossScaleOptimizer

# Optimizer, and how many variables of a weight's shape it keeps for each weight.
COUNTS = {
    'sgd': (lambda: optimizers.SGD(0.1), 1),  # made, and used by nobody
    'momentum': (lambda: optimizers.SGD(0.1, momentum=0.9), 1),
    'adam': (lambda: optimizers.Adam(0.01), 2),
    'amsgrad': (lambda: optimizers.Adam(0.01, amsgrad=True), 3),
    'adamw': (lambda: optimizers.AdamW(0.01), 2),
    'rmsprop': (lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True), 3),
    'adagrad': (lambda: optimizers.Adagrad(0.01), 1),
    'adadelta': (lambda: optimizers.Adadelta(0.01), 2),
    'adamax': (lambda: optimizers.Adamax(0.01), 2),
    'nadam': (lambda: optimizers.Nadam(0.01), 2),
    'ftrl': (lambda: optimizers.Ftrl(0.01), 2),
    'lion': (lambda: optimizers.Lion(0.01), 1),
    'ema': (lambda: optimizers.Adam(0.01, use_ema=True), 3),
    'scaled': (lambda: scaled(optimizers.Adam(0.01)), 2),
    'legacy sgd': (lambda: optimizers.legacy.SGD(0.1, momentum=0.9), 1),
    'legacy adam': (lambda: optimizers.legacy.Adam(0.01), 2),
    'legacy rmsprop': (lambda: optimizers.legacy.RMSprop(0.01, momentum=0.9), 2),
}
each = pytest.mark.parametrize('name', COUNTS)


def weights():
    rng = np.random.default_rng(0)
    shapes = {'kernel': (4, 3), 'bias': (3,), 'other': (3, 2)}
    return {
        name: tf.Variable(rng.normal(size=shape).astype(np.float32), name=name)
        for name, shape in shapes.items()
    }


def trained(optimizer, variables, steps=3):
    rng = np.random.default_rng(1)
    for _ in range(steps):
        gradients = [tf.constant(rng.normal(size=v.shape).astype(np.float32)) for v in variables]
        if hasattr(optimizer, 'get_unscaled_gradients'):
            gradients = [gradient * optimizer.loss_scale for gradient in gradients]
            gradients = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))


@each
def test_every_slot_of_a_weight_is_found(name):
    make, count = COUNTS[name]
    optimizer, variables = make(), list(weights().values())
    assert list(slots.slots(optimizer, variables)) == []  # nothing is made by looking
    trained(optimizer, variables)
    found = list(slots.slots(optimizer, variables))
    for variable in variables:
        mine = [slot for owner, slot in found if owner is variable]
        assert [tuple(slot.shape) for slot in mine] == [tuple(variable.shape)] * count
        assert len({id(slot) for slot in mine}) == count
    # None is left that has a weight's shape: the shapes differ.
    state = getattr(optimizer, 'inner_optimizer', optimizer).variables()
    shaped = [v for v in state if tuple(v.shape) in [tuple(w.shape) for w in variables]]
    assert {id(v) for v in shaped} == {id(slot) for _, slot in found}
    assert list(slots.slots(optimizer, [tf.Variable(1.0)])) == []


@each
def test_clear_empties_the_slots_of_pruned_weights(name):
    make, count = COUNTS[name]
    optimizer, named = make(), weights()
    variables = list(named.values())
    trained(optimizer, variables)
    before = [(owner, slot, slot.numpy()) for owner, slot in slots.slots(optimizer, variables)]
    kept = np.arange(12).reshape(4, 3) % 2 == 0
    slots.clear(optimizer, variables, {id(named['kernel']): kept})
    # Accumulators that begin above 0 return to where they began: FTRL divides by them.
    start = np.float32({'adagrad': 0.1, 'ftrl': 0.1}.get(name, 0.0))
    for owner, slot, value in before:
        if owner is named['kernel']:
            assert set(np.unique(slot.numpy()[~kept])) <= {start, np.float32(0.0)}
            assert not np.signbit(slot.numpy()[~kept]).any()
            np.testing.assert_array_equal(slot.numpy()[kept], value[kept])
        else:
            np.testing.assert_array_equal(slot.numpy(), value)
    trained(optimizer, variables, 1)  # an optimizer can go on from there
    for variable in variables:
        assert np.all(np.isfinite(variable.numpy()))
    assert count == sum(owner is named['kernel'] for owner, _, _ in before)


@each
def test_a_cleared_optimizer_leaves_pruned_weights_alone(name):
    """Empty slots and no gradient: the weight stays 0, and is not 0 / 0."""
    optimizer, variable = COUNTS[name][0](), tf.Variable(np.ones((4, 3), np.float32))
    trained(optimizer, [variable])
    kept = np.arange(12).reshape(4, 3) % 2 == 0
    variable.assign(np.where(kept, variable.numpy(), np.float32(0)))
    slots.clear(optimizer, [variable], {id(variable): kept})
    optimizer.apply_gradients([(tf.constant(kept.astype(np.float32)), variable)])
    assert not np.count_nonzero(variable.numpy()[~kept])
    assert np.all(np.isfinite(variable.numpy()))


@each
def test_fresh_values_are_those_of_a_new_optimizer(name):
    make, _ = COUNTS[name]
    optimizer, variables = make(), list(weights().values())
    trained(optimizer, variables)
    before = [value.numpy() for value in slots.state(optimizer)]
    fresh = slots.fresh(optimizer, variables)
    anew = make()
    slots.build(anew, variables)
    for one, other in zip(fresh, slots.state(anew), strict=True):
        np.testing.assert_array_equal(one, other.numpy())
    for value, variable in zip(before, slots.state(optimizer), strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)  # only looked at
    if name == 'nadam':
        return  # cannot be started again, see below
    # The new one really takes up training as the assigned one does.
    for value, variable in zip(fresh, slots.state(optimizer), strict=True):
        variable.assign(value)
    twins = [tf.Variable(variable) for variable in variables]
    new = make()
    trained(new, twins)
    trained(optimizer, variables)
    for one, other in zip(variables, twins, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_fresh_values_are_not_simply_zeros():
    variables = list(weights().values())
    adagrad = slots.fresh(optimizers.Adagrad(0.1, initial_accumulator_value=0.3), variables)
    assert {value.ravel()[0] for value in adagrad[1:]} == {np.float32(0.3)}
    averages = slots.fresh(optimizers.SGD(0.1, use_ema=True), variables)
    for value, variable in zip(averages[1:4], variables, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())


def test_the_counter_comes_first():
    for make, _ in COUNTS.values():
        optimizer, variables = make(), list(weights().values())
        trained(optimizer, variables)
        assert slots.state(optimizer)[0].numpy() == 3


def test_building_twice_makes_nothing_new():
    for name in ('adam', 'legacy adam', 'scaled'):
        optimizer, variables = COUNTS[name][0](), list(weights().values())
        slots.build(optimizer, variables)
        first = [id(variable) for variable in slots.state(optimizer)]
        trained(optimizer, variables, 1)
        slots.build(optimizer, variables)
        assert [id(variable) for variable in slots.state(optimizer)] == first


@pytest.mark.parametrize('rate', [0.1, 0.0])
def test_learning_rate_is_the_variable_or_the_schedule(rate):
    schedule = optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    for kind in (optimizers.SGD, optimizers.legacy.SGD):
        assert slots.learning_rate(kind(schedule)) is schedule
        assert float(slots.learning_rate(kind(rate))) == pytest.approx(rate)
    assert slots.learning_rate(scaled(optimizers.SGD(schedule))) is schedule


def test_inner_is_the_optimizer_below_loss_scaling():
    adam = optimizers.Adam()
    assert slots.inner(scaled(adam)) is adam and slots.inner(adam) is adam


def test_a_shifted_schedule_moves_without_a_new_trace():
    shifted = slots.ShiftedSchedule(optimizers.schedules.PolynomialDecay(1.0, 10, 0.0))
    traces = []

    @tf.function
    def rate(step):
        traces.append(step)
        return shifted(step)

    assert float(rate(tf.constant(2, tf.int64))) == pytest.approx(0.8)
    shifted.offset.assign(5)
    assert float(rate(tf.constant(2, tf.int64))) == pytest.approx(0.3)
    assert len(traces) == 1


def test_a_shifted_schedule_survives_its_configuration():
    shifted = slots.ShiftedSchedule(optimizers.schedules.CosineDecay(0.1, 10), 4)
    config = optimizers.schedules.serialize(shifted)
    again = optimizers.schedules.deserialize(config)
    assert [float(again(i)) for i in range(6)] == [float(shifted(i)) for i in range(6)]
    optimizer = optimizers.Adam.from_config(optimizers.Adam(shifted).get_config())
    assert float(slots.learning_rate(optimizer)(0)) == pytest.approx(float(shifted(0)))


def test_a_model_s_slots_are_found():
    model = nets.compiled(nets.dense(), optimizers.Adam(0.01))
    model.fit(*nets.examples(), verbose=0)
    found = list(slots.slots(model.optimizer, model.trainable_variables))
    assert len(found) == 8


def test_an_optimizer_that_cannot_be_started_again_is_refused_by_name():
    slots.check_rewindable(optimizers.Adam())
    with pytest.raises(errors.ConfigError, match='Nadam cannot be rewound'):
        slots.check_rewindable(optimizers.Nadam())
