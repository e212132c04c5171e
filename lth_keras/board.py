"""Summaries of a search for TensorBoard, while it runs: the extra `[tensorboard]`.

Below the run's `tensorboard/`: a folder for each training, and one with its rounds side by side
for each replicate and variant. What was trained earlier is written again from its stage, a folder
that a killed process left half-written begins anew: nothing is missing and nothing twice.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lth_keras import curve, errors
from lth_keras.experiment import Experiment
from lth_keras.files import DISK, writing
from lth_keras.watching import NOBODY, Result, Row, Training, Watcher

FOLDER = 'tensorboard'
FLUSH_SECONDS = 2.0
BUCKETS = 50
# Of the settings that are as usual, these are shown too: they are what one compares.
SHOWN = (
    *('model', 'dataset', 'procedure', 'rate', 'scope', 'criterion', 'rewind_step'),
    *('optimizer', 'learning_rate', 'training_steps', 'batch_size'),
)
RESULTS = ('density', 'early_stop_step', 'test_accuracy', 'final_test_accuracy')


def check(experiment: Experiment) -> None:
    """Raises a ConfigError if summaries are wanted and the extra is absent."""
    if not experiment.tensorboard:
        return
    try:
        import tensorboard  # noqa: F401
    except ImportError as e:
        raise errors.ConfigError(
            f'tensorboard: expected the package tensorboard for --tensorboard, received none ({e})'
            ': pip install "lth_keras[tensorboard]", or leave --tensorboard out'
        ) from None


def of(experiment: Experiment, run: Path, writes: bool = True) -> Watcher:
    """The watcher that writes the summaries of a run, if they are wanted.

    Args:
      experiment: the configuration; its `tensorboard` decides.
      run: the run's directory.
      writes: whether this process writes; of several workers the chief does.
    """
    return Board(experiment, run) if experiment.tensorboard and writes else NOBODY


class Board(Watcher):
    """Writes the summaries of the trainings that it is told of.

    Args:
      experiment: its settings stand beside the results, as hyperparameters.
      run: the run's directory.
    """

    def __init__(self, experiment: Experiment, run: Path):
        self._root = run / FOLDER
        self._name = run.name
        self._settings = settings(experiment)
        self._training: Events | None = None
        # Of one replicate, by folder: the replicates come one after the other.
        self._replicate, self._rounds = -1, dict[Path, Events]()

    def started(self, training: Training) -> None:
        self._training = self._begin(training)

    def evaluated(self, training: Training, row: Row) -> None:
        self._training.scalars(int(row['step']), _tags(row))

    def done(self, training: Training, result: Result) -> None:
        events = self._training
        if result.kept:
            events = self._begin(training)
            for row in curve.rows(result.curve):
                events.scalars(int(row['step']), _tags(row))
        results = {name: result.row[name] for name in RESULTS}
        for step, weights in (
            (training.begin, result.ticket.start()),
            (training.stop, result.ticket.final),
        ):
            masks = result.ticket.mask.items()
            survivors = {f'weights/{p}': weights[p][kept] for p, kept in masks}
            events.histograms(step, survivors)
        events.scalars(training.stop, {f'result/{k}': v for k, v in results.items()})
        events.close(finished=True)
        self._training = None
        layers = {k: v['kept'] / v['size'] for k, v in result.row['layers'].items()}
        self._of_rounds(training).scalars(
            training.round,
            {f'rounds/{k}': v for k, v in results.items()}
            | {f'layers/{k}': v for k, v in layers.items()},
        )

    def close(self) -> None:
        for events in (self._training, *self._rounds.values()):
            if events is not None:
                events.close()
        self._training, self._rounds = None, {}

    def _begin(self, training: Training) -> 'Events':
        folder = self._root / training.where / training.variant
        folder = folder / f'round-{training.round:02d}' / _drawn(training)
        events = Events(folder)
        own = {name: getattr(training, name) for name in ('round', 'variant', 'replicate')}
        events.settings(f'{self._name}/{folder.relative_to(self._root)}', self._settings | own)
        return events

    def _of_rounds(self, training: Training) -> 'Events':
        if training.replicate != self._replicate:
            for events in self._rounds.values():
                events.close()
            self._replicate, self._rounds = training.replicate, {}
        folder = self._root / training.where / training.variant / 'rounds' / _drawn(training)
        if folder not in self._rounds:
            self._rounds[folder] = Events(folder)
        return self._rounds[folder]


class Events:
    """A folder with one event file; what was in it before is removed.

    Args:
      folder: where; one line of TensorBoard's list of runs.
    """

    def __init__(self, folder: Path):
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.plugins.hparams import summary, summary_v2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._session = summary_v2.hparams_pb, summary.session_end_pb
        # The name of an earlier file must not come back: TensorBoard goes on where it stopped.
        self._path = folder / f'events.out.tfevents.{time.time_ns():020d}'
        with writing(folder):
            DISK.remove(folder)
            folder.mkdir(parents=True)
            self._file = RecordWriter(open(self._path, 'wb'))
        self._flushed = -FLUSH_SECONDS
        self._write(file_version='brain.Event:2')

    def settings(self, name: str, values: Mapping[str, Any]) -> None:
        """Begins a session of the table of hyperparameters."""
        self._write(summary=self._session[0](dict(values), trial_id=name))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers at a step, as float32; NaN is left out."""
        summary = self._summary()
        for tag, value in values.items():
            if not np.isnan(value):
                summary.value.add(tag=tag, simple_value=value)
        self._write(step=step, summary=summary)

    def histograms(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """How the values of each array are distributed, at a step."""
        from tensorboard.plugins.histogram import metadata
        from tensorboard.util import tensor_util

        summary = self._summary()
        for tag, array in arrays.items():
            counts, edges = np.histogram(array, BUCKETS)
            table = np.stack([edges[:-1], edges[1:], counts], axis=1)
            summary.value.add(
                tag=tag,
                metadata=metadata.create_summary_metadata(None, None),
                tensor=tensor_util.make_tensor_proto(table, np.float64),
            )
        self._write(step=step, summary=summary)

    def _write(self, **content: Any) -> None:
        with writing(self._path):
            self._file.write(self._event(wall_time=time.time(), **content).SerializeToString())
            if time.monotonic() - self._flushed > FLUSH_SECONDS:
                self._file.flush()
                self._flushed = time.monotonic()

    def close(self, finished: bool = False) -> None:
        """Ends the file, and the session if it is `finished`."""
        if finished:
            ended = self._session[1]('STATUS_SUCCESS')  # of TensorFlow's own class of summaries
            self._write(summary=self._summary.FromString(ended.SerializeToString()))
        with writing(self._path):
            self._file.close()


def settings(experiment: Experiment) -> dict[str, Any]:
    """The settings that matter: those that are not as usual, and `SHOWN`.

    >>> found = settings(Experiment(rate=0.3, include=('a', 'b')))
    >>> found['rate'], found['include'], found['optimizer'], 'momentum' in found
    (0.3, 'a,b', 'adam', False)
    """
    usual, found = type(experiment).__dataclass_fields__, {}
    for name, value in experiment.configuration().items():
        if name in SHOWN or value != usual[name].default:
            plain = isinstance(value, bool | int | float | str)
            many = isinstance(value, tuple)
            found[name] = value if plain else ','.join(map(str, value)) if many else str(value)
    return found


def _drawn(training: Training) -> str:
    return f'replicate-{training.replicate}' + f'-draw-{training.draw}' * bool(training.draw)


def _tags(row: Row) -> dict[str, float]:
    """'train_loss' of a curve as 'train/loss', and so on: one group of charts per part."""
    return {name.replace('_', '/', 1): value for name, value in row.items() if name != 'step'}
