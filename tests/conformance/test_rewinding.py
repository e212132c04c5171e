"""The rewinding exams: the snapshot is of step k exactly, and a round starts at mask * snapshot.

`snapshots_exactly` compares what a callback kept with the state of a training that had none, for
every number of steps in one call. `restores_exactly` compares the round after a rewind, bit by
bit, with a model and an optimizer that were made anew. `trains_again` asks the same of a Trainer.
Callbacks and Trainers that are known to be bad sit the same exams and must fail them.
"""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras import engine, errors, slots, steps, training
from lth_keras._compat import layers, tf_keras
from lth_keras.draws import Draws
from lth_keras.mask import Mask
from lth_keras.pruning import PruningPolicy, assign_mask, read_mask, wrapping
from lth_keras.rewind import RewindCallback, Snapshot
from tests import nets

optimizers = tf_keras.optimizers
schedules = tf_keras.optimizers.schedules


class Failed(Exception):
    """The exam is not passed; the text says why."""


def same(one, other, what):
    found = nets.unlike(one, other)
    if found:
        raise Failed(f'{what}: {", ".join(found)} differ')


def state_of(optimizer):
    return [
        variable.numpy()
        for variable in getattr(optimizer, 'inner_optimizer', optimizer).variables()
    ]


# -- the snapshot is of step k exactly

STEPS = 18  # 3 epochs of 6 batches, the last of which is smaller


class Record(tf_keras.callbacks.Callback):
    """The weights after every step, when one step is one call."""

    def __init__(self):
        super().__init__()
        self.states = []

    def on_train_begin(self, logs=None):
        self.states.append(wrapping.read(self.model))

    def on_train_batch_end(self, batch, logs=None):
        self.states.append(wrapping.read(self.model))


