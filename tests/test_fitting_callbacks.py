"""Callbacks during a fit on Batches: called when Keras calls them, and doing what they do there."""

import numpy as np
import pytest

from lth_keras._compat import tf_keras
from lth_keras.pruning import wrapping
from tests import nets
from tests.fitted import VALIDATION, Bench, X, close, momentum, ours

callbacks = tf_keras.callbacks


@pytest.fixture(scope='module')
def bench():
    """Fitted by Batches alone."""
    return Bench(steps_per_execution=4)


@pytest.fixture(scope='module')
def stock():
    """Fitted by Keras alone; one step per call is another program there."""
    return {1: Bench(), 4: Bench(steps_per_execution=4)}


class Diary(callbacks.Callback):
    """What is called when, and with which values."""

    def __init__(self):
        super().__init__()
        self.calls, self.values = [], {}

    def _note(self, name, number, logs):
        self.calls.append((name, number, *(logs or {})))
        for key, value in (logs or {}).items():
            self.values.setdefault(f'{name} {key}', []).append(float(value))

    def on_train_begin(self, logs=None):
        self._note('train begins', None, logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._note('epoch begins', epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._note('batch begins', batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._note('batch ends', batch, logs)

    def on_test_begin(self, logs=None):
        self._note('test begins', None, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._note('test batch ends', batch, logs)

    def on_test_end(self, logs=None):
        self._note('test ends', None, logs)

    def on_epoch_end(self, epoch, logs=None):
        self._note('epoch ends', epoch, logs)

    def on_train_end(self, logs=None):
        self._note('train ends', None, logs)


@pytest.mark.parametrize('steps', [1, 4, 6, 100])
def test_callbacks_are_called_when_keras_calls_them(bench, stock, steps):
    """With the same values too: metrics since the epoch began, after each call."""
    mine, other = Diary(), Diary()
    x, y = VALIDATION
    bench.fit(ours(), mine, steps=steps, validation_data=ours(arrays=VALIDATION))
    stock[min(steps, 4)].stock_fit(
        other, steps=steps, validation_data=(x, y), validation_batch_size=8
    )
    assert mine.calls == other.calls
    assert len([call for call in mine.calls if call[0] == 'batch ends']) == 3 * -(-6 // steps)
    close(mine.values, other.values, 1e-6)


def test_early_stopping(bench, stock):
    ends = []
    for fit, data in [(bench.fit, [ours()]), (stock[4].stock_fit, [])]:
        stop = callbacks.EarlyStopping('loss', 0.05, patience=2, restore_best_weights=True)
        _, weights = fit(*data, stop, steps=4, epochs=20)
        ends.append((stop.stopped_epoch, stop.best_epoch, weights))
    assert ends[0][:2] == ends[1][:2] and 2 < ends[0][0] < 19
    close(ends[0][2], ends[1][2], 1e-9)


def test_learning_rates(bench, stock):
    ends = []
    for fit, data in [(bench.fit, [ours()]), (stock[4].stock_fit, [])]:
        fall = callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
        history, weights = fit(*data, fall, steps=4)
        ends.append((history, weights))
    close(ends[0][1], ends[1][1], 1e-9)
    assert ends[0][0]['lr'] == ends[1][0]['lr'] and len(set(ends[0][0]['lr'])) == 3
    assert nets.unlike(ends[0][1], bench.fit(ours())[1]) != []
    bench.model.optimizer.learning_rate = stock[4].model.optimizer.learning_rate = 0.1


def test_a_loss_of_nan_ends_training(bench, stock):
    x = X.copy()
    x[30] = np.nan  # one example of the first epoch; all is NaN when its batch was trained on
    ends = []
    for steps in (1, 4):
        mine, other = Diary(), Diary()
        nan = callbacks.TerminateOnNaN
        bench.fit(ours(arrays=(x, nets.examples(count=42)[1])), nan(), mine, steps=steps)
        arrays = (x, nets.examples(count=42)[1])
        stock[steps].stock_fit(nan(), other, steps=steps, arrays=arrays)
        assert mine.calls == other.calls
        ends.append(len(mine.calls))
        assert np.isnan(bench.model.layers[0].kernel).all()
    assert ends[0] != ends[1]


def test_checkpoints_by_number_of_batches(bench, stock, tmp_path):
    found = []
    for fit, data, name in [(bench.fit, [ours()], 'a'), (stock[4].stock_fit, [], 'b')]:
        folder = tmp_path / name
        save = callbacks.ModelCheckpoint(
            str(folder / '{epoch}-{batch}.weights.h5'), save_freq=4, save_weights_only=True
        )
        folder.mkdir()
        fit(*data, save, steps=4)
        found.append(sorted(path.name for path in folder.iterdir()))
    assert found[0] == found[1] and len(found[0]) > 2
    for name in found[0]:
        bench.model.load_weights(tmp_path / 'a' / name)
        stock[4].model.load_weights(tmp_path / 'b' / name)
        close(wrapping.read(bench.model), wrapping.read(stock[4].model), 1e-9)


def test_checkpoints_of_the_best_epoch(bench, tmp_path):
    path = tmp_path / 'best.keras'
    save = callbacks.ModelCheckpoint(str(path), 'val_loss', save_best_only=True)
    history, _ = bench.fit(ours(), save, epochs=9, validation_data=ours(arrays=VALIDATION))
    best = tf_keras.models.load_model(path).evaluate(*VALIDATION, verbose=0)[0]
    assert best == pytest.approx(min(history['val_loss']), rel=1e-6)


# -- interrupted and resumed


class Cut(callbacks.Callback):
    """Ends a fit as a machine that dies would."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture(scope='module')
def two():
    """A model that is interrupted, and one that goes on in its place."""
    return [Bench(nets.noisy, momentum) for _ in range(2)]


def backup(folder, freq):
    return callbacks.BackupAndRestore(str(folder), save_freq=freq)


@pytest.mark.parametrize(('freq', 'after'), [('epoch', 9), (2, 9), (2, 4)])
def test_a_resumed_fit_ends_as_one_that_nobody_interrupted(tmp_path, two, freq, after):
    """Batches and what Dropout draws go on where the checkpoint was made."""
    first, second = two
    _, weights = first.fit(ours())
    with pytest.raises(KeyboardInterrupt):
        first.fit(ours(), backup(tmp_path, freq), Cut(after))
    first.model._training_state = None  # with which Keras would go on in the next test
    diary = Diary()
    _, same = second.fit(ours(), backup(tmp_path, freq), diary)
    assert 0 < sum(call[0] == 'batch ends' for call in diary.calls) < 18
    assert nets.unlike(weights, same) == []


def test_a_fit_that_begins_anew_does_not(two):
    """The exam above can fail: other batches and draws do not end at the same bits."""
    bench, _ = two
    _, weights = bench.fit(ours())
    with pytest.raises(KeyboardInterrupt):
        bench.fit(ours(), Cut(9))
    bench.model.optimizer.iterations.assign(0)
    _, other = bench.fit(ours(), anew=False, steps_per_epoch=9, epochs=1)
    assert nets.unlike(weights, other) != []
