"""Summaries of synthetic records."""

import math

import pytest

from lth_keras import errors, verdict
from lth_keras.report import smallest_matching, summarise


def cell(summaries, round_, variant='ticket'):
    return next(s for s in summaries if (s.round, s.variant) == (round_, variant))


def keep(rows, round_=None, variant=None, replicate=None):
    """The rows without those that match every given value."""
    wanted = {'round': round_, 'variant': variant, 'replicate': replicate}
    return [r for r in rows if not all(v is None or r[k] == v for k, v in wanted.items())]


def test_one_summary_per_round_and_variant_in_order(make_rows):
    rows = make_rows(rounds=2, controls={'a_control': [1, 2], 'reinit': [2]})
    keys = [(s.round, s.variant) for s in summarise(reversed(rows), 0.005)]
    assert keys == [
        (0, 'ticket'),
        (1, 'ticket'),
        (1, 'a_control'),
        (2, 'ticket'),
        (2, 'a_control'),
        (2, 'reinit'),
    ]


def test_numbers(rows):
    summaries = summarise(rows, 0.005)
    values = [r['test_accuracy'] for r in rows if (r['round'], r['variant']) == (3, 'ticket')]
    found = cell(summaries, 3)
    mean, low, high = verdict.interval(values)
    measure = found.test_accuracy
    assert (measure.mean, measure.low, measure.high) == (mean, low, high)
    assert (measure.minimum, measure.maximum) == (min(values), max(values))
    assert measure.half_width == pytest.approx(mean - low)
    assert (found.replicates, found.trainings) == (3, 3)
    assert found.density == pytest.approx(0.512, abs=1e-5)


def test_verdicts_are_on_pruned_tickets_only(rows):
    summaries = summarise(rows, 0.005)
    assert cell(summaries, 0).verdict is None
    assert cell(summaries, 3, 'reinit').verdict is None
    assert cell(summaries, 3).verdict.name == 'winning'
    assert str(cell(summaries, 4).verdict) == f'undecided: {verdict.NO_REINIT}'


def test_another_control_is_not_the_random_reinitialisation(make_rows):
    summaries = summarise(make_rows(rounds=1, controls={'random_mask': [1]}), 0.005)
    assert cell(summaries, 1).verdict.reason == verdict.NO_REINIT


def test_draws_are_averaged_within_their_replicate(make_rows):
    rows = make_rows(rounds=1, controls={'reinit': [1]}, draws=4)
    found = cell(summarise(rows, 0.005), 1, 'reinit')
    first = [r['test_accuracy'] for r in rows if r['variant'] == 'reinit' and r['replicate'] == 0]
    assert (found.replicates, found.trainings, len(first)) == (3, 12, 4)
    means = [
        math.fsum(r['test_accuracy'] for r in rows if (r['variant'], r['replicate']) == key) / 4
        for key in (('reinit', 0), ('reinit', 1), ('reinit', 2))
    ]
    assert found.test_accuracy.minimum == pytest.approx(min(means))
    _, low, high = verdict.interval(means)
    assert (found.test_accuracy.low, found.test_accuracy.high) == pytest.approx((low, high))


def test_only_complete_replicates_are_paired_and_the_missing_are_named(rows):
    rows = keep(rows, round_=3, variant='reinit', replicate=1)
    summaries = summarise(rows, 0.005)
    assert cell(summaries, 3, 'reinit').note == 'missing replicate 1'
    assert cell(summaries, 3).note == 'verdict over replicates 0, 2'
    assert cell(summaries, 3).replicates == 3
    pair = [
        [r['test_accuracy'] for r in rows if (r['round'], r['variant'], r['replicate']) == key]
        for key in ((3, 'ticket', 0), (0, 'ticket', 0), (3, 'ticket', 2), (0, 'ticket', 2))
    ]
    differences = [pair[0][0] - pair[1][0], pair[2][0] - pair[3][0]]
    assert cell(summaries, 3).verdict.accuracy.mean == pytest.approx(sum(differences) / 2)
    assert cell(summaries, 4).note == ''


