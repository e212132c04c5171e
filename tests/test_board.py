"""Summaries for TensorBoard: what is in the files is what is in the store, once."""

import functools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from lth_keras import board, curve, errors, finding, keys, stages
from lth_keras.experiment import Experiment
from lth_keras.laboratory import Laboratory
from lth_keras.store import Store, stage_key
from lth_keras.watching import NOBODY, Result, Several, Training, Watcher
from tests import nets

loader = pytest.importorskip('tensorboard.backend.event_processing.event_file_loader')

TINY = {
    **{'model': 'tests.nets:dense', 'dataset': 'given:arrays', 'rounds': 2, 'replicates': 2},
    **{'training_steps': 12, 'batch_size': 20, 'eval_every': 5, 'engine': 'plain'},
    **{'export': ('none',), 'rewind_step': 2, 'tensorboard': True},
}


def laboratory(workdir, **options):
    experiment = Experiment(**TINY | {'workdir': str(workdir), 'report': False} | options)
    return Laboratory(experiment, nets.dense, nets.data())


def search(workdir, **options):
    lab = laboratory(workdir, **options)
    return finding.find(lab.experiment, lab, quiet=True)


def events(folder):
    """The events of a folder, which has one file."""
    (path,) = Path(folder).iterdir()
    return list(loader.EventFileLoader(str(path)).Load())


def values(folder):
    """tag -> [(step, value)]: scalars as numbers, histograms as arrays."""
    from tensorboard.util import tensor_util

    found = {}
    for event in events(folder):
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == 'hparams':
                continue
            array = tensor_util.make_ndarray(value.tensor)
            found.setdefault(value.tag, []).append((event.step, array if array.ndim else array[()]))
    return found


def sessions(folder):
    """(start, end) of the sessions of hyperparameters in a folder."""
    from tensorboard.plugins.hparams import metadata

    starts, ends = [], []
    for event in events(folder):
        for value in event.summary.value:
            content = value.metadata.plugin_data.content
            if value.tag == metadata.SESSION_START_INFO_TAG:
                starts.append(metadata.parse_session_start_info_plugin_data(content))
            if value.tag == metadata.SESSION_END_INFO_TAG:
                ends.append(metadata.parse_session_end_info_plugin_data(content))
    return starts, ends


def folder_of(found, row):
    name = f'{row["variant"]}/round-{row["round"]:02d}/replicate-{row["replicate"]}'
    return found.directory / 'tensorboard' / name


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    return search(tmp_path_factory.mktemp('work'), test_curve=True)


def stage(found, row):
    return Store(found.directory.parent).find(*row['stage'].split('-'))


def test_every_training_has_its_curve_in_float32(found):
    assert len(found.rows) == 2 * 5
    for row in found.rows:
        written = values(folder_of(found, row))
        expected = curve.rows(stage(found, row).texts['curve.csv'])
        for column in ('train_loss', 'validation_accuracy', 'validation_loss', 'test_accuracy'):
            tag = column.replace('_', '/')
            points = [(r['step'], np.float32(r[column])) for r in expected]
            assert written[tag] == [point for point in points if not np.isnan(point[1])], tag
        assert len(written['test/loss']) == len(expected) > 2


def test_histograms_count_the_survivors_at_both_ends(found):
    for row in found.rows:
        written = values(folder_of(found, row))
        for path, layer in row['layers'].items():
            begin, end = written[f'weights/{path}']
            assert (begin[0], end[0]) == (2 if row['round'] else 0, 12)
            assert begin[1][:, 2].sum() == end[1][:, 2].sum() == layer['kept']
            weights = stage(found, row).arrays['final'][path]
            assert end[1][-1, 1] == weights.max() and end[1][0, 0] == weights.min()


def test_the_table_has_a_session_per_training(found):
    names = set()
    for row in found.rows:
        (start,), (end,) = sessions(folder_of(found, row))
        names.add(start.group_name)
        given = {k: getattr(v, v.WhichOneof('kind')) for k, v in dict(start.hparams).items()}
        for key in ('round', 'variant', 'replicate'):
            assert given[key] == row[key]
        assert given['model'] == 'tests.nets:dense' and given['rate'] == 0.2
        assert given['training_steps'] == 12 and 'momentum' not in given
        assert end.status == 1  # success
        written = values(folder_of(found, row))
        for name in board.RESULTS:
            assert written[f'result/{name}'] == [(12, np.float32(row[name]))]
    assert len(names) == len(found.rows)  # equal names would be one line of the table


