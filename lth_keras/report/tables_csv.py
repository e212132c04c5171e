"""Summaries, records and other tables as CSV: every number exactly."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lth_keras.report.summary import TICKET, Measure, Row, Summary
from lth_keras.report.table import MEASURES

# The order of a training's columns; keys unknown here follow by name, then the layers.
_ROW_COLUMNS = (
    'replicate',
    'round',
    'variant',
    'draw',
    'density',
    'model_density',
    'early_stop_step',
    'validation_loss',
    'validation_accuracy',
    'test_loss',
    'test_accuracy',
    'final_validation_loss',
    'final_validation_accuracy',
    'final_test_loss',
    'final_test_accuracy',
    'training_steps',
    'rewind_step',
    'rewound',
    'eval_every',
    'stage',
)


def csv_table(summaries: Iterable[Summary]) -> str:
    """One line per (round, variant) with every number at full precision.

    >>> one = Summary(0, 'ticket', 1, 1, 1.0, Measure.of([0.5]), Measure.of([100]),
    ...               Measure.of([0.25]))
    >>> csv_table([one]).split()[1]
    '0,ticket,1,1,1.0,0.5,,,0.5,0.5,100.0,,,100,100,0.25,,,0.25,0.25,,,'
    """
    columns = ['round', 'variant', 'replicates', 'trainings', 'density']
    for name in MEASURES:
        columns += [f'{name}_{part}' for part in ('mean', 'low', 'high', 'min', 'max')]
    lines: list[list[object]] = [[*columns, 'verdict', 'reason', 'note']]
    for s in summaries:
        line = [s.round, s.variant, s.replicates, s.trainings, s.density]
        for name in MEASURES:
            m: Measure = getattr(s, name)
            line += [m.mean, m.low, m.high, m.minimum, m.maximum]
        decided = [s.verdict.name, s.verdict.reason] if s.verdict else [None, None]
        lines.append([*line, *decided, s.note])
    return _lines(lines)


def rows_csv(rows: Iterable[Row]) -> str:
    """One line per training, flat: known columns first, then other keys, then layers, by name.

    >>> print(rows_csv([{'round': 1, 'variant': 'ticket', 'replicate': 0,
    ...                  'layers': {'dense/kernel': {'kept': 3, 'size': 4}}}]))
    replicate,round,variant,dense/kernel:kept,dense/kernel:size
    0,1,ticket,3,4
    <BLANKLINE>
    """
    rows = sorted(
        rows,
        key=lambda r: (
            (r['round'], r['variant'] != TICKET, r['variant'], r['replicate']) + (r.get('draw', 0),)
        ),
    )
    present = {key for row in rows for key in row} - {'layers'}
    known = [key for key in _ROW_COLUMNS if key in present]
    columns = known + sorted(present - set(known))
    layers = sorted({path for row in rows for path in row.get('layers', {})})
    lines = [columns + [f'{path}:{part}' for path in layers for part in ('kept', 'size')]]
    for row in rows:
        counts = [row.get('layers', {}).get(path, {}) for path in layers]
        line = [row.get(key) for key in columns]
        lines.append(line + [count.get(part) for count in counts for part in ('kept', 'size')])
    return _lines(lines)


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table as CSV: all columns of all rows, in order of first appearance; None is empty.

    The numbers of a list (a histogram, an image by rows) are one cell, separated by spaces.

    >>> to_csv([{'a': 1, 'b': None, 'c': [[1, 2], [3, 4]]}, {'a': 0.5, 'b': 'x', 'c': []}])
    'a,b,c\\n1,,1 2 3 4\\n0.5,x,\\n'
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return _lines([columns, *([_cell(row.get(name)) for name in columns] for row in rows)])


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ' '.join(filter(None, map(_cell, value)))
    return '' if value is None else repr(value) if isinstance(value, float) else str(value)


def _lines(lines: Iterable[Sequence]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator='\n').writerows(lines)
    return stream.getvalue()