def test_uneven_draws_are_named(make_rows):
    rows = make_rows(rounds=1, controls={'reinit': [1]}, draws=2)
    rows = [r for r in rows if (r['variant'], r['replicate'], r['draw']) != ('reinit', 2, 1)]
    assert cell(summarise(rows, 0.005), 1, 'reinit').note == 'fewer than 2 draws in replicate 2'


def test_no_dense_network(rows):
    found = cell(summarise(keep(rows, round_=0), 0.005), 3)
    assert found.verdict.name == 'undecided' and 'dense' in found.verdict.reason


def test_one_replicate(make_rows):
    found = cell(summarise(make_rows(replicates=1, controls={'reinit': [3]}), 0.005), 3)
    assert found.test_accuracy.low is None
    assert found.verdict.reason == verdict.ONE_REPLICATE


def test_no_shared_replicate(make_rows):
    rows = make_rows(replicates=2, rounds=1, controls={'reinit': [1]})
    rows = [r for r in rows if r['replicate'] == (1 if r['variant'] == 'reinit' else 0)]
    found = cell(summarise(rows, 0.005), 1)
    assert found.verdict.name == 'undecided'
    assert found.note == 'missing replicate 1; verdict over no replicate'


@pytest.mark.parametrize(
    ('key', 'value'),
    [('test_accuracy', math.nan), ('test_accuracy', 98.1), ('early_stop_step', None)],
)
def test_a_bad_number_names_its_training(rows, key, value):
    rows[5] = {**rows[5], key: value}
    where = f'{key} of replicate {rows[5]["replicate"]}, round {rows[5]["round"]}'
    with pytest.raises(errors.LotteryError, match=where):
        summarise(rows, 0.005)


def test_a_training_twice(rows):
    with pytest.raises(errors.LotteryError, match='twice'):
        summarise([*rows, rows[0]], 0.005)


def test_a_record_without_round(rows):
    with pytest.raises(errors.LotteryError, match='round'):
        summarise([{k: v for k, v in rows[0].items() if k != 'round'}], 0.005)


def matching_rows(make_rows, accuracies, **changes):
    """Two replicates; validation accuracy of round r is accuracies[r]."""
    rows = make_rows(replicates=2, rounds=len(accuracies) - 1)
    return [
        {**r, 'validation_accuracy': accuracies[r['round']], 'validation_loss': 0.1, **changes}
        for r in rows
    ]


def test_smallest_matching_takes_the_smallest_density(make_rows):
    rows = matching_rows(make_rows, [0.98, 0.97, 0.977, 0.974])
    assert smallest_matching(rows, 0.005) == (2, 0)
    assert smallest_matching(rows, 0.006) == (3, 0)
    assert smallest_matching(rows, 0.0) is None


def test_smallest_matching_at_exactly_the_margin(make_rows):
    assert smallest_matching(matching_rows(make_rows, [0.98, 0.975]), 0.005) == (1, 0)


def test_smallest_matching_never_looks_at_test_data(make_rows):
    for test in (0.0, 0.5, 1.0):
        rows = matching_rows(make_rows, [0.98, 0.98, 0.5], test_accuracy=test, test_loss=test)
        assert smallest_matching(rows, 0.005) == (1, 0)


def test_smallest_matching_takes_the_lowest_validation_loss(make_rows):
    rows = matching_rows(make_rows, [0.98, 0.98])
    rows = [{**r, 'validation_loss': 0.2 - 0.1 * r['replicate']} for r in rows]
    assert smallest_matching(rows, 0.005) == (1, 1)


def test_smallest_matching_without_dense_or_rounds(make_rows):
    rows = matching_rows(make_rows, [0.98, 0.98])
    assert smallest_matching(keep(rows, round_=1), 0.005) is None
    with pytest.raises(errors.LotteryError, match='dense'):
        smallest_matching(keep(rows, round_=0), 0.005)


def test_controls_never_match(make_rows):
    rows = make_rows(replicates=2, rounds=1, controls={'reinit': [1]})
    better = {'validation_accuracy': 1.0}
    rows = [{**r, **(better if r['variant'] == 'reinit' else {})} for r in rows]
    rows = [
        {**r, 'validation_accuracy': 0.5} if (r['round'], r['variant']) == (1, 'ticket') else r
        for r in rows
    ]
    assert smallest_matching(rows, 0.005) is None
