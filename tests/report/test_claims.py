"""A paper's claims beside records: hand-worked rows."""

import math

import pytest

from lth_keras import verdict
from lth_keras.report.claims import (
    ABOVE,
    EQUAL,
    NOT_ABOVE,
    NOT_BELOW,
    Claim,
    accuracy,
    claims_table,
    judged,
    points,
    sooner,
    times,
)
from lth_keras.report.recipes import LENET


def row(replicate, density, accuracy, step, variant='ticket', number=7):
    number = 0 if density == 1.0 else number
    return {
        **{'replicate': replicate, 'round': number, 'variant': variant, 'density': density},
        **{'test_accuracy': accuracy, 'early_stop_step': step},
    }


ROWS = [
    *(row(r, 1.0, 0.980 + r / 1000, 4000) for r in range(3)),
    *(row(r, 0.2107, 0.982 + r / 1000, 2000 + r) for r in range(3)),
    *(row(r, 0.2107, 0.977 + r / 1000, 8000, 'reinit') for r in range(3)),
    *(row(r, 0.0358, 0.9801 + r / 1000, 8000, number=15) for r in range(3)),
]


def lines(rows):
    cells = [line.split(' | ') for line in claims_table(rows, LENET).splitlines()[2:]]
    return {first.removeprefix('| '): rest for first, *rest in cells}


def test_measured_numbers_and_words():
    found = lines(ROWS)
    measured, word = found['early stop earlier than dense at 21.1% (paper: 38%)']
    assert measured.startswith('50% earlier [50% earlier,') and word == 'agrees |'
    measured, _ = found['more accurate than re-initialised at 21.1% (paper: 0.5 pp)']
    assert measured.startswith('+0.50 pp')
    measured, _ = found[
        'minimum validation loss sooner than re-initialised at 21.1% (paper: 2.51 times)'
    ]
    assert measured.startswith('4.00 times')
    measured, word = found['test accuracy back at the dense level at 3.6%']
    assert measured.startswith('+0.01 pp') and word == 'agrees |'
    missing = found['test accuracy above dense at 13.5% (paper: by more than 0.3 pp)']
    assert missing == ['not run', '- |']


def test_what_does_not_hold_is_said():
    worse = [dict(r, test_accuracy=0.9) if r['density'] == 0.0358 else r for r in ROWS]
    assert lines(worse)['test accuracy back at the dense level at 3.6%'][1] == 'differs |'
    slower = [dict(r, early_stop_step=9000) if r['density'] == 0.2107 else r for r in ROWS]
    measured, word = lines(slower)['early stop earlier than dense at 21.1% (paper: 38%)']
    assert measured.startswith('125% later') and word == 'differs |'


def test_one_replicate_is_never_more_than_a_direction():
    one = [r for r in ROWS if r['replicate'] == 0]
    words = {found[1] for found in lines(one).values()}
    assert words <= {'same direction |', 'other direction |', '- |'}


M = verdict.MARGIN


@pytest.mark.parametrize(
    ('kind', 'values', 'word'),
    [
        (ABOVE, (0.01, 0.011, 0.012), 'agrees'),
        (ABOVE, (-0.01, 0.02, 0.0), 'same direction'),
        (ABOVE, (-0.02, 0.01, 0.0), 'other direction'),
        (ABOVE, (0.0, 0.0, 0.0), 'differs'),
        (NOT_BELOW, (-0.001, -0.002, 0.0), 'agrees'),
        (NOT_BELOW, (-0.1, -0.101, -0.102), 'differs'),
        (NOT_ABOVE, (-0.05, -0.051, -0.052), 'agrees'),
        (NOT_ABOVE, (0.001, 0.002, 0.0), 'agrees'),
        (NOT_ABOVE, (0.05, 0.051, 0.052), 'differs'),
        (EQUAL, (0.001, -0.001, 0.0), 'agrees'),
        (EQUAL, (-0.1, 0.1, 0.0), 'same direction'),
        (EQUAL, (0.05, 0.051, 0.052), 'differs'),
        (NOT_BELOW, (-0.9 * M,), 'same direction'),
        (NOT_BELOW, (-1.1 * M,), 'other direction'),
    ],
)
def test_a_claim_is_judged_by_what_it_says(kind, values, word):
    claim = Claim('x', 0.5, 'dense', accuracy, points, kind=kind)
    rows = [row(r, 1.0, 0.5, 100) for r in range(len(values))]
    rows += [row(r, 0.5, 0.5 + value, 100) for r, value in enumerate(values)]
    assert judged(claim, rows, rows)[1] == word


def test_an_early_stop_near_the_end_is_said():
    claim = Claim('x', 0.2107, 'dense', sooner, times)
    rows = [dict(r, training_steps=12000) for r in ROWS]
    assert 'cut off' not in judged(claim, rows, rows)[0]
    late = [dict(r, early_stop_step=10800) if r['round'] == 0 else r for r in rows]
    assert judged(claim, late, late)[0].endswith(', cut off')


@pytest.mark.parametrize('claim', LENET, ids=lambda claim: claim.text)
def test_every_claim_is_zero_between_equal_networks(claim: Claim):
    same = row(0, 0.5, 0.9, 100)
    assert math.isclose(claim.measure(same, same), 0.0, abs_tol=1e-12)


def test_draws_of_a_control_are_one_replicate(make_rows):
    rows = make_rows(replicates=3, rounds=1, controls={'reinit': [1]})
    values = {0: (0.90, 0.96), 1: (0.93, 0.93), 2: (0.95, 0.91)}
    reinit = [r for r in rows if r['variant'] == 'reinit']
    drawn = [
        {**r, 'draw': draw, 'test_accuracy': values[r['replicate']][draw]}
        for r in reinit
        for draw in (0, 1)
    ]
    others = [{**r, 'test_accuracy': 0.95} for r in rows if r['variant'] == 'ticket']
    claim = Claim('x', 0.8, 'dense', accuracy, points, variant='reinit')
    shown, _ = judged(claim, others + drawn, others + drawn)
    # Means of the draws: 0.93, 0.93, 0.93; as six values they would have an interval.
    assert shown == '-2.00 pp [-2.00 pp, -2.00 pp]'
