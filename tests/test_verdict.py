"""The verdict: against scipy, and each clause of the rule with numbers worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lth_keras import errors, verdict
from lth_keras.verdict import Interval, interval, judge

DENSE = [0.980, 0.981, 0.982]
STEPS = [4000, 4200, 4100]


def shifted(values, *by):
    return [v + d for v, d in zip(values, by, strict=True)]


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.sampled_from([0.9, 0.95, 0.99]))
def test_interval_is_that_of_scipy(values, confidence):
    found = interval(values, confidence)
    error = stats.sem(values)
    if np.ptp(values) == 0:
        assert found == (values[0],) * 3
    elif error > 0:
        expected = stats.t.interval(confidence, len(values) - 1, np.mean(values), error)
        np.testing.assert_allclose(found[1:], expected, rtol=1e-9, atol=1e-9)
    assert found.low <= found.mean <= found.high


def test_interval_by_hand():
    # mean 2, s = 1, t(0.975, 2) = 4.302653: 2 +- 4.302653 / sqrt(3)
    half = 4.302652729911275 / math.sqrt(3)
    np.testing.assert_allclose(interval([1, 2, 3]), (2, 2 - half, 2 + half))


def test_one_value_has_no_interval_and_says_so():
    assert interval([0.5]) == Interval(0.5, None, None)
    assert 'no interval' in str(interval([0.5]))


def test_equal_values_have_a_point():
    assert interval([0.1] * 3) == (0.1, 0.1, 0.1)


@pytest.mark.parametrize('values', [[], [math.nan, 1.0], [math.inf, 1.0], [[1.0, 2.0]]])
def test_interval_refuses(values):
    with pytest.raises(errors.LotteryError, match='expected'):
        interval(values)


@pytest.mark.parametrize('confidence', [0, 1, 95])
def test_interval_refuses_a_confidence_outside_0_1(confidence):
    with pytest.raises(errors.ConfigError):
        interval([1, 2], confidence)


def decide(
    accuracy=(0, 0, 0), steps=(-100, -100, -100), better=(0.01, 0.01, 0.01), saved=(9, 9, 9)
):
    """The verdict for given differences: ticket - dense twice, ticket - reinit, reinit - ticket."""
    ticket, ticket_step = shifted(DENSE, *accuracy), shifted(STEPS, *steps)
    reinit = shifted(ticket, *(-b for b in better))
    return judge(ticket, DENSE, ticket_step, STEPS, reinit, shifted(ticket_step, *saved))


@pytest.mark.parametrize(
    ('differences', 'name', 'reason'),
    [
        ({}, 'winning', 'against dense'),
        # +-0.001 about 0 has the interval 0 +- 0.0024841: above -0.005.
        ({'accuracy': (-0.001, 0, 0.001)}, 'winning', ''),
        # +-0.003 has 0 +- 0.0074525: it reaches below -0.005 and is not entirely below it.
        ({'accuracy': (-0.003, 0, 0.003)}, 'undecided', 'reaches -0.005'),
        ({'accuracy': (-0.009, -0.010, -0.011)}, 'not winning', 'lies below -0.005'),
        # Exactly at the margin the interval is neither above nor below it.
        ({'accuracy': (-0.005, -0.005, -0.005)}, 'undecided', 'reaches'),
        ({'steps': (0, 0, 0)}, 'winning', ''),
        ({'steps': (100, 100, 100)}, 'not winning', 'is later'),
        # mean +33, interval 33 +- 143: later on average, no contradiction.
        ({'steps': (100, 0, 0)}, 'undecided', 'later on average'),
        # mean -33: no later on average is all that is asked.
        ({'steps': (-100, 0, 0)}, 'winning', ''),
        ({'saved': (-9, -9, -9)}, 'winning', ''),
        ({'better': (-0.01, -0.01, -0.01)}, 'winning', ''),
        ({'better': (0, 0, 0), 'saved': (0, 0, 0)}, 'not winning', 'no benefit'),
        ({'better': (-0.01,) * 3, 'saved': (-9,) * 3}, 'not winning', 'no benefit'),
        # One of the two could still be a benefit.
        ({'better': (0.003, 0, 0), 'saved': (-9,) * 3}, 'undecided', 'no clear benefit'),
        ({'better': (0, 0, 0), 'saved': (100, 0, 0)}, 'undecided', 'no clear benefit'),
        # A contradiction outweighs what is unsettled.
        ({'accuracy': (-0.003, 0, 0.003), 'steps': (100,) * 3}, 'not winning', 'is later'),
    ],
)
def test_each_clause(differences, name, reason):
    found = decide(**differences)
    assert found.name == name, found
    assert reason in found.reason


def test_evidence():
    found = decide(accuracy=(-0.001, 0, 0.001), steps=(-100, -200, -300))
    assert found.accuracy == pytest.approx((0, -0.0024841377, 0.0024841377), abs=1e-9)
    assert found.steps == pytest.approx((-200, -448.41377, 48.41377), abs=1e-4)
    assert found.reinit_accuracy == pytest.approx((0.01, 0.01, 0.01))
    assert found.reinit_steps == (9, 9, 9)


def test_pairing_matters():
    # The seeds differ by far more than ticket and dense network of one seed.
    dense = [0.90, 0.95, 0.99]
    paired = judge(dense, dense, STEPS, STEPS, [0.5, 0.55, 0.59], STEPS)
    crossed = judge(dense, dense[::-1], STEPS, STEPS, [0.5, 0.55, 0.59], STEPS)
    assert (paired.name, crossed.name) == ('winning', 'undecided')


def test_one_replicate_is_undecided():
    found = judge([0.99], [0.9], [10], [100], [0.5], [200])
    assert (found.name, found.reason) == ('undecided', verdict.ONE_REPLICATE)
    assert found.accuracy.low is None


def test_without_the_control_it_is_undecided_even_if_an_interval_contradicts():
    found = judge([0.5, 0.5], [0.9, 0.9], [900, 900], [100, 100])
    assert (found.name, found.reason) == ('undecided', verdict.NO_REINIT)


def test_the_margin_is_used():
    arguments = [0.97, 0.97], [0.98, 0.98], [1, 1], [2, 2], [0.5, 0.5], [1, 1]
    assert judge(*arguments, margin=0.02).name == 'winning'
    assert judge(*arguments, margin=0.005).name == 'not winning'


@pytest.mark.parametrize(
    'arguments',
    [
        ([math.nan, 0.9], [0.9, 0.9], [1, 1], [1, 1]),
        ([0.9, 0.9], [0.9, 0.9], [1, math.inf], [1, 1]),
        ([98.1, 98.2], [0.9, 0.9], [1, 1], [1, 1]),
        ([0.9, 0.9], [0.9, 0.9], [-1, 1], [1, 1]),
        ([0.9, 0.9], [0.9], [1, 1], [1, 1]),
        ([0.9, 0.9], [0.9, 0.9], [1, 1], [1]),
        ([0.9, 0.9], [0.9, 0.9], [1], [1]),
        ([], [], [], []),
        ([0.9, 0.9], [0.9, 0.9], [1, 1], [1, 1], [0.9, 0.9]),
        ([0.9, 0.9], [0.9, 0.9], [1, 1], [1, 1], [0.9], [1]),
        ([0.9, 0.9], [0.9, 0.9], [1, 1], [1, 1], None, None, -0.1),
        ([0.9, 0.9], [0.9, 0.9], [1, 1], [1, 1], None, None, 5),
    ],
)
def test_judge_refuses(arguments):
    with pytest.raises(errors.LotteryError, match='expected'):
        judge(*arguments)


def test_no_case_is_both():
    names = set()
    for a in (-0.02, -0.004, 0.0):
        for s in (-200, 0, 200):
            for noise in (0, 1):
                found = decide(
                    accuracy=(a, a + 0.004 * noise, a - 0.004 * noise), steps=(s, s, s + noise)
                )
                names.add(found.name)
                against = found.accuracy.high < -0.005 or found.steps.low > 0
                assert (found.name == 'not winning') == against
    assert names == {'winning', 'not winning', 'undecided'}
