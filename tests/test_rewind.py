"""Snapshots as values, and what a RewindCallback refuses; its exactness is examined elsewhere."""

import numpy as np
import pytest

from lth_keras import errors
from lth_keras._compat import tf_keras
from lth_keras.mask import Mask
from lth_keras.pruning import PruningPolicy, read_mask, wrapping
from lth_keras.rewind import RewindCallback, Snapshot
from tests import nets


def fit(model, *callbacks, epochs=1):
    """Takes five steps an epoch."""
    model.fit(*nets.examples(), 8, epochs, verbose=0, callbacks=list(callbacks))


def test_masked_is_mask_times_snapshot_without_negative_zeros():
    weights = {
        'a/kernel': np.array([[-1.0, 2.0], [np.nan, -4.0]], np.float32),
        'a/bias': np.ones(2),
    }
    mask = Mask({'a/kernel': [[0, 1], [0, 1]]})
    start = Snapshot(3, weights).masked(mask)
    assert nets.bits(start['a/kernel']) == nets.bits(np.float32([[0.0, 2.0], [0.0, -4.0]]))
    assert start['a/bias'] is weights['a/bias']
    assert np.isnan(weights['a/kernel'][1, 0])
    for dtype in (np.float16, np.float64):
        half = Snapshot(0, {'k': np.ones(2, dtype)}).masked(Mask({'k': [0, 1]}))
        assert half['k'].dtype == dtype


def test_masked_refuses_masks_of_other_kernels():
    snapshot = Snapshot(0, {'a/kernel': np.ones((2, 2))})
    with pytest.raises(errors.MaskError, match="unknown kernel 'b/kernel'"):
        snapshot.masked(Mask({'b/kernel': np.ones((2, 2))}))
    with pytest.raises(errors.MaskError, match=r'expected shape \(2, 2\)'):
        snapshot.masked(Mask({'a/kernel': np.ones(4)}))


@pytest.mark.parametrize('step', [-1, 1.5, '3', None])
def test_steps_are_whole_numbers(step):
    with pytest.raises(errors.ConfigError, match='rewind step: expected a whole number'):
        RewindCallback(step)


def test_numpy_steps_are_whole_numbers_too():
    assert type(RewindCallback(np.int64(3)).step) is int


def test_options_are_known():
    with pytest.raises(errors.ConfigError, match="'fresh' or 'restore'"):
        RewindCallback(optimizer='new')


def test_a_step_that_was_never_reached():
    model = nets.compiled(PruningPolicy().wrap(nets.dense))
    callback = RewindCallback(6)
    assert callback.snapshot is None and callback.weights is None
    for _ in range(2):
        with pytest.raises(errors.TrainingError, match='step 6, but training never reached it'):
            callback.restore(model)
        fit(model, callback)
        if callback.snapshot:
            break
    assert callback.snapshot.step == 6
    callback.restore(model)


@pytest.mark.parametrize('step', [0, 3, 4])
def test_a_callback_that_comes_too_late(step):
    model = nets.compiled(PruningPolicy().wrap(nets.dense))
    fit(model)
    with pytest.raises(errors.TrainingError, match=f'step {step}.*took 5 steps.*first fit'):
        fit(model, RewindCallback(step))


def test_a_callback_that_comes_just_in_time():
    model = nets.compiled(PruningPolicy().wrap(nets.dense))
    fit(model)
    callback, before = RewindCallback(5), wrapping.read(model)
    fit(model, callback)
    assert nets.unlike(before, callback.snapshot.weights) == []
    assert callback.initial is None  # nobody saw step 0


def test_a_number_of_steps_that_keras_tunes_is_refused():
    model = nets.compiled(PruningPolicy().wrap(nets.dense), steps_per_execution='auto')
    with pytest.raises(errors.ConfigError, match="received 'auto'"):
        fit(model, RewindCallback(2))


def test_restoring_another_model_is_refused():
    model = nets.compiled(PruningPolicy().wrap(nets.dense))
    callback = RewindCallback(0)
    fit(model, callback)
    with pytest.raises(errors.LotteryError, match='dense/kernel'):
        callback.restore(PruningPolicy().wrap(lambda: nets.dense(11)))
    with pytest.raises(errors.ModelError, match='holds no masks'):
        callback.restore(nets.dense())


def test_snapshots_are_copies():
    model = nets.compiled(PruningPolicy().wrap(nets.dense))
    callback = RewindCallback(0)
    fit(model, callback)
    kept = {path: value.copy() for path, value in callback.snapshot.weights.items()}
    fit(model, callback, epochs=2)
    assert nets.unlike(kept, callback.snapshot.weights) == []
    assert nets.unlike(kept, callback.initial) == []
    callback.restore(model)
    fit(model, callback)
    assert nets.unlike(kept, callback.snapshot.weights) == []


def test_the_front_door():
    """Three rounds as in the README: the mask shrinks, every round starts at mask * snapshot."""
    policy = PruningPolicy(rate=0.5)
    model = nets.compiled(policy.wrap(nets.normalised), tf_keras.optimizers.Adam(0.01))
    rewind = RewindCallback(step=3)
    masks = [read_mask(model)]
    for _ in range(3):
        fit(model, rewind)
        masks.append(policy.prune(model, rewind, verbose=0))
        assert masks[-1] <= masks[-2] and masks[-1].kept < masks[-2].kept
        rewind.restore(model)
        start = rewind.snapshot.masked(masks[-1])
        assert nets.unlike(start, wrapping.read(model)) == []