class Bench:
    """One compiled model that is trained from the same start again and again by `fit`."""

    def __init__(self, start, steps_per_execution):
        self.model = nets.compiled(
            PruningPolicy().wrap(start),
            optimizers.SGD(0.1, momentum=0.9),
            metrics=['accuracy'],
            steps_per_execution=steps_per_execution,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.begin = [
            (variable, variable.numpy())
            for variable in (*self.model.variables, *self.model.optimizer.variables())
        ]
        self.steps_per_execution = steps_per_execution
        self.unwatched = self.fit()

    def fit(self, *callbacks):
        for variable, value in self.begin:
            variable.assign(value)
        x, y = nets.examples(count=42)
        history = self.model.fit(
            x,
            y,
            batch_size=8,
            epochs=3,
            shuffle=False,
            verbose=0,
            validation_data=nets.examples(count=21, seed=1),
            callbacks=list(callbacks),
        )
        return history.history, wrapping.read(self.model)


@pytest.fixture(scope='module')
def benches():
    start = nets.normalised()
    return {number: Bench(start, number) for number in (1, 4, 50)}


@pytest.fixture(scope='module')
def states(benches):
    record = Record()
    benches[1].fit(record)
    assert len(record.states) == STEPS + 1
    return record.states


def snapshots_exactly(make_callback, bench, states, k):
    """The exam of the snapshot; returns the callback."""
    history, final = bench.unwatched
    callback = make_callback(k)
    again, watched = bench.fit(callback)
    if callback.snapshot is None or callback.snapshot.step != k:
        raise Failed(f'no snapshot of step {k}')
    same(states[k], callback.snapshot.weights, f'snapshot of step {k}')
    same(final, watched, 'the training that was watched')
    if history != again:
        raise Failed('the history of the training that was watched differs')
    if int(bench.model._steps_per_execution.numpy()) != bench.steps_per_execution:
        raise Failed('steps_per_execution is not what it was')
    return callback


@pytest.mark.parametrize('number', [1, 4, 50])
@pytest.mark.parametrize('k', [0, 1, 3, 6, 8, 18])
def test_snapshots_are_of_step_k(benches, states, k, number):
    callback = snapshots_exactly(RewindCallback, benches[number], states, k)
    same(states[0], callback.initial, 'initial weights')
    assert callback.weights is callback.snapshot.weights


class AtEpochEnds(RewindCallback):
    """Looks at the end of an epoch only."""

    def on_epoch_begin(self, epoch, logs=None):
        if self.snapshot is None and self._counted() >= self.step:
            self.snapshot = Snapshot(self.step, wrapping.read(self.model))

    def _look(self):
        pass

    def on_train_end(self, logs=None):
        self.on_epoch_begin(0)


class AtCallEnds(RewindCallback):
    """Looks when a call of several steps is over, and cuts none."""

    def _look(self):
        if self.snapshot is None and self._counted() >= self.step:
            self.snapshot = Snapshot(self.step, wrapping.read(self.model))


class TrainableOnly(RewindCallback):
    """Forgets moving statistics."""

    def _look(self):
        super()._look()
        if self.snapshot is not None:
            weights = {
                path: value if 'moving' not in path else np.zeros_like(value)
                for path, value in self.snapshot.weights.items()
            }
            self.snapshot = Snapshot(self.step, weights)


class LeavesItCut(RewindCallback):
    """Does not put steps_per_execution back."""

    def _set_steps(self, steps):
        if steps < self._steps_per_execution:
            super()._set_steps(steps)


@pytest.mark.parametrize('bad', [AtEpochEnds, AtCallEnds, TrainableOnly, LeavesItCut])
def test_bad_snapshots_fail(benches, states, bad):
    with pytest.raises(Failed):
        snapshots_exactly(bad, benches[4], states, 3)
    benches[4].model._steps_per_execution.assign(4)


def test_a_snapshot_is_taken_once(benches, states):
    callback = RewindCallback(2)
    benches[1].fit(callback)
    first = callback.snapshot
    benches[1].fit(callback)
    assert callback.snapshot is first


def test_a_snapshot_can_lie_in_a_later_fit():
    start = nets.normalised()
    x, y = nets.examples()

    def train(*epochs, step):
        model = nets.compiled(PruningPolicy().wrap(start), optimizers.Adam(0.01))
        callback = RewindCallback(step)
        for number in epochs:
            model.fit(x, y, 8, number, shuffle=False, verbose=0, callbacks=[callback])
        return callback.snapshot

    one, other = train(3, step=12), train(1, 1, 1, step=12)
    same(one.weights, other.weights, 'snapshots')
    assert (one.step, other.step) == (12, 12)


# -- a round starts at mask * snapshot, with a fresh optimizer


def piecewise():
    return schedules.PiecewiseConstantDecay([2, 7, 9], [0.1, 0.05, 0.02, 0.01])


OPTIMIZERS = {
    'sgd': lambda: optimizers.SGD(0.1),
    'momentum': lambda: optimizers.SGD(0.1, momentum=0.9),
    'adam': lambda: optimizers.Adam(0.01),
    'adagrad': lambda: optimizers.Adagrad(0.1),
    'ema': lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9),
    'legacy adam': lambda: optimizers.legacy.Adam(0.01),
    'loss scale': lambda: tf_keras.mixed_precision.LossScaleOptimizer(
        optimizers.Adam(0.01), initial_scale=8, dynamic_growth_steps=3
    ),
}


