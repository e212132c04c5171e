"""What a Trainer records (curve, early stop, the looks at the test part) and what it refuses."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, initial, loop, steps, training
from lth_keras._compat import layers, tf_keras
from lth_keras.mask import Mask
from lth_keras.pruning import PruningPolicy, read_mask, wrapping
from tests import nets

optimizers = tf_keras.optimizers


def softmax():
    return tf_keras.Sequential(
        [layers.Dense(9, input_shape=(6,)), layers.Dense(3, activation='softmax')]
    )


def make(build=nets.dense, rate=0.1, batch_size=8, data=None, optimizer=None):
    make_optimizer = optimizer or (lambda: optimizers.SGD(rate))
    data = data or nets.data()
    wrap = PruningPolicy().wrap
    return training.Trainer(lambda: wrap(build), make_optimizer, data, batch_size, 'plain')


@pytest.fixture(scope='module')
def trainer():
    return make()


@pytest.fixture(scope='module')
def start():
    return initial.initial_weights(nets.dense, 3)


@pytest.fixture
def ones(trainer):
    return Mask.ones(read_mask(trainer.model).shapes)


def losses(model, x, y):
    rule = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction='none')
    outputs = model(x)
    return rule(y, outputs).numpy(), np.argmax(outputs, -1) == y


def model_of(values, build=nets.dense):
    model = build()
    wrapping.assign(model, values)
    return model


# -- the curve


def test_the_curve_has_its_columns(trainer, start, ones):
    trained = trainer.train(start, ones, seed=0, stop=11, eval_every=4)
    assert trained.columns == (
        *('step', 'train_loss', 'train_accuracy'),
        *('validation_loss', 'validation_accuracy'),
    )
    assert trained.curve.shape == (4, 5)
    assert trained.curve[:, 0].tolist() == [0, 4, 8, 11]
    assert np.isnan(trained.curve[0, 1:3]).all()
    assert np.isfinite(trained.curve[1:]).all() and np.isfinite(trained.curve[:, 3:]).all()
    accuracies = trained.curve[:, [2, 4]]
    assert np.nanmin(accuracies) >= 0 and np.nanmax(accuracies) <= 1


def test_validation_is_measured_over_all_examples(trainer, start, ones):
    trained = trainer.train(start, ones, seed=0, stop=3)
    for row, values in [(0, start), (-1, trained.final_weights)]:
        loss, right = losses(model_of(values), *trainer.data.validation)
        assert trained.curve[row, 3] == pytest.approx(loss.mean(), rel=1e-5)
        assert trained.curve[row, 4] == right.mean()


def test_train_columns_are_means_since_the_last_evaluation(start):
    trainer = make(rate=0.0, batch_size=12)  # 40 examples: 3 batches of 12 and one of 4
    ones = Mask.ones(read_mask(trainer.model).shapes)
    trained = trainer.train(start, ones, seed=7, stop=9, eval_every=3)
    x, y = trainer.data.train
    loss, right = losses(model_of(start), x, y)
    batches = [batch for block in steps.Epochs(40, 12, 7).blocks(0, 9) for batch in block]
    assert [len(batch) for batch in batches] == [12, 12, 12, 4, 12, 12, 12, 4, 12]
    for row, first in enumerate((0, 3, 6), start=1):
        part = batches[first : first + 3]
        expected = np.mean([loss[batch].mean() for batch in part])
        assert trained.curve[row, 1] == pytest.approx(expected, rel=1e-5)
        assert trained.curve[row, 2] == pytest.approx(right[np.concatenate(part)].mean())


def test_the_data_order_follows_from_the_seed(trainer, start, ones):
    one, other, again = (trainer.train(start, ones, seed=s, stop=4) for s in (1, 2, 1))
    assert nets.unlike(one.final_weights, again.final_weights) == []
    assert nets.unlike(one.final_weights, other.final_weights) != []


def test_evaluations_change_nothing(trainer, start, ones):
    one, other = (
        trainer.train(start, ones, seed=1, stop=9, eval_every=every) for every in (1, 100)
    )
    assert nets.unlike(one.final_weights, other.final_weights) == []
    assert one.curve[-1, 3:].tolist() == other.curve[-1, 3:].tolist()


def test_evaluations_are_told_as_they_stand_in_the_curve(trainer, start, ones):
    told = []
    options = {'seed': 0, 'stop': 7, 'eval_every': 3, 'on_evaluation': told.append}
    trained = trainer.train(start, ones, snapshot_at=4, **options)
    assert [row['step'] for row in told] == [0, 3, 6, 7]  # not at the snapshot alone
    assert {tuple(row) for row in told} == {trained.columns}
    np.testing.assert_array_equal([list(row.values()) for row in told], trained.curve)
    told.clear()
    trainer.train(start, ones, begin=2, **options)
    assert [row['step'] for row in told] == [2, 3, 6, 7]


def test_a_curve_on_the_test_part_changes_nothing_else(trainer, start, ones):
    options = {'seed': 0, 'stop': 60, 'eval_every': 2}
    plain = trainer.train(start, ones, **options)
    more = trainer.train(start, ones, **options, test_curve=True)
    assert more.columns == (*plain.columns, 'test_loss', 'test_accuracy')
    np.testing.assert_array_equal(more.curve[:, :5], plain.curve)
    for name in ('early_weights', 'final_weights'):
        assert nets.unlike(getattr(more, name), getattr(plain, name)) == []
    for name in ('early_stop_step', 'early_stop', 'final'):
        assert getattr(more, name) == getattr(plain, name)
    # The looks at the end are those of the curve; on this data another step would be chosen by it.
    rows = {row[0]: dict(zip(more.columns, row, strict=True)) for row in more.curve.tolist()}
    early = rows[more.early_stop_step]
    assert {k: early[k] for k in more.early_stop} == more.early_stop
    assert {k: rows[60][k] for k in more.final} == more.final
    assert more.curve[np.argmin(more.curve[:, 5]), 0] != more.early_stop_step


# -- early stop


def test_early_stop_is_the_minimum_of_the_validation_loss(trainer, start, ones):
    trained = trainer.train(start, ones, seed=0, stop=60, eval_every=2)
    row = trained.curve[np.argmin(trained.curve[:, 3])]
    assert 0 < row[0] < 60  # random labels are soon over-fitted
    assert trained.early_stop_step == row[0]
    assert trained.early_stop['validation_loss'] == row[3]
    assert trained.early_stop['validation_accuracy'] == row[4]
    assert trained.final['validation_loss'] == trained.curve[-1, 3]
    for values, metrics in [
        (trained.early_weights, trained.early_stop),
        (trained.final_weights, trained.final),
    ]:
        loss, right = losses(model_of(values), *trainer.data.test)
        assert metrics['test_loss'] == pytest.approx(loss.mean(), rel=1e-5)
        assert metrics['test_accuracy'] == right.mean()
        loss, _ = losses(model_of(values), *trainer.data.validation)
        assert metrics['validation_loss'] == pytest.approx(loss.mean(), rel=1e-5)


def test_the_first_of_equal_minima_wins(start):
    trainer = make(rate=0.0)
    ones = Mask.ones(read_mask(trainer.model).shapes)
    trained = trainer.train(start, ones, seed=0, stop=6, eval_every=2)
    assert len(set(trained.curve[:, 3])) == 1 and trained.early_stop_step == 0
    later = trainer.train(start, ones, seed=0, stop=6, begin=3, eval_every=2)
    assert later.early_stop_step == 3


def test_early_stop_never_looks_at_the_test_part(trainer, start, ones):
    other = dataclasses.replace(trainer.data, test=nets.examples(seed=99))
    one = trainer.train(start, ones, seed=0, stop=20, eval_every=2)
    two = make(data=other).train(start, ones, seed=0, stop=20, eval_every=2)
    assert nets.unlike(one.early_weights, two.early_weights) == []
    assert one.early_stop['test_loss'] != two.early_stop['test_loss']


# -- what is trained


def test_pruned_entries_of_the_start_may_hold_anything(trainer, start):
    mask = nets.random_mask(trainer.model)
    dirty = {
        path: np.where(mask[path], value, np.float32(np.nan)) if path in mask else value
        for path, value in start.items()
    }
    one = trainer.train(start, mask, seed=0, stop=6, eval_every=3)
    other = trainer.train(dirty, mask, seed=0, stop=6, eval_every=3)
    for name in ('final_weights', 'early_weights'):
        values = getattr(one, name)
        assert nets.unlike(values, getattr(other, name)) == []
        for path in mask:
            assert not np.count_nonzero(values[path][~mask[path]])


def test_what_was_given_is_left_alone(trainer, start, ones):
    before = {path: value.copy() for path, value in start.items()}
    digest = trainer.data.digest
    parts = [part.copy() for part in trainer.data.train]
    trainer.train(start, ones, seed=0, stop=6)
    assert nets.unlike(before, start) == []
    for part, copy in zip(trainer.data.train, parts, strict=True):
        np.testing.assert_array_equal(part, copy)
    assert trainer.data.digest == digest


def test_a_wrapped_model_without_a_mask_is_dense_or_refused(trainer, start, ones):
    """A mask of an earlier training must not stay."""
    dense = trainer.train(start, ones, seed=0, stop=4)
    trainer.train(start, nets.random_mask(trainer.model), seed=0, stop=4)
    try:
        again = trainer.train(start, None, seed=0, stop=4)
    except errors.LotteryError:
        return
    assert nets.unlike(dense.final_weights, again.final_weights) == []


# -- refusals


def test_a_loss_that_is_not_finite_is_an_error(start):
    trainer = make(rate=1e30)
    ones = Mask.ones(read_mask(trainer.model).shapes)
    with pytest.raises(errors.TrainingError, match='diverged.*finite loss.*at step 4'):
        trainer.train(start, ones, seed=0, stop=20, eval_every=4)


def test_a_nan_at_the_start_is_an_error(trainer, start, ones):
    bad = {**start, 'dense_1/bias': np.full(3, np.nan, np.float32)}
    with pytest.raises(errors.TrainingError, match='nan.*at step 0'):
        trainer.train(bad, ones, seed=0, stop=4)


@pytest.mark.parametrize(('begin', 'stop'), [(0, 0), (5, 5), (6, 5), (-1, 5)])
def test_training_goes_forward(trainer, start, ones, begin, stop):
    with pytest.raises(errors.TrainingError, match=f'steps {begin} to {stop}'):
        trainer.train(start, ones, seed=0, stop=stop, begin=begin)


@pytest.mark.parametrize('step', [2, 9])
def test_a_snapshot_that_cannot_be_taken_is_an_error(trainer, start, ones, step):
    with pytest.raises(errors.LotteryError, match=str(step)):
        trainer.train(start, ones, seed=0, stop=8, begin=3, snapshot_at=step)


def test_masks_and_weights_of_other_models_are_refused(trainer, start, ones):
    with pytest.raises(errors.ModelError, match="no value for 'dense/bias'"):
        trainer.train({'dense/kernel': start['dense/kernel']}, ones, seed=0, stop=4)
    with pytest.raises(errors.MaskError, match='no mask for kernel'):
        mask = Mask({'dense/kernel': ones['dense/kernel']})
        trainer.train(start, mask, seed=0, stop=4)


def test_a_batch_larger_than_the_data_is_refused(start):
    trainer = make(batch_size=41)
    with pytest.raises(errors.ConfigError, match='between 1 and the 40 training examples'):
        trainer.train(start, Mask.ones(read_mask(trainer.model).shapes), seed=0, stop=2)


class Own(layers.Layer):
    """Draws numbers that nobody can seed."""

    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


def test_numbers_that_cannot_be_seeded_are_refused():
    def build():
        return tf_keras.Sequential([layers.Input((6,)), Own(), layers.Dense(3)])

    trainer = training.Trainer(build, optimizers.SGD, nets.data(), 8, 'plain')
    with pytest.raises(errors.ModelError, match='the same two steps.*use Dropout'):
        trainer.train(wrapping.read(trainer.model), None, seed=0, stop=2)


# -- the loss


def nested_softmax():
    inner = softmax()
    inputs = layers.Input((6,))
    return tf_keras.Model(inputs, inner(inputs))


def softmax_operation():
    inputs = layers.Input((6,))
    return tf_keras.Model(inputs, tf.nn.softmax(layers.Dense(3)(inputs)))


def softmax_before_others():
    """The output is not the layer that was made last."""
    inputs = layers.Input((6,))
    x = layers.Dense(3)(inputs)
    return tf_keras.Model(inputs, layers.Activation('softmax')(x))


def softmax_layer():
    return tf_keras.Sequential([layers.Dense(3, input_shape=(6,)), layers.Softmax()])


@pytest.mark.parametrize(
    'build',
    [softmax, softmax_layer, softmax_before_others, nested_softmax, softmax_operation],
    ids=lambda build: build.__name__,
)
def test_the_loss_of_probabilities_is_told_from_that_of_logits(build):
    x, y = nets.examples()
    for model in (build(), PruningPolicy().wrap(build)):
        probabilities = model(x)
        np.testing.assert_allclose(tf.reduce_sum(probabilities, -1), 1.0, rtol=1e-5)
        expected = -np.log(probabilities.numpy()[np.arange(len(y)), y])
        rule = loop.cross_entropy(model, x)
        loss = tf.function(lambda x, y, model=model, rule=rule: rule(y, model(x)))(x, y)
        np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_the_loss_of_logits():
    model = nets.dense()
    x, y = nets.examples()
    np.testing.assert_allclose(
        loop.cross_entropy(model, x)(y, model(x)), losses(model, x, y)[0], rtol=1e-5
    )


def test_penalties_are_trained_but_not_recorded(start):
    def build():
        return nets.dense(kernel_regularizer=tf_keras.regularizers.L2(0.5))

    trainer = make(build)
    ones = Mask.ones(read_mask(trainer.model).shapes)
    trained = trainer.train(start, ones, seed=0, stop=5, eval_every=5)
    loss, _ = losses(model_of(trained.final_weights), *trainer.data.validation)
    assert trained.curve[-1, 3] == pytest.approx(loss.mean(), rel=1e-5)
    plain = make().train(start, ones, seed=0, stop=5)
    assert np.abs(trained.final_weights['dense/kernel']).sum() < 0.8 * (
        np.abs(plain.final_weights['dense/kernel']).sum()
    )
