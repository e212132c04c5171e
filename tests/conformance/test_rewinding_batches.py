"""The rewinding exams of `fit` on Batches: step k exactly, and from there what the dense run met.

`snapshots_exactly` compares what a callback kept with the weights after exactly k updates, for
every number of steps in one call. `meets_the_same` rewinds to k under a mask of ones and trains
on: with SGD, which has no state, the end must be that of the dense run bit for bit, so batches,
dropout and noise must be those of steps k, k + 1, ... Callbacks that forget where they are sit
the same exams and must fail them.
"""

import gc

import numpy as np
import pytest

from lth_keras import program, rewind
from lth_keras._compat import layers, tf_keras
from lth_keras.pruning import PruningPolicy, assign_mask, held_kernels, read_mask, wrapping
from lth_keras.rewind import RewindCallback
from tests import nets
from tests.fitted import PER_EPOCH, Bench, ours

optimizers = tf_keras.optimizers
STEPS = 2 * PER_EPOCH
EVERY_STEP = range(PER_EPOCH + 2)  # of an epoch, its end, and one of the next


def network():
    return tf_keras.Sequential(
        [
            layers.GaussianNoise(0.1, input_shape=(6,)),
            layers.Dense(10),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )


class Failed(Exception):
    """The exam is not passed; the text says why."""


def same(one, other, what):
    found = nets.unlike(one, other)
    if found:
        raise Failed(f'{what}: {", ".join(found)} differ')


class Rewound(Bench):
    """A wrapped model that forgets, between exams, that it was ever rewound."""

    def reset(self):
        super().reset()
        rewind._ORIGINS.pop(self.model, None)


def make_bench(optimizer=lambda: optimizers.SGD(0.1), **options):
    wrapped = PruningPolicy().wrap(network)
    return Rewound(lambda: wrapped, optimizer, steps_per_execution=5, **options)


@pytest.fixture(scope='module')
def bench():
    return make_bench()


@pytest.fixture(scope='module')
def states(bench):
    """The weights after each step, one step per call."""
    found = []

    class Record(tf_keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            found.append(wrapping.read(self.model))

        def on_train_batch_end(self, batch, logs=None):
            found.append(wrapping.read(self.model))

    bench.fit(ours(), Record(), steps=1, epochs=2)
    assert len(found) == STEPS + 1
    return found


def snapshots_exactly(callback, bench, states, steps):
    """The exam of the snapshot."""
    _, weights = bench.fit(ours(), callback, steps=steps, epochs=2)
    if callback.snapshot is None or callback.snapshot.step != callback.step:
        raise Failed(f'no snapshot of step {callback.step}')
    same(states[callback.step], callback.snapshot.weights, f'snapshot of step {callback.step}')
    same(states[-1], weights, 'the training that was watched')
    assert int(bench.model._steps_per_execution) == steps


@pytest.mark.parametrize('steps', [1, 5, 100])
def test_snapshots_are_of_step_k(bench, states, steps):
    for k in EVERY_STEP:
        snapshots_exactly(RewindCallback(k), bench, states, steps)


class AtCallEnds(RewindCallback):
    """Looks when a call of several steps is over, and cuts none."""

    def _set_steps(self, steps):
        pass

    def _counted(self):
        counted = super()._counted()
        return self.step if counted > self.step else counted


def test_snapshots_at_the_ends_of_calls_fail(bench, states):
    with pytest.raises(Failed, match='snapshot of step 3'):
        snapshots_exactly(AtCallEnds(3), bench, states, 5)


def meets_the_same(bench, states, callback, steps, rounds=2):
    """The exam of a later start: `rounds` trainings from step k to the end, under ones."""
    snapshots_exactly(callback, bench, states, steps)
    k = callback.step
    for number in range(1, rounds + 1):
        callback.restore(bench.model)
        same(states[k], wrapping.read(bench.model), f'start of round {number}')
        assert read_mask(bench.model).sparsity == 0
        length = STEPS - k
        history, weights = bench.fit(
            ours(), callback, anew=False, steps=steps, epochs=1, steps_per_epoch=length
        )
        same(states[-1], weights, f'round {number} from step {k}')


@pytest.mark.parametrize('steps', [1, 5, 100])
def test_rounds_meet_the_batches_and_draws_of_the_dense_run(bench, states, steps):
    for k in EVERY_STEP:
        meets_the_same(bench, states, RewindCallback(k), steps)


def test_rounds_of_a_compiled_model_do_too():
    bench, found = make_bench(), []
    mark = tf_keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: found.append(wrapping.read(bench.model))
    )
    data = ours('compiled')
    bench.fit(data, mark, steps=1, epochs=2)
    for k in (1, 5, 6, 7):
        callback = RewindCallback(k)
        bench.fit(data, callback, steps=5, epochs=2)
        same(found[k - 1], callback.snapshot.weights, f'snapshot of step {k}')
        callback.restore(bench.model)
        _, weights = bench.fit(data, anew=False, epochs=1, steps_per_epoch=STEPS - k)
        same(found[-1], weights, f'from step {k}')


def test_rounds_with_the_optimizer_restored_do_too(states):
    """Momentum is state: it comes back with the counter, which says where the batches are."""
    bench = make_bench(lambda: optimizers.SGD(0.1, momentum=0.9))
    callback = RewindCallback(4, optimizer='restore')
    _, dense = bench.fit(ours(), callback, epochs=2)
    callback.restore(bench.model)
    assert rewind.origin(bench.model) == 0 and bench.model.optimizer.iterations == 4
    _, again = bench.fit(ours(), callback, anew=False, epochs=1, steps_per_epoch=STEPS - 4)
    same(dense, again, 'from step 4')


class BeginsAnew(RewindCallback):
    """Forgets that a fresh optimizer counts from 0 while the batches go on."""

    def restore(self, model):
        super().restore(model)
        rewind._ORIGINS.pop(model)


class OneTooFar(RewindCallback):
    def restore(self, model):
        super().restore(model)
        rewind._ORIGINS[model] += 1


@pytest.mark.parametrize('bad', [BeginsAnew, OneTooFar])
@pytest.mark.parametrize('steps', [1, 5])
def test_bad_later_starts_fail(bench, states, bad, steps):
    with pytest.raises(Failed, match='round 1 from step 4'):
        meets_the_same(bench, states, bad(4), steps)


def test_draws_alone_make_a_difference(bench, states, monkeypatch):
    """The exam sees the draws too: right batches with the draws of the first steps fail."""
    call = program.Program.__call__
    callback = RewindCallback(PER_EPOCH)

    def shifted(self, data, block, first, seed):
        return call(self, data, block, first - rewind.origin(bench.model), seed)

    monkeypatch.setattr(program.Program, '__call__', shifted)
    with pytest.raises(Failed, match=f'round 1 from step {PER_EPOCH}'):
        meets_the_same(bench, states, callback, 5)


def test_schedules_go_on_at_step_k():
    """The last rate of the schedule is 0: whoever reads it too early moves the weights."""
    boundaries = [PER_EPOCH - 1]  # inclusive: the steps of one epoch
    bench = make_bench(
        lambda: optimizers.SGD(optimizers.schedules.PiecewiseConstantDecay(boundaries, [0.1, 0.0]))
    )
    callback = RewindCallback(PER_EPOCH - 1)
    _, dense = bench.fit(ours(), callback, epochs=1, steps=4)
    for _ in range(2):
        callback.restore(bench.model)
        _, one = bench.fit(ours(), anew=False, epochs=1, steps_per_epoch=1)
        kernels = [path for path in dense if 'moving' not in path]
        same({p: dense[p] for p in kernels}, {p: one[p] for p in kernels}, 'the one step at 0.1')
        _, rest = bench.fit(ours(), anew=False, epochs=1, steps_per_epoch=4)
        same({p: dense[p] for p in kernels}, {p: rest[p] for p in kernels}, 'steps at rate 0')


def test_the_front_door():
    """Rounds as in the README, on Batches: masks shrink, each round starts at mask * snapshot."""
    policy = PruningPolicy(rate=0.5)
    bench = make_bench(lambda: optimizers.Adam(0.01))
    callback, masks, ends = RewindCallback(3), [], []
    for number in range(3):
        _, end = bench.fit(ours(), callback, anew=not number, epochs=2)
        ends.append(end)
        masks.append(policy.prune(bench.model, callback, verbose=0))
        callback.restore(bench.model)
        same(callback.snapshot.masked(masks[-1]), wrapping.read(bench.model), 'start')
        assert rewind.origin(bench.model) == 3 and bench.model.optimizer.iterations == 0
    assert masks[2] <= masks[1] <= masks[0] and masks[2].kept < masks[1].kept
    for path, weight, _ in held_kernels(bench.model):
        assert not np.count_nonzero(ends[2][path][~masks[1][path]])
        assert np.count_nonzero(weight.numpy()[masks[2][path]])


def test_origins_belong_to_models(bench, states):
    """A model keeps its own; other models have none, and a dead one leaves nothing behind."""
    callback = RewindCallback(2)
    bench.fit(ours(), callback, epochs=1)
    other = PruningPolicy().wrap(network)
    assert rewind.origin(other) == 0
    callback.restore(other)
    assert rewind.origin(other) == 2 and rewind.origin(bench.model) == 0
    assign_mask(other, nets.random_mask(other))
    assert rewind.origin(other) == 2
    known = len(rewind._ORIGINS)
    del other
    tf_keras.backend.clear_session()
    gc.collect()
    assert len(rewind._ORIGINS) < known
