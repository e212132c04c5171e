"""The report's one page: HTML with everything in it, nothing from elsewhere, all text escaped."""

import dataclasses
import importlib.metadata
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from lth_keras.outcome import FINISHED, RUNNING
from lth_keras.report import facts, sections, vector
from lth_keras.report.book import Book
from lth_keras.report.comparing import Line, describe
from lth_keras.report.headline import headline
from lth_keras.report.table import missing, reasons


@dataclasses.dataclass(frozen=True)
class Shown:
    """One figure on the page: its drawing, or why there is none."""

    title: str
    caption: str = ''
    file: str = ''
    svg: str = ''
    missing: str = ''


@dataclasses.dataclass(frozen=True)
class Chapter:
    """One run with its figures."""

    line: Line
    figures: Sequence[Shown]
    published: Sequence[Shown] = ()


def render(
    chapters: Sequence[Chapter], compared: Sequence[Shown] = (), refresh: int = 0, title: str = ''
) -> str:
    """The page.

    Args:
        chapters: the runs, at least one.
        compared: figures over all of them.
        refresh: seconds after which a browser loads it anew; 0: never.
        title: of the page; that of the run, or how many there are, if empty.
    """
    colours: set[str] = set()
    counter = iter(range(10_000))

    def put(figures: Sequence[Shown]) -> list[Shown]:
        found = []
        for figure in figures:
            if figure.svg:
                svg, used = vector.inline(
                    figure.svg, f'f{next(counter)}-', str(escape(figure.title))
                )
                colours.update(used)
                figure = dataclasses.replace(figure, svg=Markup(svg))
            found.append(figure)
        return found

    runs = [_run(chapter, i, put) for i, chapter in enumerate(chapters)]
    several = put(compared)
    light, dark = vector.variables(colours)
    books = [chapter.line.book for chapter in chapters]
    one = len(chapters) == 1
    lines = [chapter.line for chapter in chapters]
    context: dict[str, Any] = {
        'title': title or (books[0].name if one else f'{len(chapters)} runs'),
        'subtitle': runs[0]['subtitle'] if one else ', '.join(line.label for line in lines),
        'runs': runs,
        'comparison': sections.comparison(lines),
        'compared': several,
        'glossary': facts.GLOSSARY,
        'refresh': refresh,
        'css': Markup(_resource('page.css')),
        'light': Markup(light),
        'dark': Markup(dark),
        'version': _version(),
    }
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.from_string(_resource('page.html')).render(context)


def _run(chapter: Chapter, number: int, put: Any) -> Mapping[str, Any]:
    book = chapter.line.book
    state, alarming = _state(book)
    claimed = sections.claims(book)
    return {
        'anchor': f'run-{number}',
        'label': chapter.line.label,
        'subtitle': _subtitle(book),
        'headline': headline(book),
        'state': state,
        'alarming': alarming,
        'problems': problems(book),
        'verdicts': sections.verdicts(book),
        'rule': facts.rule(book),
        'reasons': reasons(book.summaries),
        'claims': claimed if claimed.rows else None,
        'published': put(chapter.published),
        'figures': put(chapter.figures),
        'controls': sections.controls(book),
        'command': str(book.provenance.get('command') or book.record.get('command', '')),
        'facts': facts.facts(book),
        'settings': sections.settings(book),
    }


def problems(book: Book) -> list[str]:
    """What the reader must know: missing parts, replicates and trainings, early stops cut off."""
    found = list(book.problems)
    ended = book.state in (RUNNING, FINISHED)  # a rule that stops early leaves trainings out
    if book.planned and len(book.rows) < book.planned and not ended:
        found.append(f'{len(book.rows)} of {book.planned} planned trainings are recorded')
    found += missing(book.summaries)
    last = [
        row for row in book.rows if row['early_stop_step'] >= row.get('training_steps', math.inf)
    ]
    if last:
        dense = any(row['round'] == 0 for row in last)
        found.append(
            f'{len(last)} of {len(book.rows)} trainings{", the dense network among them," * dense} '
            'have their early stop at the last step: it may lie beyond it, so train longer'
        )
    if book.rows and book.dense is None:
        found.append('the dense network (round 0) is not among the trainings')
    found += book.curves.problems[:3]
    if len(book.curves.problems) > 3:
        found.append(f'{len(book.curves.problems) - 3} more curves cannot be read')
    return found


def _state(book: Book) -> tuple[str, bool]:
    """The state in words, and whether it is one to look after."""
    if book.state == RUNNING and book.planned:
        return f'running: {len(book.rows)} of {book.planned} trainings', False
    return book.state, book.state not in ('', RUNNING, FINISHED)


def _subtitle(book: Book) -> str:
    count = len(book.replicates)
    seeds = 'one replicate' if count == 1 else f'{count} replicates'
    procedure = book.settings.get('procedure')
    return ', '.join(filter(None, [describe(book.settings), procedure, seeds]))


def _resource(name: str) -> str:
    return resources.files('lth_keras.report').joinpath(name).read_text(encoding='utf-8')


def _version() -> str:
    try:
        return importlib.metadata.version('lth_keras')
    except importlib.metadata.PackageNotFoundError:
        return ''
