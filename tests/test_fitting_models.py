"""Models of all kinds fitted on Batches: several inputs, steps of their own, random layers."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors
from lth_keras._compat import layers, tf_keras
from lth_keras.batches import Batches
from lth_keras.mask import Mask
from lth_keras.pruning import PruningPolicy, assign_mask, read_mask, wrapping
from lth_keras.training import Trainer
from tests import nets
from tests.fitted import SEED, Bench, X, Y, close, exact, momentum, ours

optimizers = tf_keras.optimizers


def both(build, arrays, engine='plain', **options):
    """(history, weights) of a fit on Batches and of a fit of Keras."""
    mine = Bench(build, **options, steps_per_execution=4).fit(ours(engine, arrays))
    return mine, Bench(build, **options).stock_fit(arrays=arrays)


def agree(build, arrays, engine='plain', **options):
    (history, weights), (stock_history, stock_weights) = both(build, arrays, engine, **options)
    close(weights, stock_weights, 1e-9)
    close(history, stock_history, 1e-6)
    return history


# -- inputs, outputs and weights


def several():
    """Two inputs by name, two outputs by name."""
    left = layers.Input((6,), name='left')
    right = layers.Input((2,), name='right')
    x = layers.Concatenate(dtype='float64')([left, right])
    x = layers.Dense(8, activation='tanh', dtype='float64')(x)
    outputs = {
        'label': layers.Dense(3, name='label', dtype='float64')(x),
        'number': layers.Dense(1, name='number', dtype='float64')(x),
    }
    return tf_keras.Model({'left': left, 'right': right}, outputs)


RIGHT = np.random.default_rng(5).normal(size=(42, 2)).astype(np.float32)
NUMBER = RIGHT.sum(1, keepdims=True)


@pytest.mark.parametrize('engine', ['plain', pytest.param('compiled', marks=pytest.mark.slow)])
def test_several_inputs_and_outputs_by_name(engine):
    x, y = {'left': X, 'right': RIGHT}, {'label': Y, 'number': NUMBER}
    loss = {'label': nets.cross_entropy(), 'number': 'mse'}
    options = {'loss': loss, 'loss_weights': {'label': 1.0, 'number': 0.3}}
    history = agree(several, (x, y), engine, metrics={'label': 'accuracy'}, **options)
    assert list(history) == ['loss', 'label_loss', 'number_loss', 'label_accuracy']


def test_several_inputs_in_a_tuple():
    def build():
        given = several()
        return tf_keras.Model([given.input['left'], given.input['right']], given.output['number'])

    agree(build, ((X, RIGHT), NUMBER), loss='mse', metrics=[])


def test_weights_of_examples():
    weights = np.random.default_rng(6).uniform(0, 2, 42).astype(np.float32)
    options = {'weighted_metrics': ['accuracy'], 'metrics': []}
    history = agree(exact, (X, Y, weights), **options)
    unweighted = Bench(exact).fit(ours())[0]
    assert history['loss'] != unweighted['loss']


def test_inputs_alone():
    def build():
        x = inputs = layers.Input((6,), dtype='float64')
        x = layers.Dense(6, dtype='float64')(layers.Dense(2, dtype='float64')(x))
        model = tf_keras.Model(inputs, x)
        model.add_loss(tf.reduce_mean(tf.square(x - inputs)))
        return model

    agree(build, (X,), loss=None, metrics=[])


# -- steps of one's own


class Clipped(tf_keras.Model):
    """Clips the mean of its inputs' gradient and tells more than Keras does."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        norm = tf.linalg.global_norm(gradients)
        gradients = [g / tf.maximum(norm, 0.5) for g in gradients]
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {'loss': loss, 'norm': norm, 'size': tf.shape(x)[0]}

    def test_step(self, data):
        return {**super().test_step(data), 'constant': 0.5}


def clipped():
    given = exact()
    return Clipped(given.inputs, given.outputs)


def test_a_train_step_of_ones_own():
    history = agree(clipped, (X, Y), metrics=[])
    assert history['size'] == [2, 2, 2]  # of the last, smaller batch
    model = Bench(clipped, metrics=[]).model
    found = model.evaluate(ours(), verbose=0, return_dict=True)
    assert found['constant'] == 0.5 and set(found) == {'loss', 'constant'}


class PerExample(tf_keras.Model):
    """Gives the loss of each example of the last batch."""

    def train_step(self, data):
        logs = super().train_step(data)
        return {**logs, 'each': tf.reduce_sum(data[0], -1)}


def test_logs_may_have_the_size_of_the_batch():
    def build():
        given = nets.dense()
        return PerExample(given.inputs, given.outputs)

    (history, _), (stock, _) = both(build, (X, Y))
    assert np.shape(history['each']) == (3, 2)
    np.testing.assert_allclose(history['each'], stock['each'], rtol=1e-6)


