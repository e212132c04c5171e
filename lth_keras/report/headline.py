"""The answer at a glance: is it a winning ticket, how small, how sure, at what cost."""

import dataclasses

from lth_keras import verdict
from lth_keras.outcome import RUNNING
from lth_keras.progress import span
from lth_keras.report.axes import show_percent
from lth_keras.report.book import Book
from lth_keras.report.cost import cost, on_the_way
from lth_keras.report.evidence import DENSE, Comparison
from lth_keras.report.figures.base import upper
from lth_keras.report.summary import REINIT, Summary
from lth_keras.verdict import Interval

NOTHING = 'nothing yet'


@dataclasses.dataclass(frozen=True)
class Tile:
    """One number of the top of a report: what it is, the number, what it rests on."""

    label: str
    value: str
    detail: str = ''


@dataclasses.dataclass(frozen=True)
class Headline:
    """The first thing that a reader sees.

    Attributes:
        verdict: 'winning', 'not winning', 'undecided' or 'nothing yet'.
        answer: one sentence.
        reason: why, and how sure.
        tiles: the numbers behind it.
    """

    verdict: str
    answer: str
    reason: str
    tiles: list[Tile]


def headline(book: Book) -> Headline:
    """The answer that a run gives; the rule is `verdict.judge`, at each density by itself."""
    pruned = [s for s in book.tickets if s.round > 0]
    if not pruned:
        answer = 'No ticket has been trained yet.' if book.state == RUNNING else 'No tickets.'
        if book.dense:
            answer += f' Dense network: {_share(book.dense.test_accuracy.mean)} test accuracy.'
        return Headline(NOTHING, answer, '', _tiles(book, None))
    best = book.smallest_winning
    if best:
        answer = (
            f'A winning ticket: {show_percent(best.density)} of the prunable weights '
            f'(round {best.round}) reach the accuracy of the dense network within '
            f'{100 * book.margin:g} pp, and stop no later on average.'
        )
        return Headline(verdict.WINNING, answer, _sure(book, best), _tiles(book, best))
    judged = [s for s in pruned if s.verdict and s.verdict.name == verdict.NOT_WINNING]
    if len(judged) == len(pruned):
        answer = f'No winning ticket at any of {len(pruned)} densities.'
        return Headline(verdict.NOT_WINNING, answer, _why(judged[-1]), _tiles(book, judged[-1]))
    shown = next((s for s in pruned if s.round == book.telling_round), pruned[-1])
    answer = 'Undecided: no density has the evidence of a winning ticket yet.'
    return Headline(verdict.UNDECIDED, answer, _undecided(book, pruned), _tiles(book, shown))


def _undecided(book: Book, pruned: list[Summary]) -> str:
    """What is missing for a verdict, and what the means alone say."""
    with_control = [s for s in pruned if s.verdict and s.verdict.reinit_accuracy]
    reasons = {s.verdict.reason for s in pruned if s.verdict}
    if reasons == {verdict.ONE_REPLICATE}:
        text = 'One replicate has no confidence interval: run at least three (--replicates=3).'
    elif not with_control and verdict.NO_REINIT in reasons:
        text = 'Random re-initialisation was not trained at any density (--controls=reinit).'
    else:
        last = with_control[-1] if with_control else pruned[-1]
        text = f'At {show_percent(last.density)}: {last.verdict.reason}.' if last.verdict else ''
    return f'{text} {_matches(book, pruned)}'.strip()


def _matches(book: Book, pruned: list[Summary]) -> str:
    """The smallest density that matches by its mean on validation data."""
    shown = next((s for s in pruned if book.matching and s.round == book.matching[0]), None)
    if shown is None:
        return ''
    return (
        f'The smallest density whose mean validation accuracy is within {100 * book.margin:g} pp '
        f'of the dense network: {show_percent(shown.density)}.'
    )


def _sure(book: Book, best: Summary) -> str:
    with_control = [s for s in book.tickets if s.verdict and s.verdict.reinit_accuracy]
    won = [s for s in with_control if s.verdict.name == verdict.WINNING]
    pairs = book.comparison(best.round, REINIT)
    count = pairs.replicates if pairs else best.replicates
    return (
        f'{upper(best.verdict.reason)} ({count} replicates, 95% t-intervals). Winning at '
        f'{len(won)} of {len(with_control)} densities with this control.'
    )


def _why(judged: Summary) -> str:
    return f'At {show_percent(judged.density)}: {judged.verdict.reason}.'


def _tiles(book: Book, shown: Summary | None) -> list[Tile]:
    tiles = []
    if shown:
        label = 'smallest winning density' if shown == book.smallest_winning else 'density shown'
        tiles.append(Tile(label, show_percent(shown.density), f'round {shown.round}'))
        for name in (DENSE, REINIT):
            found = book.comparison(shown.round, name)
            if found:
                tiles.append(
                    Tile(
                        f'test accuracy against {name}',
                        points(found.accuracy),
                        f'{interval_points(found.accuracy)}, n = {found.replicates}',
                    )
                )
                tiles.append(_sooner(found, name))
    elif book.dense:
        dense = book.dense
        tiles.append(Tile('dense network', _share(dense.test_accuracy.mean), 'test accuracy'))
    tiles.append(_cost(book, shown))
    return tiles


def _sooner(found: Comparison, name: str) -> Tile:
    ratio, detail = found.sooner, 'one replicate'
    if ratio.low is not None:
        detail = f'{name} / ticket: [{ratio.low:.2f}, {ratio.high:.2f}]'
    detail += f'; {-found.steps.mean:+.0f} steps on average'
    return Tile(f'minimum validation loss against {name}', times(ratio.mean), detail)


def times(ratio: float) -> str:
    """A ratio of steps, other / ticket, in words.

    >>> times(1.5), times(0.8), times(1.001)
    ('1.50× sooner', '1.25× later', 'equally soon')
    """
    if abs(ratio - 1) < 0.005:
        return 'equally soon'
    return f'{ratio:.2f}× sooner' if ratio > 1 else f'{1 / ratio:.2f}× later'


def _cost(book: Book, shown: Summary | None) -> Tile:
    whole = cost(book.rows, book.timings)
    value = f'{whole.dense:.1f} dense trainings'
    parts = [f'{whole.trainings} trainings, {whole.steps:,} steps']
    if whole.timed:
        partly = '' if whole.timed == whole.trainings else f' for {whole.timed} of them'
        parts.append(f'{span(whole.seconds)}{partly}')
    source = book.settings.get('transfer_from', 'none')
    if source != 'none':
        parts.append(f'without finding the tickets on {source}')
    elif shown and shown.round:
        one_shot = book.settings.get('procedure') == 'one_shot'
        way = cost(on_the_way(book.rows, shown.round, one_shot))
        parts.append(f'one ticket of round {shown.round} alone: {way.dense:.1f}')
    return Tile('cost of the search', value, '; '.join(parts))


def points(value: Interval) -> str:
    """A difference of accuracies in percentage points.

    >>> points(Interval(0.00371, 0.0026, 0.0047))
    '+0.37 pp'
    """
    return f'{100 * value.mean + 0.0:+.2f} pp'


def interval_points(value: Interval) -> str:
    """Its interval, or that there is none.

    >>> interval_points(Interval(0.00371, 0.0026, 0.0047))
    '[+0.26, +0.47]'
    >>> interval_points(Interval(0.00371, None, None))
    'no interval'
    """
    if value.low is None:
        return 'no interval'
    return f'[{100 * value.low:+.2f}, {100 * value.high:+.2f}]'


def _share(value: float) -> str:
    return f'{100 * value:.2f}%'
