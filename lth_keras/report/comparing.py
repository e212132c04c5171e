"""Several runs side by side: one table, with what tells them apart."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lth_keras.report.book import Book
from lth_keras.report.cost import cost

# Decides nothing that a reader compares.
_IDENTITY = ('fingerprint', 'margin', 'label', 'workdir')


@dataclasses.dataclass(frozen=True)
class Line:
    """One run in a comparison.

    Attributes:
        book: the run.
        label: what tells it from the others.
    """

    book: Book
    label: str


def differing(books: Sequence[Book]) -> dict[str, list[Any]]:
    """Setting -> its value in each run, of those settings in which the runs differ.

    A run of an older version that does not know a setting has None there.
    """
    names = {name for book in books for name in book.settings if name not in _IDENTITY}
    found = {}
    for name in sorted(names):
        values = [book.settings.get(name) for book in books]
        if any(value != values[0] for value in values):
            found[name] = values
    return found


def lines(books: Sequence[Book]) -> list[Line]:
    """The runs with labels as short as they can be: the settings that differ, else their names."""
    different = differing(books)
    short = {k: v for k, v in different.items() if all(len(str(x)) <= 24 for x in v)}
    labels = []
    for i, book in enumerate(books):
        parts = [_value(name, values[i]) for name, values in short.items()]
        labels.append(', '.join(parts) if 0 < len(parts) <= 2 else _name(book))
    if len(set(labels)) < len(labels):
        labels = [book.name for book in books]
    if len(set(labels)) < len(labels):  # the same run in two work directories
        labels = [f'{label} ({i + 1})' for i, label in enumerate(labels)]
    return [Line(book, label) for book, label in zip(books, labels, strict=True)]


def _name(book: Book) -> str:
    """The label of a run without its fingerprint."""
    fingerprint = str(book.settings.get('fingerprint') or '')
    return book.name.removesuffix(f'-{fingerprint}') if fingerprint else book.name


def _value(name: str, value: Any) -> str:
    text = str(plain(value))
    return text if name in ('model', 'dataset', 'procedure', 'criterion') else f'{name} {text}'


def table(found: Sequence[Line]) -> list[dict[str, object]]:
    """One row per run: how small, how good, how fast, at what cost, with which settings."""
    different = differing([line.book for line in found])
    rows = []
    for i, line in enumerate(found):
        book, best = line.book, line.book.smallest_winning
        at = book.matching[0] if book.matching else None
        matching = next((t for t in book.tickets if t.round == at and at), None)
        whole = cost(book.rows, book.timings)
        dense = book.dense
        rows.append(
            {
                'run': line.label,
                'replicates': len(book.replicates),
                'smallest winning density': best.density if best else None,
                'dense test accuracy': dense.test_accuracy.mean if dense else None,
                'dense early stop': dense.early_stop_step.mean if dense else None,
                # Chosen on validation data: the best over rounds on test data would flatter.
                'smallest density that matches on validation': matching and matching.density,
                'its test accuracy': matching and matching.test_accuracy.mean,
                'its early stop': matching and matching.early_stop_step.mean,
                'trainings': whole.trainings,
                'steps': whole.steps,
                **{name: plain(values[i]) for name, values in different.items()},
            }
        )
    return rows


def plain(value: Any) -> object:
    """A setting in one cell: a list becomes a text."""
    return ', '.join(map(str, value)) if isinstance(value, list | tuple) else value


def describe(settings: Mapping[str, Any]) -> str:
    """Network and data set in words.

    >>> describe({'model': 'lenet_300_100', 'dataset': 'mnist'})
    'lenet_300_100 on mnist'
    """
    return f'{settings.get("model", "a network")} on {settings.get("dataset", "its data")}'