def restores_exactly(make_callback, optimizer, k, build=nets.normalised):
    """The exam of the restore: a round after it against one of a model made anew."""
    x, y = nets.examples()
    given = build()
    model = nets.compiled(PruningPolicy().wrap(given), optimizer())
    callback = make_callback(k)

    def fit(one, *callbacks):
        one.fit(x, y, 8, 2, shuffle=False, verbose=0, callbacks=list(callbacks))
        return wrapping.read(one)

    fit(model, callback)
    snapshot = callback.snapshot
    if not k:
        same(wrapping.read(given), snapshot.weights, 'snapshot of step 0')
    mask = nets.random_mask(model)
    assign_mask(model, mask)
    callback.restore(model)
    start = snapshot.masked(mask)
    same(start, wrapping.read(model), 'start of the round')
    if read_mask(model) != mask:
        raise Failed('the mask is lost')

    anew = nets.compiled(PruningPolicy().wrap(build), optimizer())
    wrapping.assign(anew, start)
    assign_mask(anew, mask)
    slots.build(anew.optimizer, anew.trainable_variables)
    for variable, one, other in zip(
        anew.optimizer.variables(), state_of(model.optimizer), state_of(anew.optimizer), strict=True
    ):
        alive = np.ones(one.shape, bool)
        for path in mask:
            if one.shape == mask[path].shape:
                alive = mask[path]
        if not np.array_equal(one[alive], other[alive]):
            raise Failed(f'{variable.name} is not as in a fresh optimizer')
    scale = getattr(model.optimizer, 'loss_scale', None)
    if scale is not None and float(scale) != float(anew.optimizer.loss_scale):
        raise Failed('the loss scale is not that of a fresh optimizer')
    same(fit(anew), fit(model, callback), 'end of the round')


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_a_round_is_that_of_a_fresh_model(name):
    restores_exactly(RewindCallback, OPTIMIZERS[name], 0)


@pytest.mark.parametrize('name', ['adam', 'ema'])
def test_a_later_round_is_that_of_a_fresh_model(name):
    restores_exactly(RewindCallback, OPTIMIZERS[name], 7)


class ForgetsStatistics(RewindCallback):
    """Restores what is trained and leaves moving statistics as they are."""

    def restore(self, model):
        now = {p: v for p, v in wrapping.read(model).items() if 'moving' in p}
        super().restore(model)
        wrapping.assign(model, {**wrapping.read(model), **now})


class KeepsSlots(RewindCallback):
    """Leaves the optimizer alone."""

    def _reset(self, model, optimizer):
        pass


class ZeroesSlots(RewindCallback):
    """Takes zero for the start of every slot."""

    def _reset(self, model, optimizer):
        for variable in optimizer.variables():
            variable.assign(np.zeros(variable.shape, variable.dtype.as_numpy_dtype))


class ErasesMasks(RewindCallback):
    """Uses set_weights, which writes the masks of the first round too."""

    def on_train_begin(self, logs=None):
        if self.snapshot is None:
            self.all = self.model.get_weights()
        super().on_train_begin(logs)

    def restore(self, model):
        mask = read_mask(model)
        super().restore(model)
        model.set_weights(self.all)
        wrapping.assign(model, self.snapshot.masked(mask))


class ForgetsToMask(RewindCallback):
    """Gives pruned weights their old values back."""

    def restore(self, model):
        super().restore(model)
        wrapping.assign(model, self.snapshot.weights)


@pytest.mark.parametrize(
    ('bad', 'name'),
    [
        (ForgetsStatistics, 'sgd'),
        (KeepsSlots, 'adam'),
        (KeepsSlots, 'sgd'),
        (ZeroesSlots, 'adagrad'),
        (ZeroesSlots, 'ema'),
        (ErasesMasks, 'sgd'),
        (ForgetsToMask, 'sgd'),
    ],
)
def test_bad_restores_fail(bad, name):
    with pytest.raises(Failed):
        restores_exactly(bad, OPTIMIZERS[name], 0)


# -- learning rates: the weight of this model falls by the learning rate in every step


def falling(optimizer, **options):
    """A wrapped model of one weight whose gradient is 1."""
    model = PruningPolicy().wrap(
        lambda: tf_keras.Sequential([layers.Dense(1, use_bias=False, input_shape=(1,))])
    )
    model.compile(optimizer, lambda labels, outputs: outputs, **options)
    return model


class Falls(tf_keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.weights = [self.model.get_weights()[0].item()]

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights()[0].item())


def rates_of(model, steps, *callbacks):
    """The learning rate that each step really had."""
    falls = Falls()
    x = np.ones((steps, 1), np.float32)
    model.fit(x, x, 1, shuffle=False, verbose=0, callbacks=[*callbacks, falls])
    return -np.diff(falls.weights)


def by_schedule(schedule, first, last):
    return [float(schedule(step)) for step in range(first, last)]


