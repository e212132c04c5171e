"""`fit` and `evaluate` on Batches under a mirrored strategy, in a process of its own."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, rewind, strategies
from lth_keras._compat import layers, tf_keras
from lth_keras.draws import Draws
from lth_keras.pruning import PruningPolicy, wrapping
from lth_keras.rewind import RewindCallback
from tests import nets
from tests.fitted import VALIDATION, Bench, X, Y, close, ours


def network():
    return tf_keras.Sequential(
        [
            layers.Dense(10, activation='relu', input_shape=(6,), kernel_regularizer='l2'),
            layers.Dense(3),
        ]
    )


def pictures():
    return tf_keras.Sequential([layers.Flatten(input_shape=(6, 1, 1)), layers.Dense(3)])


def adam():
    return tf_keras.optimizers.Adam(0.01)


def agrees(strategy, build, data, validation):
    """A fit and an evaluation there against one here; returns the model there."""
    one = Bench(build, adam, steps_per_execution=4)
    with strategy.scope():
        two = Bench(build, adam, steps_per_execution=4)
    (history, weights), (same_history, same) = (
        bench.fit(data, validation_data=validation) for bench in (one, two)
    )
    close(weights, same, 1e-6)
    close(history, same_history, 1e-5)
    found = [b.model.evaluate(validation, verbose=0, return_dict=True) for b in (one, two)]
    close(*found, 1e-5)
    return two


def other_data_is_other_data(strategy, two):
    """Of the same form, after a fit on the first: the same program, not the same examples."""
    other = ours('auto', nets.examples(count=42, seed=7))
    one = Bench(network, adam, steps_per_execution=4)
    (_, weights), (_, same) = (bench.fit(other) for bench in (one, two))
    close(weights, same, 1e-6)
    assert nets.unlike(same, two.fit(ours('auto'))[1]) != []
    found = [b.model.evaluate(other, verbose=0, return_dict=True) for b in (two, two)]
    assert found[0] == found[1] != two.model.evaluate(ours('auto'), verbose=0, return_dict=True)


def replicas_draw_differently(strategy):
    with strategy.scope():
        model = tf_keras.Sequential([layers.Dropout(0.5, input_shape=(50,))])
    found = Draws(model)
    keys = tf.constant(found.keys(0))

    @tf.function
    def step():
        def run():
            with found.at(tf.constant(0, tf.int64), keys):
                return model(tf.ones((2, 50)), training=True)

        return strategy.run(run)

    first, second = (value.numpy() for value in strategy.experimental_local_results(step()))
    with found.at(tf.constant(0, tf.int64), keys):
        alone = model(tf.ones((2, 50)), training=True).numpy()
    assert np.array_equal(first, alone) and not np.array_equal(first, second)


def rewinds(strategy):
    """Rounds under ones are equal bit for bit, and end as the dense run."""
    with strategy.scope():
        bench = Bench(
            lambda: PruningPolicy().wrap(nets.noisy),
            lambda: tf_keras.optimizers.SGD(0.1),
            steps_per_execution=5,
        )
    callback = RewindCallback(4)
    _, dense = bench.fit(ours(), callback, epochs=2)
    for _ in range(2):
        callback.restore(bench.model)
        assert rewind.origin(bench.model) == 4
        bench.model.fit(ours(), steps_per_epoch=8, verbose=0, callbacks=[callback])
        assert nets.unlike(dense, wrapping.read(bench.model)) == []


def two_devices():
    """The strategy of a process that has used no device yet."""
    cpu = tf.config.list_physical_devices('CPU')[0]
    half = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [half, half])
    strategy = strategies.strategy('mirrored')
    assert strategy.num_replicas_in_sync == 2
    return strategy


def fits():
    strategy = two_devices()
    # Batches of 8 and a rest of 2; of the validation, batches of 6 and a rest of 3.
    two = agrees(strategy, network, ours('auto'), ours('auto', VALIDATION, batch_size=6))
    other_data_is_other_data(strategy, two)
    with pytest.raises(errors.ConfigError, match='each of 2 replicas.*a batch of 1'):
        two.fit(ours('auto', (X[:41], Y[:41])))
    with pytest.raises(errors.ConfigError, match='2 replicas'):
        two.fit(ours('compiled'))
    print('agree')


def draws():
    strategy = two_devices()
    replicas_draw_differently(strategy)
    rewinds(strategy)
    x, z = (a.reshape(-1, 6, 1, 1) for a in (X, VALIDATION[0]))
    flipped = ours('auto', (x, Y), augmentation='flip_crop')
    agrees(strategy, pictures, flipped, ours('auto', (z, VALIDATION[1]), batch_size=6))
    print('agree')


@pytest.mark.parametrize('part', ['fits', pytest.param('draws', marks=pytest.mark.slow)])
def test_two_devices_do_as_one(part):
    code = f'from tests import test_fitting_devices; test_fitting_devices.{part}()'
    assert nets.in_another_process(code).split()[-1] == 'agree'
