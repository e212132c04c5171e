"""The report of runs on disk: what their weights show, then all files, the page last."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lth_keras import digests, errors, files
from lth_keras.analysis import ANALYSES, front
from lth_keras.analysis import reading as analysis_reading
from lth_keras.outcome import RUNNING
from lth_keras.report import comparing, making, reading
from lth_keras.report.axes import chosen
from lth_keras.report.book import Book
from lth_keras.report.headline import Headline, headline

FOLDER, INDEX = 'report', 'report.json'
FORMAT, VERSION = 'lth_keras.report', 1
LOOKS = ('weights', 'overlap', 'inputs')
# Of a large run a few tickets show the same picture; tools/analyse looks at all.
ROUNDS, REPLICATES = 5, 3

Finish = Callable[[], analysis_reading.FinishedRun]


@dataclasses.dataclass(frozen=True)
class Report:
    """Where a report is, and what it says of each run.

    Attributes:
        page: the HTML file.
        headlines: label of a run -> its answer.
    """

    page: Path
    headlines: Mapping[str, Headline]


def make_report(
    runs: Sequence[str | Path],
    out: str | Path = '',
    title: str = '',
    data_dir: str = '',
    looks: bool = True,
    refresh: int = 0,
    rounds: Sequence[int] = (),
) -> Report:
    """Writes a report of one run, or of several beside each other; nothing is trained.

    Args:
      runs: directories of runs, finished or not, or committed `records.json`; at least one.
      out: its folder; `RUN/report` of one run, `report` of several if empty.
      title: of the page.
      data_dir: folder of prepared TFDS data sets, for runs on one of them.
      looks: whether weights that nobody has analysed are looked at, for the pictures of them.
      refresh: seconds after which a browser loads the page anew; 0: never.
      rounds: those whose curves and weights are shown; a few, the dense one among them, if empty.

    Raises:
      StoreError: something that is no run, or files that cannot be written.
      ConfigError: no run, or a round that no run has.
    """
    if not runs:
        raise errors.ConfigError('expected at least one run, received none')
    books = _shown([reading.read(run) for run in runs], rounds)
    if looks:
        books = [_looked(book, _reader(book, data_dir)) for book in books]
    alone = books[0].directory / FOLDER if len(books) == 1 else Path(FOLDER)
    return _write(books, Path(out) if out else alone, title, refresh)


def _shown(books: Sequence[Book], rounds: Sequence[int]) -> list[Book]:
    """The runs, each with those of the wanted rounds that it has."""
    known = {s.round for book in books for s in book.tickets}
    for number in rounds:
        if number not in known:
            listed = ', '.join(map(str, sorted(known))) or 'none'
            raise errors.ConfigError(
                f'rounds: expected some of {listed}, received {number}; no run has it'
            )
    found = []
    for book in books:
        mine = {s.round for s in book.tickets} & set(rounds)
        found.append(dataclasses.replace(book, shown=sorted(mine)))
    return found


def after_search(lab: Any, run: Path, command: str, rows: Sequence[Any]) -> Report:
    """The report of a search that has just ended, with its own network and data at hand."""
    book = reading.read(run)
    book = _looked(book, lambda: analysis_reading.of(lab, run, command, rows))
    return _write([book], run / FOLDER, '', 0)


def _reader(book: Book, data_dir: str) -> Finish:
    """Reads the run for its analyses, with the data folder of its own command if none is given."""
    if not data_dir:
        given = book.provenance.get('arguments')
        given = [a for a in given if isinstance(a, str)] if isinstance(given, list) else []
        data_dir = next((a[11:] for a in given if a.startswith('--data_dir=')), '')
    return lambda: analysis_reading.read(book.directory, data_dir)


def _looked(book: Book, finished: Finish) -> Book:
    """The run with the analyses that the figures need; why there are none, if there are none."""
    if not book.rows or book.state == RUNNING or not book.stored:
        return book
    known = sorted({s.round for s in book.tickets})
    rounds = sorted(book.shown or {*chosen(known, ROUNDS), book.telling_round} & set(known))
    replicates = book.replicates[:REPLICATES]
    wanted = [name for name in LOOKS if not _covers(book, name, rounds, replicates)]
    if not wanted:
        return book
    found = dict(book.analyses)
    try:
        kinds = {name: ANALYSES.get(name) for name in wanted}
        found |= front.looked_at(finished(), kinds, rounds, replicates, 'train')
    except errors.LotteryError as error:
        missing = {name: {'notes': [f'not looked at: {error}']} for name in wanted}
        found = {**missing, **found}  # what was found earlier is still shown
    return dataclasses.replace(book, analyses=found)


def _covers(book: Book, name: str, rounds: Sequence[int], replicates: Sequence[int]) -> bool:
    known = book.analyses.get(name, {})
    there = [known.get(part, ()) for part in ('rounds', 'replicates')]
    pairs = zip((rounds, replicates), there, strict=True)
    return all(
        isinstance(has, list) and all(number in has for number in wanted) for wanted, has in pairs
    )


def _write(books: Sequence[Book], out: Path, title: str, refresh: int) -> Report:
    """Writes all files, the page and the index last, and removes those of the last report."""
    if out.exists() and not out.is_dir():
        raise errors.StoreError(f'expected a folder for the report, received the file {out}')
    content = making.files(books, refresh, title)
    before = _listed(out)
    headlines = {line.label: headline(line.book) for line in comparing.lines(books)}
    for folder in sorted({(out / name).parent for name in content}):
        files.ensure_directory(folder, files.DISK)
    for name, data in content.items():
        files.write_file(out / name, data)
    index = {
        'format': FORMAT,
        'version': VERSION,
        'files': sorted(content),
        'runs': [_said(book, found) for book, found in zip(books, headlines.values(), strict=True)],
    }
    files.write_file(out / INDEX, digests.pretty(index))
    for name in before - set(content):
        files.DISK.remove(out / name)
    return Report(out / making.PAGE, headlines)


def _said(book: Book, found: Headline) -> dict[str, Any]:
    """What a program may want to know of one run."""
    best = book.smallest_winning
    return {
        'name': book.name,
        'verdict': found.verdict,
        'answer': found.answer,
        'reason': found.reason,
        'smallest_winning_density': best.density if best else None,
        'trainings': len(book.rows),
        'verdicts': [
            {
                'round': s.round,
                'density': s.density,
                'verdict': s.verdict.name,
                'reason': s.verdict.reason,
            }
            for s in book.tickets
            if s.verdict
        ],
    }


def _listed(out: Path) -> set[str]:
    """The files of the report that was here before; nothing else is ever removed."""
    try:
        names = json.loads((out / INDEX).read_text(encoding='utf-8'))['files']
        paths = [name for name in names if isinstance(name, str)]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    own = [name for name in paths if name.startswith(('figures/', 'tables/'))]
    return {name for name in own if '..' not in name.split('/')}
