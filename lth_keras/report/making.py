"""All files of a report from the runs: the page, every figure as PNG and SVG, tables as CSV."""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras.report import comparing, page, sections, style
from lth_keras.report.book import Book
from lth_keras.report.curves import band
from lth_keras.report.figures import FIGURES
from lth_keras.report.figures.runs import figures as run_figures
from lth_keras.report.page import Chapter, Shown
from lth_keras.report.tables_csv import csv_table, rows_csv, to_csv

PAGE = 'report.html'
MOST_ROWS = 50_000  # of a table behind a figure; an analysis of a large run has more beside the run
_BANDS = ('train_accuracy', 'validation_loss', 'validation_accuracy', 'test_loss', 'test_accuracy')


def files(books: Sequence[Book], refresh: int = 0, title: str = '') -> dict[str, str | bytes]:
    """The files of a report, by their paths below its folder; the page comes last.

    Args:
        books: the runs, at least one.
        refresh: seconds after which a browser loads the page anew; 0: never.
        title: of the page.
    """
    found: dict[str, str | bytes] = {}
    lines = comparing.lines(books)
    one = len(lines) == 1
    chapters = []
    for number, line in enumerate(lines):
        folder = '' if one else f'{number + 1:02d}-{_plain(line.label)}/'
        book = line.book
        published = [] if not one else _shown(run_figures(lines), folder, found)
        kinds = [FIGURES.get(name)(book) for name in FIGURES]
        chapters.append(Chapter(line, _shown(kinds, folder, found), published))
        if book.rows:
            for name, text in _tables(book):
                found[f'tables/{folder}{name}.csv'] = text
    compared = _shown(run_figures(lines), '', found) if not one else []
    if not one:
        found['tables/runs.csv'] = to_csv(comparing.table(lines))
    found[PAGE] = page.render(chapters, compared, refresh, title)
    return found


def _shown(kinds: Sequence[Any], folder: str, found: dict[str, str | bytes]) -> list[Shown]:
    """Draws the figures, adds their files, and says of each what the page shows."""
    shown = []
    for kind in kinds:
        try:
            why = getattr(kind, 'missing', '')
            drawing = None if why else style.draw(functools.partial(_with_note, kind), kind.size)
            caption = '' if why else kind.caption
        except Exception as error:  # tables of other versions: one figure must not cost the rest
            why, drawing = f'cannot be drawn ({type(error).__name__}: {error})', None
        if drawing is None:
            shown.append(Shown(kind.title, missing=why))
            continue
        name = f'figures/{folder}{kind.name}'
        found[f'{name}.png'], found[f'{name}.svg'] = drawing.png, drawing.svg
        shown.append(Shown(kind.title, caption, f'{name}.svg', drawing.svg))
        rows = kind.table
        if 0 < len(rows) <= MOST_ROWS:
            found[f'tables/{folder}{kind.name}.csv'] = to_csv(rows)
    return shown


def _with_note(kind: Any, figure: Figure) -> None:
    kind.draw(figure)
    if kind.note:
        figure.supxlabel(kind.note, fontsize=7.5, color=style.MUTED, x=0.99, ha='right')


def _tables(book: Book) -> Iterator[tuple[str, str]]:
    yield 'summary', csv_table(book.summaries)
    yield 'trainings', rows_csv(book.rows)
    yield 'comparisons', to_csv([_flat(vars(c)) for c in book.comparisons])
    for name, table in (('claims', sections.claims(book)), ('settings', sections.settings(book))):
        labels = [column.label for column in table.columns]
        rows = [[cell.value for cell in row.cells] for row in table.rows]
        if rows:
            yield name, to_csv([dict(zip(labels, row, strict=True)) for row in rows])
    curves = list(_curves(book))
    if curves:
        yield 'curves', to_csv(curves)


def _curves(book: Book) -> Iterator[Mapping[str, object]]:
    """Mean and interval over replicates of every curve, a row per round, variant and step."""
    for summary in book.summaries:
        read = book.curves.per_replicate(book.rows_of(summary.round, summary.variant))
        columns = {name: band(read, name) for name in _BANDS}
        columns = {name: found for name, found in columns.items() if found is not None}
        steps = np.unique(np.concatenate([b.steps for b in columns.values()] or [np.zeros(0)]))
        places = {
            name: dict(zip(b.steps.tolist(), range(len(b.steps)), strict=True))
            for name, b in columns.items()
        }
        for step in steps.tolist():
            row: dict[str, object] = {
                'round': summary.round,
                'variant': summary.variant,
                'density': summary.density,
                'replicates': len(read),
                'step': int(step),
            }
            for name, found in columns.items():
                at = places[name].get(step)
                row[f'{name}_mean'] = None if at is None else float(found.mean[at])
                if found.low is not None:
                    row[f'{name}_low'] = None if at is None else float(found.low[at])
                    row[f'{name}_high'] = None if at is None else float(found.high[at])
            yield row


def _flat(row: Mapping[str, Any]) -> dict[str, object]:
    """Intervals as three columns.

    >>> from lth_keras.verdict import Interval
    >>> _flat({'a': 1, 'b': Interval(0.5, None, None)})
    {'a': 1, 'b_mean': 0.5, 'b_low': None, 'b_high': None}
    """
    found: dict[str, object] = {}
    for name, value in row.items():
        if hasattr(value, '_asdict'):
            found |= {f'{name}_{part}': v for part, v in value._asdict().items()}
        else:
            found[name] = value
    return found


def _plain(label: str) -> str:
    """A label as the name of a folder."""
    return re.sub(r'[^A-Za-z0-9._-]+', '-', label).strip('-.')[:60] or 'run'
