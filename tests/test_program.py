"""Many steps in one call: the same however they are cut, and nothing but the batches enters."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras._compat import layers, tf_keras
from lth_keras.program import BLOCK, Program
from lth_keras.pruning import wrapping
from lth_keras.steps import Epochs
from tests import nets

ONE_DEVICE = tf.distribute.get_strategy()
ENGINES = ['plain', 'compiled']
EPOCHS = Epochs(19, 4, seed=2)  # 4 batches of 4 and one of 3


def network():
    """All that a step may draw or write: noise, dropout, moving statistics."""
    return tf_keras.Sequential(
        [
            layers.GaussianNoise(0.1, input_shape=(6,)),
            layers.Dense(5),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )


class Bench:
    """A network that a Program trains from the same start again and again."""

    def __init__(self, engine, build=network, optimizer='momentum', adds=True, **options):
        self.model = build()
        self.optimizer = {
            'sgd': lambda: tf_keras.optimizers.SGD(0.1),
            'momentum': lambda: tf_keras.optimizers.SGD(0.1, momentum=0.9),
        }[optimizer]()
        self.optimizer.build(self.model.trainable_variables)
        variables = [*self.model.variables, *self.optimizer.variables]
        self._begin = [(variable, variable.numpy()) for variable in variables]
        self._loss = nets.cross_entropy()
        compiled = engine == 'compiled'
        self.program = Program(self.model, self.step, ONE_DEVICE, compiled, adds, **options)

    def step(self, examples, share):
        x, y = examples
        with tf.GradientTape() as tape:
            outputs = self.model(x, training=True)
            loss = self._loss(y, outputs)
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, tf.shape(y)[0], share

    def run(self, marks, data=None, seed=3, epochs=EPOCHS):
        """Trains between the marks, one call for each block; returns results and weights."""
        for variable, value in self._begin:
            variable.assign(value)
        data = data or nets.examples(count=epochs.examples)
        results = []
        for first, last in zip(marks[:-1], marks[1:], strict=True):
            for block in epochs.blocks(first, last, BLOCK):
                results.append(self.program(data, block, first, seed))
                first += len(block)
        return [[float(part) for part in one] for one in results], wrapping.read(self.model)


def alike(engine, **options):
    """A Bench that starts as all others made here."""
    tf_keras.utils.set_random_seed(1)
    return Bench(engine, **options)


@pytest.fixture(scope='module')
def benches():
    return {engine: alike(engine) for engine in ENGINES}


@pytest.fixture(scope='module', params=ENGINES)
def bench(request, benches):
    return benches[request.param]


@pytest.fixture(scope='module')
def last():
    """Gives the results of the last step."""
    return alike('plain', adds=False)


# -- however the steps are cut

examples = settings(database=None, deadline=None, derandomize=True, max_examples=15)


def check_any_cut(bench, cuts):
    marks = sorted({0, 12, *cuts})
    whole, weights = bench.run([0, 12])
    pieces, same = bench.run(marks)
    assert nets.unlike(weights, same) == []
    np.testing.assert_allclose(np.sum(pieces, 0), np.sum(whole, 0), rtol=1e-5)
    assert np.sum(pieces, 0)[1] == 2 * 19 + 2 * 4  # examples: two epochs, two batches


@examples
@given(st.sets(st.integers(1, 11)))
def test_results_do_not_depend_on_the_cuts(bench, cuts):
    check_any_cut(bench, cuts)


@examples
@given(st.sets(st.integers(1, 11)))
def test_the_last_step_does_not_depend_on_the_cuts(last, cuts):
    whole, weights = last.run([0, 12])
    pieces, same = last.run(sorted({0, 12, *cuts}))
    assert nets.unlike(weights, same) == [] and whole[-1] == pieces[-1]


def test_another_order_of_steps_is_noticed(bench):
    """The exams above can fail: numbers of steps that begin anew in every call give other bits."""
    call, bench.program = bench.program, lambda data, block, first, seed: call(data, block, 0, seed)
    try:
        with pytest.raises(AssertionError):
            check_any_cut(bench, {2})
    finally:
        bench.program = call


def test_seeds_matter_to_random_layers(bench):
    one, other, again = (bench.run([0, 12], seed=seed)[1] for seed in (3, 4, 3))
    assert nets.unlike(one, again) == [] and nets.unlike(one, other) != []


@pytest.mark.parametrize('engine', ENGINES)
def test_a_whole_block_is_its_steps_one_by_one(engine):
    epochs = Epochs(2 * BLOCK, 2, seed=0)
    bench = Bench(engine, nets.noisy)
    one, whole = bench.run([0, BLOCK], epochs=epochs)
    many, steps = bench.run(range(BLOCK + 1), epochs=epochs)
    assert nets.unlike(whole, steps) == []
    assert (len(one), len(many)) == (1, BLOCK) and one[0][1] == 2 * BLOCK
    assert one[0][2] == BLOCK  # the share of each batch that one device gets is all of it


# -- the last batch of an epoch is its own smaller update


@pytest.mark.parametrize('build', [nets.dense, nets.normalised], ids=lambda b: b.__name__)
def test_steps_are_those_of_keras(build):
    """What `train_on_batch` does with the same batches, the smaller one included."""
    bench = Bench('plain', build)
    model = nets.compiled(build(), tf_keras.optimizers.SGD(0.1, momentum=0.9))
    wrapping.assign(model, wrapping.read(bench.model))
    x, y = nets.examples(count=19)
    for block in EPOCHS.blocks(0, 10):
        for row in block:
            model.train_on_batch(x[row], y[row])
    _, ours = bench.run([0, 10])
    theirs = wrapping.read(model)
    if build is nets.dense:
        assert nets.unlike(ours, theirs) == []
    for path in ours:  # Keras normalises by another kernel once it has seen two batch sizes
        np.testing.assert_allclose(ours[path], theirs[path], rtol=0, atol=1e-6)


def test_the_engines_agree(benches):
    (one, plain), (other, compiled) = (benches[engine].run([0, 12]) for engine in ENGINES)
    np.testing.assert_allclose(one, other, rtol=1e-5)
    for path, value in plain.items():
        np.testing.assert_allclose(value, compiled[path], rtol=0, atol=1e-5)


def test_padding_enters_nothing(bench):
    """Blocks are filled up with example 0, which would ruin whatever it enters."""
    x, y = nets.examples(count=20)
    x[0] = np.nan
    seen = []

    class From1(Epochs):
        def order(self, epoch):
            return super().order(epoch) + 1

    epochs = From1(19, 4, seed=2)
    for marks in ([0, 12], [0, 1, 3, 12], range(13)):
        results, weights = bench.run(marks, (x, y), epochs=epochs)
        assert np.all(np.isfinite(results))
        assert all(np.all(np.isfinite(value)) for value in weights.values())
        seen.append(weights)
    assert nets.unlike(seen[0], seen[1]) == nets.unlike(seen[0], seen[2]) == []
    _, ruined = bench.run([0, 12], (x, y))
    assert np.isnan(ruined['dense/kernel']).all()


def test_moving_statistics_are_those_of_the_batches():
    """momentum 0.99: after one epoch they are a sum over its batches and nothing else."""

    def build():
        return tf_keras.Sequential([layers.BatchNormalization(input_shape=(6,)), layers.Dense(3)])

    x, y = nets.examples(count=19)
    _, weights = Bench('compiled', build).run([0, 5], (x, y))
    mean = np.zeros(6)
    for block in EPOCHS.blocks(0, 5):
        for row in block:
            mean = 0.99 * mean + 0.01 * x[row].astype(np.float64).mean(0)
    np.testing.assert_allclose(weights['batch_normalization/moving_mean'], mean, atol=1e-7)


def test_eager_steps_are_those_of_the_graph(benches):
    one, weights = benches['plain'].run([0, 6])
    other, eager = alike('plain', eager=True).run([0, 6])
    np.testing.assert_allclose(one, other, rtol=1e-5)
    for path, value in weights.items():
        np.testing.assert_allclose(value, eager[path], rtol=0, atol=1e-6)