SCHEDULES = {
    'piecewise': piecewise,
    'cosine': lambda: schedules.CosineDecay(0.1, 10, alpha=0.1),
    'exponential': lambda: schedules.ExponentialDecay(0.1, 3, 0.5, staircase=True),
}


@pytest.mark.parametrize('k', [0, 4])
@pytest.mark.parametrize('name', SCHEDULES)
def test_schedules_go_on_at_the_rewind_point(name, k):
    schedule = SCHEDULES[name]()
    model = falling(optimizers.SGD(SCHEDULES[name]()))
    callback = RewindCallback(k)
    first = rates_of(model, 10, callback)
    np.testing.assert_allclose(first, by_schedule(schedule, 0, 10), atol=1e-6)
    for _ in range(2):
        callback.restore(model)
        assert model.optimizer.iterations == 0
        again = rates_of(model, 8, callback)
        np.testing.assert_allclose(again, by_schedule(schedule, k, k + 8), atol=1e-6)


def test_schedules_go_on_when_the_optimizer_is_restored():
    schedule = piecewise()
    model = falling(optimizers.SGD(piecewise(), momentum=0.0))
    callback = RewindCallback(4, optimizer='restore')
    rates_of(model, 10, callback)
    callback.restore(model)
    assert model.optimizer.iterations == 4
    np.testing.assert_allclose(
        rates_of(model, 6, callback), by_schedule(schedule, 4, 10), atol=1e-6
    )


def test_schedules_go_on_in_a_model_that_is_compiled_again():
    schedule = piecewise()
    model = falling(optimizers.SGD(piecewise()))
    callback = RewindCallback(4)
    rates_of(model, 10, callback)
    model.compile(optimizers.SGD(piecewise()), model.loss)
    callback.restore(model)
    np.testing.assert_allclose(
        rates_of(model, 6, callback), by_schedule(schedule, 4, 10), atol=1e-6
    )


def test_schedules_go_on_in_a_model_that_was_trained_before():
    """The callback comes with the second fit, in time for step k, but after the first trace."""
    schedule = piecewise()
    model = falling(optimizers.SGD(piecewise()))
    rates_of(model, 2)
    callback = RewindCallback(4)
    np.testing.assert_allclose(
        rates_of(model, 8, callback), by_schedule(schedule, 2, 10), atol=1e-6
    )
    callback.restore(model)
    np.testing.assert_allclose(
        rates_of(model, 6, callback), by_schedule(schedule, 4, 10), atol=1e-6
    )


def test_schedules_of_legacy_optimizers_go_on_or_are_refused():
    schedule = piecewise()
    model = falling(optimizers.legacy.SGD(piecewise()))
    callback = RewindCallback(4)
    try:
        rates_of(model, 10, callback)
        callback.restore(model)
    except errors.LotteryError as e:
        assert 'legacy' in str(e)
        return
    np.testing.assert_allclose(
        rates_of(model, 6, callback), by_schedule(schedule, 4, 10), atol=1e-6
    )


class Warm(schedules.LearningRateSchedule):
    """A schedule of a user's own, not registered with Keras."""

    def __init__(self, top):
        self.top = top

    def __call__(self, step):
        return self.top * (1.0 + tf.cast(step, 'float32')) / 10.0

    def get_config(self):
        return {'top': self.top}


@pytest.mark.parametrize('k', [0, 4])
def test_schedules_of_the_users_own_go_on(k):
    schedule = Warm(0.1)
    model = falling(optimizers.SGD(Warm(0.1)))
    callback = RewindCallback(k)
    rates_of(model, 10, callback)
    callback.restore(model)
    again = rates_of(model, 6, callback)
    np.testing.assert_allclose(again, by_schedule(schedule, k, k + 6), atol=1e-6)


def test_a_learning_rate_that_a_callback_lowered_is_put_back():
    model = falling(optimizers.SGD(0.1))
    callback = RewindCallback(0)
    lower = tf_keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    assert rates_of(model, 3, callback, lower) == pytest.approx([0.05] * 3)
    callback.restore(model)
    assert rates_of(model, 3) == pytest.approx([0.1] * 3)


