"""The answer at a glance follows the verdicts, and says what it rests on."""

import pytest

from lth_keras import verdict
from lth_keras.outcome import RUNNING
from lth_keras.report.book import Book
from lth_keras.report.cost import Timing, cost, on_the_way, read_timings
from lth_keras.report.headline import headline, times
from lth_keras.report.page import problems
from tests.report.conftest import make_rows


def book(rows, **more):
    return Book(name='a', rows=rows, **more)


def changed(rows, variant, **values):
    return [{**r, **values} if r['variant'] == variant and r['round'] else r for r in rows]


def test_winning_names_the_smallest_of_them():
    found = headline(book(make_rows(controls={'reinit': [3, 7, 9]})))
    assert found.verdict == verdict.WINNING
    assert '13.4% of the prunable weights (round 9)' in found.answer
    assert 'within 0.5 pp, and stop no later on average' in found.answer
    assert '3 replicates, 95% t-intervals' in found.reason
    assert 'Winning at 3 of 3 densities' in found.reason
    values = {tile.label: tile for tile in found.tiles}
    assert values['smallest winning density'].value == '13.4%'
    assert values['test accuracy against dense'].detail.endswith('n = 3')
    assert values['cost of the search'].value == '42.0 dense trainings'
    assert 'one ticket of round 9 alone: 10.0' in values['cost of the search'].detail


def test_not_winning_where_every_density_is_contradicted():
    rows = make_rows(rounds=2, controls={'reinit': [1, 2]})
    rows = changed(rows, 'ticket', test_accuracy=0.9)
    found = headline(book(rows))
    assert found.verdict == verdict.NOT_WINNING and 'any of 2 densities' in found.answer
    assert 'lies below' in found.reason


@pytest.mark.parametrize(
    ('rows', 'said'),
    [
        (make_rows(replicates=1, rounds=3, controls={'reinit': [3]}), 'One replicate has no'),
        (make_rows(rounds=3), 'Random re-initialisation was not trained'),
    ],
)
def test_undecided_says_what_is_missing(rows, said):
    found = headline(book(rows))
    assert found.verdict == verdict.UNDECIDED and said in found.reason
    assert 'accuracy is within 0.5 pp of the dense network: 51.2%' in found.reason
    assert '[' not in found.tiles[1].detail or len({r['replicate'] for r in rows}) > 1


def test_nothing_yet():
    assert headline(book([], state=RUNNING)).answer == 'No ticket has been trained yet.'
    found = headline(book(make_rows(rounds=0)))
    assert found.verdict == 'nothing yet' and 'Dense network: 98.' in found.answer
    assert headline(book(make_rows(rounds=1)[3:])).verdict == verdict.UNDECIDED


def test_costs():
    rows = [{**r, 'rewind_step': 2000} for r in make_rows(replicates=2, rounds=2)]
    found = cost(rows, [Timing(0, 0, 'ticket', 0, 5.0, {}), Timing(9, 0, 'ticket', 0, 5.0, {})])
    # Two dense trainings of 12,000 steps, four of 10,000.
    assert (found.trainings, found.steps, found.dense) == (6, 64_000, 64 / 12)
    assert (found.seconds, found.timed) == (5.0, 1)
    assert cost([]).dense == 0
    assert [r['round'] for r in on_the_way(rows, 2)] == [0, 1, 2]
    assert [r['round'] for r in on_the_way(rows, 2, one_shot=True)] == [0, 2]
    assert on_the_way([], 2) == []


def test_timings_of_any_form():
    odd = {'replicate x round 1 ticket': 1.0, 'replicate 1 round 2 ticket': {'total': 'long'}}
    assert read_timings(odd) == []
    elsewhere = {'mnist: replicate 0 round 1 ticket': {'total': 2.0}}
    assert read_timings(elsewhere) == []  # of the search whose tickets are transferred


def test_later_is_not_called_sooner():
    rows = make_rows(rounds=1, controls={'reinit': [1]})
    rows = [
        {**r, 'early_stop_step': 6000} if r['round'] and r['variant'] == 'ticket' else r
        for r in rows
    ]
    values = {tile.label: tile.value for tile in headline(book(rows)).tiles}
    assert values['minimum validation loss against dense'].endswith('× later')
    assert times(2.0) == '2.00× sooner' and times(0.5) == '2.00× later'


def test_the_count_is_that_of_the_verdict():
    rows = make_rows(replicates=4, controls={'reinit': [3]})
    rows = [r for r in rows if (r['variant'], r['replicate']) != ('reinit', 3)]
    found = headline(book(rows))
    assert found.verdict == verdict.WINNING and '(3 replicates' in found.reason
    assert found.tiles[1].detail.endswith('n = 3')
    (judged,) = [s for s in book(rows).tickets if s.round == 3]
    shown = book(rows).comparison(3, 'dense').accuracy
    assert shown == judged.verdict.accuracy


def test_a_search_that_ends_at_the_last_step_is_said():
    rows = [{**r, 'early_stop_step': 12000} for r in make_rows(rounds=1)]
    assert any('train longer' in text for text in problems(book(rows)))
    assert 'the dense network among them' in problems(book(rows))[0]
    assert not problems(book(make_rows(rounds=1)))