class Looked(tf_keras.Model):
    """Can be trained eagerly only."""

    def train_step(self, data):
        logs = super().train_step(data)
        assert np.isfinite(logs['loss'].numpy())
        self.seen = [*getattr(self, 'seen', []), data[0].numpy()]
        return logs


def test_eager_models_can_be_looked_into():
    def build():
        given = exact()
        return Looked(given.inputs, given.outputs)

    bench = Bench(build, run_eagerly=True)
    _, weights = bench.fit(ours(), epochs=1)
    assert [len(x) for x in bench.model.seen] == [8, 8, 8, 8, 8, 2]
    _, expected = Bench(exact).fit(ours(), epochs=1)
    close(weights, expected, 1e-9)


# -- models that are built late, or hold what Keras cannot describe


class Subclassed(tf_keras.Model):
    """Makes its layers when it is first called."""

    def build(self, shape):
        self.hidden = layers.Dense(10, 'tanh', kernel_initializer='ones', dtype='float64')
        self.drop = layers.Dropout(0.5, dtype='float64')
        self.head = layers.Dense(3, kernel_initializer='ones', dtype='float64')
        super().build(shape)

    def call(self, inputs, training=False):
        return self.head(self.drop(self.hidden(inputs), training=training))


class Late(layers.Layer):
    """Makes its Dropout when it is first called."""

    def build(self, shape):
        self.drop = layers.Dropout(0.5)
        super().build(shape)

    def call(self, inputs, training=None):
        return self.drop(inputs, training=training)


def late():
    return tf_keras.Sequential(
        [
            layers.Dense(10, 'tanh', kernel_initializer='ones'),
            Late(),
            layers.Dense(3, kernel_initializer='ones'),
        ]
    )


@pytest.mark.parametrize('build', [Subclassed, late], ids=['subclassed', 'late'])
def test_layers_that_are_made_late_draw_by_the_seed_too(build):
    ends = []
    for seed in (1, 1, 2):
        model = nets.compiled(build())
        model.fit(ours(seed=seed, shuffle=False), epochs=2, verbose=0)
        ends.append(model.get_weights()[0].tobytes())
    assert ends[0] == ends[1] != ends[2]


# -- random layers and augmentation


def test_random_layers_draw_by_seed_and_step():
    """Not by how often the model was fitted before, nor by what else the process drew."""
    bench = Bench(nets.noisy)
    _, weights = bench.fit(ours())
    tf.random.normal([3]), np.random.rand()
    bench.fit(ours(seed=5))
    tf_keras.utils.set_random_seed(99)
    assert nets.unlike(weights, bench.fit(ours())[1]) == []
    in_order = [bench.fit(ours(seed=s, shuffle=False))[1] for s in (0, 1)]
    assert nets.unlike(*in_order) != []


def test_augmentation_in_a_fit():
    def build():
        return tf_keras.Sequential([layers.Flatten(input_shape=(5, 5, 1)), layers.Dense(3)])

    arrays, bench = nets.examples((5, 5, 1)), Bench(build)
    flipped = [
        bench.fit(ours(arrays=arrays, augmentation='flip_crop', seed=s, shuffle=False))[1]
        for s in (0, 0, 1)
    ]
    assert nets.unlike(*flipped[:2]) == [] and nets.unlike(*flipped[1:]) != []
    plain = bench.fit(ours(arrays=arrays, seed=0, shuffle=False))[1]
    assert nets.unlike(flipped[0], plain) != []
    with pytest.raises(errors.ConfigError, match='flip_crop: expected images'):
        Bench(nets.dense).fit(ours(augmentation='flip_crop'))


# -- a Trainer does the same


@pytest.mark.parametrize(
    ('build', 'engine'),
    [
        (nets.noisy, 'plain'),
        (nets.noisy, 'compiled'),
        pytest.param(nets.normalised, 'compiled', marks=pytest.mark.slow),
    ],
)
def test_a_trainer_does_the_same(build, engine):
    """Same seed, same order, same draws, under the same mask."""
    data = nets.data()
    trainer = Trainer(lambda: PruningPolicy().wrap(build), momentum, data, 8, engine)
    start, mask = wrapping.read(trainer.model), nets.random_mask(trainer.model)
    trained = trainer.train(start, mask, seed=SEED, stop=13).final_weights

    def masked():
        model = PruningPolicy().wrap(build)
        wrapping.assign(model, start)
        return model

    bench = Bench(masked)
    assign_mask(bench.model, mask)
    batches = Batches(*data.train, batch_size=8, seed=SEED, engine=engine)
    bench.model.fit(batches, steps_per_epoch=13, verbose=0)
    close(trained, wrapping.read(bench.model), 1e-5)
    assert read_mask(bench.model) == mask != Mask.ones(mask.shapes)