def test_a_learning_rate_of_zero_is_a_learning_rate():
    model = falling(optimizers.SGD(0.0))
    callback = RewindCallback(0)
    assert not rates_of(model, 3, callback).any()
    callback.restore(model)


def test_a_saved_model_keeps_its_shifted_schedule(tmp_path):
    model = nets.compiled(PruningPolicy().wrap(nets.dense), optimizers.SGD(piecewise()))
    callback = RewindCallback(4)
    x, y = nets.examples()
    model.fit(x, y, 8, 2, verbose=0, callbacks=[callback])
    callback.restore(model)
    model.save(tmp_path / 'model.keras')
    loaded = tf_keras.models.load_model(tmp_path / 'model.keras')
    rate = slots.learning_rate(loaded.optimizer)
    assert float(rate(0)) == pytest.approx(0.05) and float(rate(5)) == pytest.approx(0.02)


@pytest.mark.parametrize('name', ['momentum', 'adam', 'ema'])
def test_slots_and_counter_of_step_k_come_back_on_request(name):
    start = nets.normalised()
    x, y = nets.examples()
    model = nets.compiled(PruningPolicy().wrap(start), OPTIMIZERS[name]())
    callback = RewindCallback(5, optimizer='restore')
    fit = {'batch_size': 8, 'shuffle': False, 'verbose': 0, 'callbacks': [callback]}
    model.fit(x, y, **fit)
    at_k = state_of(model.optimizer)
    # use_ema writes the average over the weights when a fit ends.
    model.fit(x, y, **fit)
    ends = wrapping.read(model)
    callback.restore(model)
    for now, then in zip(state_of(model.optimizer), at_k, strict=True):
        np.testing.assert_array_equal(now, then)
    assert model.optimizer.iterations == 5
    if name != 'ema':
        model.fit(x, y, **fit)
        same(ends, wrapping.read(model), 'the second epoch')


def test_restored_slots_of_pruned_weights_are_empty():
    model = nets.compiled(PruningPolicy().wrap(nets.dense), optimizers.Adam(0.01))
    callback = RewindCallback(5, optimizer='restore')
    model.fit(*nets.examples(), 8, 2, verbose=0, callbacks=[callback])
    mask = nets.random_mask(model)
    assign_mask(model, mask)
    callback.restore(model)
    checked = 0
    for variable in model.optimizer.variables():
        for path in mask:
            if tuple(variable.shape) == mask[path].shape:
                checked += 1
                assert not np.count_nonzero(variable.numpy()[~mask[path]])
                assert np.count_nonzero(variable.numpy()[mask[path]])
    assert checked == 4


def test_rewinding_a_model_that_was_never_compiled():
    model = nets.compiled(PruningPolicy().wrap(nets.dense))
    callback = RewindCallback(0)
    model.fit(*nets.examples(), verbose=0, callbacks=[callback])
    other = PruningPolicy().wrap(nets.dense)
    assign_mask(other, nets.random_mask(other))
    callback.restore(other)
    same(callback.snapshot.masked(read_mask(other)), wrapping.read(other), 'start')


# -- a Trainer


def make_trainer(build, engine='plain', trainer=training.Trainer, optimizer='adam', strategy=None):
    return trainer(
        build,
        OPTIMIZERS[optimizer],
        nets.data(build().input_shape[1:]),
        batch_size=8,
        engine=engine,
        strategy=strategy,
    )


def starts(build):
    return wrapping.read(build())


def compare(one, other, what):
    for name in ('final_weights', 'early_weights'):
        same(getattr(one, name), getattr(other, name), f'{name} of {what}')
    same({'curve': one.curve}, {'curve': other.curve}, what)
    if (one.early_stop, one.final) != (other.early_stop, other.final):
        raise Failed(f'metrics of {what} differ')


PLAIN_AND_COMPILED = pytest.mark.parametrize('engine', ['plain', 'compiled'])


