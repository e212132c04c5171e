"""What a step of a Program gets and gives, and what a Program refuses."""

import types

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import errors, seeds
from lth_keras.program import Program
from tests import nets

ONE_DEVICE = tf.distribute.get_strategy()
ENGINES = ['plain', 'compiled']


def tensors(*arrays):
    return tf.nest.map_structure(tf.constant, arrays)


def looking(engine='plain', augment=None, adds=False):
    """A Program whose steps give what they get."""
    return Program(
        nets.dense(),
        lambda examples, share: examples,
        ONE_DEVICE,
        engine == 'compiled',
        adds,
        augment,
    )


@pytest.mark.parametrize('engine', ENGINES)
def test_a_step_gets_the_examples_of_its_row(engine):
    inputs = {'a': np.arange(10.0), 'b': np.arange(20).reshape(10, 2)}
    data = tensors(inputs, np.arange(10) * 10)
    program = looking(engine)
    for block in ([[3, 1], [8, 2]], [[9, 0]], [[5, 5]]):
        block = np.array(block, np.int32)
        x, y = program(data, block, 0, 0)
        last = block[-1]
        assert x['a'].numpy().tolist() == last.tolist()
        assert x['b'].numpy().tolist() == [[2 * i, 2 * i + 1] for i in last]
        assert y.numpy().tolist() == (10 * last).tolist()


def test_other_data_may_have_the_same_form_or_only_its_sizes():
    program, block = looking(), np.array([[3, 1]], np.int32)
    for first in (0, 100):
        (x,) = program(tensors(np.arange(10) + first), block, 0, 0)
        assert x.numpy().tolist() == [first + 3, first + 1]
    a, b = np.arange(10), np.arange(10) * 2
    x, y = program(tensors(a, b), block, 0, 0)
    assert (x.numpy().tolist(), y.numpy().tolist()) == ([3, 1], [6, 2])
    ((x, y),) = program(tensors((b, a)), block, 0, 0)
    assert (x.numpy().tolist(), y.numpy().tolist()) == ([6, 2], [3, 1])
    (x,) = program(tensors({'one': a, 'two': b}), block, 0, 0)
    assert {name: value.numpy().tolist() for name, value in x.items()} == {
        'one': [3, 1],
        'two': [6, 2],
    }


@pytest.mark.parametrize('engine', ENGINES)
def test_augmentation_gets_key_step_and_positions(engine):
    def augment(inputs, key, step, positions):
        rows = tf.cast(positions, tf.int64)
        return inputs + tf.stack([rows, 0 * rows + step, 0 * rows + key], -1)

    program = looking(engine, augment=augment)
    inputs = {'one': np.zeros((10, 3), np.int64), 'two': np.ones((10, 3), np.int64)}
    data = tensors(inputs, np.arange(10))
    for seed, first in [(0, 0), (0, 7), (5, 7)]:
        x, y = program(data, np.array([[4, 2], [7, 8]], np.int32), first, seed)
        key = seeds.derive(seed, 'augmentation')
        assert x['one'].numpy().tolist() == [[0, first + 1, key], [1, first + 1, key]]
        assert (x['two'] - x['one']).numpy().tolist() == [[1, 1, 1], [1, 1, 1]]
        assert y.numpy().tolist() == [7, 8]


def test_results_are_summed_up_on_request():
    rows = np.array([[3, 1], [8, 2], [0, 5]], np.int32)
    data = tensors(np.arange(10))
    for engine in ENGINES:
        (total,) = looking(engine, adds=True)(data, rows, 0, 0)
        assert total.numpy().tolist() == rows.sum(0).tolist()


def test_eager_steps_can_be_looked_into():
    """What a debugger needs: values, at each step, and no step but those asked for."""
    seen = []

    def step(examples, share):
        seen.append(examples[0].numpy().tolist())
        return examples[0]

    program = Program(nets.dense(), step, ONE_DEVICE, False, adds=False, eager=True)
    program(tensors(np.arange(10)), np.array([[3, 1], [8, 2]], np.int32), 0, 0)
    assert seen == [[3, 1], [8, 2]]


def test_results_may_have_the_size_of_the_batch():
    program = looking()
    data = tensors(np.arange(10.0))
    for block in ([[1, 2, 3]], [[4, 5]], [[6, 7, 8]]):
        (x,) = program(data, np.array(block, np.int32), 0, 0)
        assert x.numpy().tolist() == block[-1]


# -- refusals


def test_each_replica_needs_an_example():
    strategy = types.SimpleNamespace(num_replicas_in_sync=3)
    program = Program(nets.dense(), lambda *_: 0.0, strategy, compiled=False, adds=True)
    with pytest.raises(errors.ConfigError, match='each of 3 replicas.*a batch of 2.*drop the rest'):
        program((np.arange(9),), np.array([[3, 1]], np.int32), 0, 0)


def outside_of_xla(examples, share):
    total = tf.numpy_function(np.sum, [examples[0]], tf.float64, stateful=False)
    return tf.ensure_shape(total, ())


def test_what_xla_cannot_compile_names_the_other_engine():
    data, block = tensors(np.arange(10.0)), np.array([[3, 1]], np.int32)
    compiled, plain = (
        Program(nets.dense(), outside_of_xla, ONE_DEVICE, c, True, results=np.float64(0))
        for c in (True, False)
    )
    with pytest.raises(errors.ModelError, match=r"run this model \(.+\); use engine='plain'"):
        compiled(data, block, 0, 0)
    assert float(plain(data, block, 0, 0)) == 4


def test_errors_of_the_plain_engine_are_those_of_tensorflow():
    def step(examples, share):
        tf.debugging.assert_less(examples[0], np.float64(5))
        return examples[0]

    program = Program(nets.dense(), step, ONE_DEVICE, compiled=False, adds=False)
    with pytest.raises(tf.errors.InvalidArgumentError):
        program(tensors(np.arange(10.0)), np.array([[3, 7]], np.int32), 0, 0)
