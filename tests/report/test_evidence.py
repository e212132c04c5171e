"""The evidence: against scipy's paired t-test, and worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lth_keras.report import evidence

BASE = {
    'draw': 0,
    'density': 1.0,
    'validation_accuracy': 0.9,
    'validation_loss': 0.3,
    'final_test_accuracy': 0.9,
}


def row(replicate, round_, accuracy, step, variant='ticket', draw=0, **more):
    place = {'replicate': replicate, 'round': round_, 'variant': variant, 'draw': draw}
    return {**BASE, **place, 'test_accuracy': accuracy, 'early_stop_step': step, **more}


accuracies = st.integers(0, 10_000).map(lambda n: n / 10_000)
pairs = st.lists(
    st.tuples(accuracies, accuracies, st.integers(1, 10**6), st.integers(1, 10**6)),
    min_size=2,
    max_size=12,
)


@given(pairs)
@settings(deadline=None, max_examples=60)
def test_intervals_are_those_of_the_paired_t_test(found):
    dense, ticket, slow, fast = map(np.array, zip(*found, strict=True))
    rows = [row(i, 0, a, int(s)) for i, (a, s) in enumerate(zip(dense, slow, strict=True))]
    rows += [row(i, 1, a, int(s)) for i, (a, s) in enumerate(zip(ticket, fast, strict=True))]
    (one,) = evidence.comparisons(rows)
    assert (one.round, one.against, one.replicates) == (1, 'dense', len(found))
    for mine, first, second, scale in (
        (one.accuracy, ticket, dense, 1),
        (one.steps, slow, fast, 1e6),
    ):
        differences = np.round(first - second, 12)
        np.testing.assert_allclose(mine.mean, differences.mean(), atol=1e-12 * scale)
        if np.ptp(differences) > 0:
            expected = stats.ttest_rel(first, second).confidence_interval(0.95)
            ends = [expected.low, expected.high]
            np.testing.assert_allclose([mine.low, mine.high], ends, rtol=1e-7, atol=1e-9 * scale)
    logs = np.log(slow / fast)
    np.testing.assert_allclose(one.sooner.mean, stats.gmean(slow / fast), rtol=1e-9)
    if np.ptp(logs) > 1e-9:
        ends = stats.ttest_rel(np.log(slow), np.log(fast)).confidence_interval(0.95)
        np.testing.assert_allclose(
            [one.sooner.low, one.sooner.high], np.exp([ends.low, ends.high]), rtol=1e-6
        )


def test_by_hand():
    rows = [row(i, 0, a, 100) for i, a in enumerate((0.5, 0.5, 0.5))]
    rows += [row(i, 1, a, s) for i, (a, s) in enumerate([(0.6, 50), (0.7, 50), (0.8, 50)])]
    (found,) = evidence.comparisons(rows)
    # differences 0.1, 0.2, 0.3: s = 0.1, t(0.975, 2) = 4.302653
    half = 4.302652729911275 * 0.1 / math.sqrt(3)
    np.testing.assert_allclose(found.accuracy, (0.2, 0.2 - half, 0.2 + half))
    assert found.steps == (50, 50, 50)
    np.testing.assert_allclose(found.sooner, (2, 2, 2))


def test_one_pair_has_no_interval():
    (found,) = evidence.comparisons([row(0, 0, 0.5, 100), row(0, 1, 0.6, 80)])
    assert found.replicates == 1
    for interval in (found.accuracy, found.final_accuracy, found.steps, found.sooner):
        assert interval.low is None and interval.high is None
    assert (found.steps.mean, found.sooner.mean) == (20, pytest.approx(1.25))


def test_only_shared_seeds_are_paired_and_draws_count_once():
    rows = [row(r, 0, 0.5, 100) for r in (0, 1, 2)] + [row(r, 1, 0.6, 90) for r in (1, 2, 3)]
    rows += [row(1, 1, 0.2, 90, 'reinit', draw) for draw in (0, 1)]
    rows += [row(2, 1, 0.4, 90, 'reinit')]
    found = {c.against: c for c in evidence.comparisons(rows)}
    assert (found['dense'].replicates, found['reinit'].replicates) == (2, 2)
    # Replicate 1 has two draws of 0.2, replicate 2 one of 0.4: differences 0.4 and 0.2.
    assert found['reinit'].accuracy.mean == pytest.approx(0.3)


def test_order_and_what_nobody_shares():
    rows = [row(0, 0, 0.5, 100), row(0, 1, 0.6, 90)]
    rows += [row(0, 1, 0.6, 90, name) for name in ('shuffled_mask', 'reinit', 'a')]
    rows += [row(7, 1, 0.6, 90, 'z')]
    assert [c.against for c in evidence.comparisons(rows)] == [
        *('dense', 'reinit', 'a', 'shuffled_mask')
    ]