@PLAIN_AND_COMPILED
@pytest.mark.parametrize('build', [nets.normalised, nets.noisy], ids=lambda b: b.__name__)
def test_a_mask_of_ones_is_plain_training(build, engine):
    start = starts(build)
    wrapped = make_trainer(lambda: PruningPolicy().wrap(build), engine)
    plain = make_trainer(lambda: wrapping.rebuilt(build()), engine)
    ones = Mask.ones(read_mask(wrapped.model).shapes)
    arguments = {'seed': 3, 'stop': 12, 'eval_every': 5}
    one, other = wrapped.train(start, ones, **arguments), plain.train(start, None, **arguments)
    compare(one, other, 'a mask of ones')
    assert nets.unlike(start, one.final_weights) == list(start)


@pytest.mark.parametrize('build', [nets.residual, nets.resnet], ids=lambda b: b.__name__)
def test_a_mask_of_ones_is_plain_training_with_residuals(build):
    test_a_mask_of_ones_is_plain_training(build, 'plain')


def trains_again(trainer, build, engine):
    """The exam of the Trainer: what it trained before makes no difference."""
    start = starts(build)
    other_start = {path: value + 0.1 for path, value in start.items()}
    used = make_trainer(lambda: PruningPolicy().wrap(build), engine, trainer)
    mask = nets.random_mask(used.model)
    arguments = {'seed': 1, 'stop': 10, 'eval_every': 5}
    once = used.train(start, mask, **arguments)
    used.train(other_start, nets.random_mask(used.model, 0.8, seed=2), seed=2, stop=7)
    compare(once, used.train(start, mask, **arguments), 'a second training')
    fresh = make_trainer(lambda: PruningPolicy().wrap(build), engine)
    compare(once, fresh.train(start, mask, **arguments), 'a fresh Trainer')
    for path in mask:
        if np.count_nonzero(once.final_weights[path][~mask[path]]):
            raise Failed(f'{path}: pruned weights moved')


def noisy_and_normalised():
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


@PLAIN_AND_COMPILED
def test_a_trainer_trains_again_as_the_first_time(engine):
    trains_again(training.Trainer, noisy_and_normalised, engine)


class ForgetsOptimizer(training.Trainer):
    def reset(self, start, mask):
        kept = [variable.numpy() for variable in self.optimizer.variables()]
        super().reset(start, mask)
        for variable, value in zip(self.optimizer.variables(), kept, strict=True):
            variable.assign(value)


class ForgetsNoise(training.Trainer):
    """Lets random layers draw what depends on how often it has trained."""

    def reset(self, start, mask):
        super().reset(start, mask)
        self.number = getattr(self, 'number', 0) + 1
        draws = self.loop._program._draws
        draws.keys = lambda seed: Draws.keys(draws, seed + self.number)


class ForgetsMask(training.Trainer):
    def reset(self, start, mask):
        super().reset(start, getattr(self, 'first', mask))
        self.first = mask


@pytest.mark.parametrize('bad', [ForgetsOptimizer, ForgetsNoise, ForgetsMask])
def test_bad_trainers_fail(bad):
    # The trainer's own check of its first steps may be the one that notices.
    with pytest.raises((Failed, errors.MaskError, errors.ModelError)):
        trains_again(bad, noisy_and_normalised, 'plain')


def meets_the_same(trainer, start, k):
    """The exam of a later start: SGD has no state, so nobody can tell that training stopped at k.

    Batches and what random layers draw must be those of the dense network from step k on.
    """
    ones = Mask.ones(read_mask(trainer.model).shapes)
    whole = trainer.train(start, ones, seed=1, stop=12, eval_every=6, snapshot_at=k)
    rest = trainer.train(whole.snapshot, ones, seed=1, stop=12, begin=k, eval_every=6)
    same(whole.final_weights, rest.final_weights, f'training from step {k}')
    assert [int(step) for step in rest.curve[:, 0]] == sorted({k, 6, 12} - set(range(k)))
    # The train columns are means since the last evaluation, and that may have been at k.
    np.testing.assert_array_equal(rest.curve[-1, 3:], whole.curve[-1, 3:])
    return whole


