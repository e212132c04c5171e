"""The tables of a report's page, from one run: plain values, escaped where they are shown."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from lth_keras.report.axes import show_percent
from lth_keras.report.book import Book
from lth_keras.report.claims import judged
from lth_keras.report.comparing import Line, plain
from lth_keras.report.comparing import table as runs_table
from lth_keras.report.evidence import DENSE, Comparison
from lth_keras.report.headline import interval_points, points
from lth_keras.report.published import claims_of
from lth_keras.report.summary import REINIT, Measure, Summary
from lth_keras.verdict import Interval

WORDS, LONG = 'text', 'text long'


@dataclasses.dataclass(frozen=True)
class Column:
    """A heading; `text` is the class of cells with words, '' of cells with numbers."""

    label: str
    text: str = ''


@dataclasses.dataclass(frozen=True)
class Cell:
    """A value, what stands smaller beside it, and the verdict that it is, if it is one."""

    value: str = ''
    detail: str = ''
    chip: str = ''


@dataclasses.dataclass(frozen=True)
class TableRow:
    """A row of cells, or the row that the reader looks for."""

    cells: Sequence[Cell]
    best: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """What `page.html` shows as a table."""

    columns: Sequence[Column]
    rows: Sequence[TableRow]


def verdicts(book: Book) -> Table:
    """Per density: the verdict, the numbers of the ticket, and those it is judged by."""
    columns = [
        Column('density'),
        Column('round'),
        Column('verdict', WORDS),
        Column('test accuracy'),
        Column('− dense, pp'),
        Column('early stop (steps)'),
        Column('dense / ticket'),
        *([Column('− reinit, pp'), Column('reinit / ticket')] if _has_reinit(book) else []),
        Column('final accuracy'),
        Column('n'),
    ]
    best, rows = book.smallest_winning, []
    for ticket in book.tickets:
        dense, reinit = (book.comparison(ticket.round, name) for name in (DENSE, REINIT))
        cells = [
            Cell(show_percent(ticket.density)),
            Cell(str(ticket.round)),
            Cell(chip=ticket.verdict.name) if ticket.verdict else Cell('dense network'),
            accuracy(ticket.test_accuracy),
            _difference(dense),
            steps(ticket.early_stop_step),
            _times(dense),
        ]
        if _has_reinit(book):
            cells += [
                _difference(reinit),
                _times(reinit),
            ]
        cells += [accuracy(ticket.final_test_accuracy), Cell(str(ticket.replicates))]
        rows.append(TableRow(cells, best=ticket == best))
    return Table(columns, rows)


def controls(book: Book) -> Table:
    """Per density and control: its numbers, and what the ticket has over it."""
    columns = [
        Column('density'),
        Column('round'),
        Column('against', WORDS),
        Column('test accuracy'),
        Column('ticket − it, pp'),
        Column('early stop (steps)'),
        Column('it / ticket'),
        Column('final: ticket − it, pp'),
        Column('trainings'),
        Column('note', WORDS),
    ]
    rows = []
    for ticket in (t for t in book.tickets if t.round):
        for name in book.controls:
            control = _summary(book, ticket.round, name)
            found = book.comparison(ticket.round, name)
            if control is None or found is None:
                continue
            rows.append(
                TableRow(
                    [
                        Cell(show_percent(control.density)),
                        Cell(str(ticket.round)),
                        Cell(name),
                        accuracy(control.test_accuracy),
                        _difference(found),
                        steps(control.early_stop_step),
                        _times(found),
                        _points(found.final_accuracy),
                        Cell(str(control.trainings)),
                        Cell(control.note),
                    ]
                )
            )
    return Table(columns, rows)


def claims(book: Book) -> Table:
    """What the paper claims of this network and what this run measured."""
    columns = [
        Column('claim', LONG),
        Column('says', WORDS),
        Column('measured here', WORDS),
        Column('agrees', WORDS),
    ]
    rows = []
    for claim in claims_of(book.settings, book.name):
        measured, agrees = judged(claim, book.rows, book.rows)
        cells = [claim.text, claim.source, measured, agrees]
        rows.append(TableRow([Cell(text) for text in cells]))
    return Table(columns, rows if book.rows else [])


def settings(book: Book) -> Table:
    """Every setting that was recorded."""
    rows = [
        TableRow([Cell(name), Cell(str(plain(value)))])
        for name, value in sorted(book.settings.items())
    ]
    return Table([Column('setting', WORDS), Column('value', LONG)], rows)


def comparison(lines: Sequence[Line]) -> Table:
    """Several runs, a row each."""
    rows = runs_table(lines)
    names = list(rows[0]) if rows else []
    columns = [Column(name, WORDS if name == 'run' else '') for name in names]
    return Table(columns, [TableRow([Cell(_number(n, row[n])) for n in names]) for row in rows])


def accuracy(measure: Measure) -> Cell:
    """A share of right answers, and half the width of its interval."""
    half = '' if measure.half_width is None else f'± {measure.half_width:.4f}'
    return Cell(f'{measure.mean:.4f}', half)


def steps(measure: Measure) -> Cell:
    """Steps, and half the width of their interval."""
    half = '' if measure.half_width is None else f'± {measure.half_width:.0f}'
    return Cell(f'{measure.mean:.0f}', half)


def _difference(found: Comparison | None) -> Cell:
    if found is None:
        return Cell()
    return _points(found.accuracy)


def _points(value: Interval) -> Cell:
    """Percentage points, with an interval if there is one."""
    ends = '' if value.low is None else interval_points(value)
    return Cell(points(value).removesuffix(' pp'), ends)


def _times(found: Comparison | None) -> Cell:
    if found is None:
        return Cell()
    ratio = found.sooner
    ends = '' if ratio.low is None else f'[{ratio.low:.2f}, {ratio.high:.2f}]'
    return Cell(f'{ratio.mean:.2f}', ends)


def _summary(book: Book, round_: int, variant: str) -> Summary | None:
    return next((s for s in book.summaries if (s.round, s.variant) == (round_, variant)), None)


def _has_reinit(book: Book) -> bool:
    return REINIT in book.variants


def _number(name: str, value: Any) -> str:
    if value is None:
        return '–'
    if isinstance(value, float):
        if 'density' in name:
            return show_percent(value)
        return f'{value:.4f}' if 'accuracy' in name else f'{value:,.6g}'
    return f'{value:,}' if isinstance(value, int) and not isinstance(value, bool) else str(value)
