"""The answer at a glance: is it a winning ticket, how small, how sure, at what cost."""

import dataclasses

from lth_keras import verdict
from lth_keras.outcome import RUNNING
from lth_keras.report.axes import show_percent
from lth_keras.report.book import Book
from lth_keras.report.cost import cost, on_the_way, span
from lth_keras.report.evidence import DENSE, Comparison
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
            f'A winning ticket: {show_percent(best.density)} of the weights '
            f'(round {best.round}) train to the accuracy of the dense network in no more steps.'
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
    reasons = list(dict.fromkeys(s.verdict.reason for s in pruned if s.verdict))
    if reasons == [verdict.ONE_REPLICATE]:
        text = 'One replicate has no confidence interval: run at least three (--replicates=3).'
    elif verdict.NO_REINIT in reasons and len(reasons) == 1:
        text = 'Random re-initialisation was not trained at any density (--controls=reinit).'
    else:
        text = f'At the smallest density: {pruned[-1].verdict.reason}.' if reasons else ''
    if book.matching:
        density = next((s.density for s in pruned if s.round == book.matching[0]), None)
        if density is not None:
            text += (
                f' By their means on validation data, tickets down to {show_percent(density)} '
                'match the dense network.'
            )
    return text


def _sure(book: Book, best: Summary) -> str:
    won = [s for s in book.tickets if s.verdict and s.verdict.name == verdict.WINNING]
    others = f' Winning at {len(won)} of the densities with a control.' if len(won) > 1 else ''
    return f'{_upper(best.verdict.reason)} ({best.replicates} seeds, 95% t-intervals).{others}'


def _why(judged: Summary) -> str:
    return f'At {show_percent(judged.density)}: {judged.verdict.reason}.'


def _tiles(book: Book, shown: Summary | None) -> list[Tile]:
    tiles = []
    if shown:
        label = 'smallest winning density' if shown == book.smallest_winning else 'density shown'
        tiles.append(Tile(label, show_percent(shown.density), f'round {shown.round}'))
        for name in (DENSE, REINIT):
            found = _comparison(book, shown.round, name)
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
        detail = f'[{ratio.low:.2f}, {ratio.high:.2f}] times'
    return Tile(f'minimum validation loss against {name}', f'{ratio.mean:.2f}× sooner', detail)


def _cost(book: Book, shown: Summary | None) -> Tile:
    whole = cost(book.rows, book.timings)
    value = f'{whole.dense:.1f} dense trainings'
    parts = [f'{whole.trainings} trainings, {whole.steps:,} steps']
    if whole.timed:
        partly = '' if whole.timed == whole.trainings else f' for {whole.timed} of them'
        parts.append(f'{span(whole.seconds)}{partly}')
    if shown and shown.round:
        one_shot = book.settings.get('procedure') == 'one_shot'
        way = cost(on_the_way(book.rows, shown.round, one_shot))
        parts.append(f'one ticket of round {shown.round} alone: {way.dense:.1f}')
    return Tile('cost of the search', value, '; '.join(parts))


def _comparison(book: Book, round_: int, name: str) -> Comparison | None:
    return next((c for c in book.comparisons if (c.round, c.against) == (round_, name)), None)


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


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