def later_trainer(engine='plain', trainer=training.Trainer):
    def build():
        return PruningPolicy().wrap(noisy_and_normalised)

    return make_trainer(build, engine, trainer, optimizer='sgd')


@PLAIN_AND_COMPILED
def test_training_from_a_snapshot_meets_the_same_batches_and_draws(engine):
    trainer = later_trainer(engine)
    start = starts(noisy_and_normalised)
    ones = Mask.ones(read_mask(trainer.model).shapes)
    plain = trainer.train(start, ones, seed=1, stop=12, eval_every=6)
    assert plain.snapshot is None
    for k in (1, 5, 7):
        whole = meets_the_same(trainer, start, k)
        same(plain.final_weights, whole.final_weights, 'training with a snapshot')
    at_zero = trainer.train(start, ones, seed=1, stop=2, snapshot_at=0)
    same(start, at_zero.snapshot, 'snapshot of step 0')


class CountsFromItsStart(training.Trainer):
    """Lets random layers draw as if every training began at step 0; the batches are right."""

    def train(self, *arguments, begin=0, **options):
        run = self.loop.run
        self.loop.run = lambda block, first, seed: run(block, first - begin, seed)
        try:
            return super().train(*arguments, begin=begin, **options)
        finally:
            self.loop.run = run


class BeginsAnew(training.Trainer):
    """Takes the first batches of the first epoch, wherever it starts."""

    def train(self, *arguments, begin=0, **options):
        blocks = steps.Epochs.blocks
        steps.Epochs.blocks = lambda epochs, start, stop, most=1 << 30: blocks(
            epochs, start - begin, stop - begin, most
        )
        try:
            return super().train(*arguments, begin=begin, **options)
        finally:
            steps.Epochs.blocks = blocks


@pytest.mark.parametrize('bad', [CountsFromItsStart, BeginsAnew])
def test_bad_later_starts_fail(bad):
    with pytest.raises(Failed, match='training from step 5'):
        meets_the_same(later_trainer(trainer=bad), starts(noisy_and_normalised), 5)


# -- two devices, in a process of their own


def two_devices():
    """Three rounds by `fit` and by a Trainer under one strategy, from mask * snapshot."""
    cpu = tf.config.list_physical_devices('CPU')[0]
    half = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [half, half])
    strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'])
    x, y = nets.examples()
    policy = PruningPolicy(rate=0.5)
    with strategy.scope():
        model = nets.compiled(policy.wrap(nets.normalised), optimizers.SGD(piecewise(), 0.9))
    callback = RewindCallback(2)
    ends = []
    for _ in range(3):
        model.fit(x, y, 20, shuffle=False, verbose=0, callbacks=[callback])
        ends.append(wrapping.read(model))
        if len(ends) == 1:
            mask = policy.prune(model, verbose=0)
        callback.restore(model)
        same(callback.snapshot.masked(mask), wrapping.read(model), 'start')
        assert model.optimizer.iterations == 0
        assert float(slots.learning_rate(model.optimizer)(1)) == pytest.approx(0.05)
    same(ends[1], ends[2], 'two equal rounds')

    trainer = make_trainer(lambda: policy.wrap(nets.normalised), 'auto', strategy=strategy)
    assert trainer.engine == 'plain'
    start = starts(nets.normalised)
    one = trainer.train(start, mask, seed=0, stop=6, eval_every=3, snapshot_at=2)
    trainer.train(start, Mask.ones(mask.shapes), seed=1, stop=3)
    other = trainer.train(start, mask, seed=0, stop=6, eval_every=3, snapshot_at=2)
    compare(one, other, 'a second training')
    with pytest.raises(errors.ConfigError, match='2 replicas'):
        engine.choose('compiled', model, strategy)
    print('rewound')


@pytest.mark.slow
def test_rewinds_on_two_devices():
    code = 'from tests.conformance import test_rewinding; test_rewinding.two_devices()'
    assert nets.in_another_process(code).split()[-1] == 'rewound'