def test_rounds_stand_side_by_side(found):
    for replicate in range(2):
        for variant, first in (('ticket', 0), ('reinit', 1)):
            folder = found.directory / f'tensorboard/{variant}/rounds/replicate-{replicate}'
            written = values(folder)
            rows = [r for r in found.rows if (r['replicate'], r['variant']) == (replicate, variant)]
            assert [r['round'] for r in rows] == list(range(first, 3))
            for name in board.RESULTS:
                points = [(r['round'], np.float32(r[name])) for r in rows]
                assert written[f'rounds/{name}'] == points
            for path in rows[0]['layers']:
                layers = [(r['round'], r['layers'][path]) for r in rows]
                points = [(n, np.float32(v['kept'] / v['size'])) for n, v in layers]
                assert written[f'layers/{path}'] == points


def test_a_resumed_run_is_whole_and_nothing_is_twice(tmp_path):
    search(tmp_path, rounds=1, replicates=1, tensorboard=False)
    assert not list(tmp_path.rglob('tensorboard'))
    first = search(tmp_path, rounds=1, replicates=1)
    before = {p.relative_to(first.directory): values(p.parent) for p in files(first)}
    # A folder that a killed process left half-written.
    half = folder_of(first, {'variant': 'ticket', 'round': 2, 'replicate': 0})
    half.mkdir(parents=True)
    (half / 'events.out.tfevents.0').write_bytes(b'half a record')
    second = search(tmp_path, replicates=1)
    assert len(files(second)) == 5 + 2 and len(before) == 3 + 2
    for path, content in before.items():
        now = values((second.directory / path).parent)
        if 'rounds' in path.parts:
            now = {tag: points[: len(content[tag])] for tag, points in now.items()}
        np.testing.assert_equal(now, content)
    whole = search(tmp_path / 'whole', replicates=1)
    for path in files(second):
        other = whole.directory / path.relative_to(second.directory).parent
        np.testing.assert_equal(values(path.parent), values(other))


def files(found):
    return [p for p in (found.directory / 'tensorboard').rglob('*') if p.is_file()]


def test_results_are_the_same_bits(tmp_path):
    runs = [search(tmp_path / str(on), tensorboard=on, rounds=1) for on in (True, False)]
    results = []
    for run in runs:
        kept = [p for p in run.directory.parent.rglob('*') if p.is_file()]
        kept = [p for p in kept if 'tensorboard' not in p.parts]
        apart = ('timings.json', 'provenance.json', 'lock')
        names = {p.relative_to(run.directory.parent): p for p in kept if p.name not in apart}
        results.append({str(name): path.read_bytes() for name, path in names.items()})
    assert results[0] == results[1] and len(results[0]) > 20


