"""A model that was fitted on Batches: Keras's own ways stay open, and what cannot be is refused."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors
from lth_keras._compat import tf_keras
from lth_keras.pruning import wrapping
from tests import nets
from tests.fitted import Bench, X, Y, close, exact, momentum, ours

optimizers = tf_keras.optimizers


@pytest.fixture(scope='module')
def bench():
    return Bench(steps_per_execution=7)


@pytest.fixture(scope='module')
def stock():
    """Fitted by Keras alone."""
    return Bench()


# -- Keras's own ways stay open


def test_a_model_may_be_fitted_in_both_ways(stock):
    """Arrays, then Batches, then arrays, then train_on_batch: as if all had been arrays."""
    both = Bench()
    _, first = both.stock_fit(epochs=1)
    both.fit(ours(), anew=False, epochs=1)
    _, third = both.fit(X, anew=False, y=Y, batch_size=8, shuffle=False, epochs=1)
    both.model.train_on_batch(X[:8], Y[:8])
    predicted = both.model.predict(X, verbose=0)

    stock.stock_fit(epochs=2)
    _, expected = stock.fit(X, anew=False, y=Y, batch_size=8, shuffle=False, epochs=1)
    close(third, expected, 1e-9)
    stock.model.train_on_batch(X[:8], Y[:8])
    close(wrapping.read(both.model), wrapping.read(stock.model), 1e-9)
    np.testing.assert_allclose(predicted, stock.model.predict(X, verbose=0), rtol=1e-9)
    assert nets.unlike(first, third) != []


def test_a_model_may_be_compiled_again(stock):
    _, expected = stock.stock_fit(epochs=1)
    bench = Bench(exact, lambda: optimizers.SGD(0.0))
    bench.fit(ours(), epochs=1)
    bench.reset()
    bench.model.compile(momentum(), nets.cross_entropy(), ['accuracy'], steps_per_execution=3)
    bench.model.fit(ours(), epochs=1, verbose=0)
    close(wrapping.read(bench.model), expected, 1e-9)


def test_a_fitted_model_is_saved_as_any_other(tmp_path, bench):
    bench.fit(ours(), epochs=1)
    bench.model.save(tmp_path / 'model.keras')
    loaded = tf_keras.models.load_model(tmp_path / 'model.keras')
    assert nets.unlike(wrapping.read(bench.model), wrapping.read(loaded)) == []
    bench.fit(ours(), anew=False, epochs=1)
    loaded.fit(ours(), epochs=1, verbose=0)  # its counter was saved: the second epoch
    close(wrapping.read(bench.model), wrapping.read(loaded), 1e-9)


# -- refusals


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        ({'y': Y}, 'y: expected to be given to Batches alone'),
        ({'sample_weight': Y}, 'sample_weight: expected to be given to Batches alone'),
        ({'batch_size': 8}, 'batch_size: expected to be given to Batches alone'),
        ({'class_weight': {0: 1.0, 1: 2.0, 2: 1.0}}, 'class_weight: .* with sample_weight'),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else '',
)
def test_what_is_given_twice_is_refused(bench, options, text):
    with pytest.raises(errors.ConfigError, match=text):
        bench.model.fit(ours(), verbose=0, **options)


def test_predict_wants_arrays(bench):
    with pytest.raises(errors.ConfigError, match='predict: expected arrays'):
        bench.model.predict(ours(), verbose=0)
    assert bench.model.predict(X, verbose=0).shape == (42, 3)


@pytest.mark.parametrize(('engine', 'text'), [('probe', 'fit measures nothing'), ('fast', 'Known')])
def test_engines_that_fit_does_not_know(bench, engine, text):
    with pytest.raises(errors.ConfigError, match=text):
        bench.model.fit(ours(engine), verbose=0)


def test_a_model_that_xla_cannot_compile_names_the_other_engine():
    def loss(labels, outputs):
        total = tf.numpy_function(np.float32, [tf.reduce_sum(outputs)], tf.float32)
        return tf.ensure_shape(total, ()) + tf.reduce_sum(outputs)

    model = nets.dense()
    model.compile('sgd', loss)
    with pytest.raises(errors.ModelError, match="use engine='plain'"):
        model.fit(ours('compiled'), verbose=0)
    assert np.isfinite(model.fit(ours('plain'), verbose=0).history['loss']).all()
