"""The curve of one training as text: a line per evaluation, a header that names the columns."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

NAME = 'curve.csv'


def to_text(columns: Sequence[str], table: Iterable[Sequence[float]]) -> str:
    """A header, then a line per evaluation; the first column is the step, NaN is left empty.

    >>> to_text(('step', 'train_loss'), [(0, math.nan), (100, 0.5)])
    'step,train_loss\\n0,\\n100,0.5\\n'
    """
    lines = [','.join(columns)]
    for step, *values in np.asarray(table).tolist():
        lines.append(
            ','.join([str(int(step)), *('' if math.isnan(v) else repr(v) for v in values)])
        )
    return '\n'.join(lines) + '\n'


def rows(text: str) -> list[dict[str, float]]:
    """The rows of a text of `to_text`, by column; an empty cell is NaN.

    >>> rows('step,train_loss\\n0,\\n100,0.5\\n')
    [{'step': 0.0, 'train_loss': nan}, {'step': 100.0, 'train_loss': 0.5}]
    """
    header, *lines = text.splitlines()
    columns = header.split(',')
    return [
        {name: float(cell or 'nan') for name, cell in zip(columns, line.split(','), strict=True)}
        for line in lines
    ]