def test_what_is_read_while_it_runs_is_at_most_seconds_old(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(board.time, 'monotonic', lambda: now[0])
    shown = board.Board(Experiment(), tmp_path)
    training = Training(0, 1, 'ticket', stop=100)
    folder = tmp_path / 'tensorboard/ticket/round-01/replicate-0'
    shown.started(training)
    shown_by_then = [0, 10, 20]
    for step, later, seen in [
        (0, 0, []),
        (10, 1.9, []),
        (20, 0.2, shown_by_then),
        (30, 1, shown_by_then),
    ]:
        now[0] += later
        shown.evaluated(training, {'step': float(step), 'train_loss': 0.5})
        assert [s for s, _ in values(folder).get('train/loss', [])] == seen
    shown.close()
    assert [step for step, _ in values(folder)['train/loss']] == [0, 10, 20, 30]
    assert not sessions(folder)[1], 'a training that did not end has no end'


def test_draws_and_data_sets_have_folders_of_their_own(tmp_path):
    shown = board.Board(Experiment(), tmp_path)
    for training in (
        Training(0, 1, 'reinit', 1),
        Training(0, 1, 'reinit'),
        Training(0, 1, 'ticket', where='mnist'),
    ):
        shown.started(training)
        shown.close()
    found = {str(p.parent.relative_to(tmp_path / 'tensorboard')) for p in tmp_path.rglob('*.*')}
    assert found == {
        'reinit/round-01/replicate-0-draw-1',
        'reinit/round-01/replicate-0',
        'mnist/ticket/round-01/replicate-0',
    }


def test_who_writes_and_when():
    off, on = Experiment(), Experiment(tensorboard=True)
    assert board.of(off, Path('run')) is NOBODY
    assert board.of(on, Path('run'), writes=False) is NOBODY  # a worker that is not the chief
    assert isinstance(board.of(on, Path('run')), board.Board)


def test_an_absent_extra_is_one_line_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorboard', None)  # importing it is an ImportError
    with pytest.raises(errors.ConfigError, match='lth_keras') as raised:
        search(tmp_path / 'work')
    assert '\n' not in str(raised.value)
    assert 'pip install "lth_keras[tensorboard]"' in str(raised.value)
    assert not list(tmp_path.iterdir())
    search(tmp_path / 'work', tensorboard=False, rounds=0, replicates=1)


def test_a_full_disk_is_one_line(tmp_path):
    (tmp_path / 'tensorboard').write_text('a file in the place of the folder')
    with pytest.raises(errors.StoreError, match='cannot write .*tensorboard'):
        board.Board(Experiment(), tmp_path).started(Training(0, 0, 'ticket'))


# -- the curve on the test part, and the watchers


def test_a_test_curve_is_another_stage_and_the_plain_one_has_the_key_of_before(tmp_path):
    plain, more = (laboratory(tmp_path, test_curve=on) for on in (False, True))
    inputs = [
        keys.training_inputs(lab, lab.initial(0), lab.dense, 0, 0, None) for lab in (plain, more)
    ]
    assert 'test_curve' not in inputs[0]
    assert inputs[1] == {**inputs[0], 'test_curve': True}
    assert len({stage_key(stages.TRAIN, one) for one in inputs}) == 2


def test_a_test_curve_changes_the_curve_alone(found, tmp_path):
    plain = search(tmp_path, tensorboard=False)
    assert not list(tmp_path.rglob('tensorboard'))
    for one, other in zip(plain.rows, found.rows, strict=True):
        assert {k: v for k, v in one.items() if k != 'stage'} == {
            k: v for k, v in other.items() if k != 'stage'
        }
        before, after = stage(plain, one), stage(found, other)
        for group in before.arrays:
            assert nets.unlike(before.arrays[group], after.arrays[group]) == []
        lines = [
            [line.split(',') for line in s.texts['curve.csv'].splitlines()] for s in (before, after)
        ]
        assert lines[0] == [line[:5] for line in lines[1]]
        assert lines[1][0][5:] == ['test_loss', 'test_accuracy']
    record = json.loads((found.directory / 'records.json').read_text())
    assert '--test_curve=True' in record['command'] and 'tensorboard' not in record['command']


class Heard(Watcher):
    """Notes what it is told, and fails in one of it."""

    def __init__(self, fails=''):
        self.heard, self.fails = [], fails
        for name in ('started', 'evaluated', 'trained', 'done', 'close'):
            setattr(self, name, functools.partial(self._hear, name))

    def _hear(self, name, *told):
        self.heard.append((name, *told))
        if name == self.fails:
            raise errors.StoreError(name)


def test_several_are_all_told_of_everything_in_order():
    one, other = Heard(), Heard()
    both = Several(one, NOBODY, other)
    training, result = Training(0, 0, 'ticket'), Result({}, None, '', False)
    both.started(training)
    both.evaluated(training, {'step': 1.0})
    both.trained(training, {'steps': 0.5})
    both.done(training, result)
    both.close()
    assert one.heard == other.heard
    assert one.heard == [
        ('started', training),
        ('evaluated', training, {'step': 1.0}),
        ('trained', training, {'steps': 0.5}),
        ('done', training, result),
        ('close',),
    ]


def test_one_that_cannot_close_does_not_keep_the_others_open():
    one, other = Heard('close'), Heard()
    with pytest.raises(errors.StoreError):
        Several(one, other).close()
    assert other.heard == [('close',)]
