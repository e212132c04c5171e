"""Curves: parsed exactly, averaged where all have a value, refused when changed."""

import numpy as np
import pytest
from scipy import stats

from lth_keras import errors
from lth_keras.report.curves import Curves, band, parse
from tests.report.stored import write_stage


def test_numbers_come_back_exactly_and_empty_cells_are_nan():
    found = parse('step,train_loss,validation_loss\n100,,0.1\n200,0.30000000000000004,1e-05\n')
    assert found['step'].tolist() == [100, 200]
    assert np.isnan(found['train_loss'][0]) and found['train_loss'][1] == 0.1 + 0.2
    assert found['validation_loss'].tolist() == [0.1, 1e-05]


def test_a_header_alone_is_an_empty_curve():
    assert parse('step,train_loss\n')['step'].shape == (0,)
    assert band([parse('step,train_loss\n')], 'train_loss') is None


@pytest.mark.parametrize('text', ['step,a\n1\n', 'step,a\n1,x\n', 'step,a\n1,2,3\n'])
def test_other_text_is_refused(text):
    with pytest.raises(errors.StoreError, match=r'expected 2 numbers a line'):
        parse(text)


def curve(steps, values):
    return {'step': np.array(steps, float), 'loss': np.array(values, float)}


def test_the_interval_at_each_step_is_that_of_scipy():
    values = np.random.default_rng(0).normal(size=(5, 7))
    found = band([curve(range(7), v) for v in values], 'loss')
    low, high = stats.t.interval(0.95, 4, values.mean(0), stats.sem(values, axis=0))
    np.testing.assert_allclose(found.low, low)
    np.testing.assert_allclose(found.high, high)
    assert found.replicates == 5


def test_only_steps_that_all_have_are_averaged():
    found = band([curve([1, 2, 3], [1, 2, 3]), curve([2, 3, 4], [4, np.nan, 6])], 'loss')
    assert (found.steps.tolist(), found.mean.tolist()) == ([2], [3])
    assert band([curve([1], [1]), curve([2], [1])], 'loss') is None


def test_a_column_of_nan_is_no_curve():
    assert band([curve([1, 2], [np.nan, np.nan])], 'loss') is None
    assert band([curve([1, 2], [1, 2])], 'accuracy') is None


def test_a_changed_curve_is_named_once_and_not_used(tmp_path):
    write_stage(tmp_path, 'train-1', 'step,loss\n1,2\n')
    curves = Curves(tmp_path / 'stages')
    assert curves.of('train-1')['loss'].tolist() == [2]
    (tmp_path / 'stages' / 'train-1' / 'curve.csv').write_text('step,loss\n1,3\n')
    again = Curves(tmp_path / 'stages')
    assert again.of('train-1') is None and again.of('train-1') is None
    assert len(again.problems) == 1 and 'checksum' in again.problems[0]
    assert again.of('train-2') is None and len(again.problems) == 1
