"""What `tools/analyse` found in a committed record, as a generated table."""

import csv
import math
import pathlib
from collections.abc import Sequence

from lth_keras import errors
from lth_keras.report.table import show_density

# Of a run's analyses, what is kept beside its record (tools/record) and read here.
KEPT = ('weights.csv', 'layers.csv', 'dead_units.csv', 'dead_units_mask.csv')
FOLDER = 'analysis'

Row = dict[str, str]


def measured_table(folder: pathlib.Path) -> str:
    """A Markdown table of a record's analyses by round; means over replicates, kernels by size.

    Args:
      folder: of the record; the files lie in `analysis/` in it.

    Raises:
      LotteryError: no analysis was recorded.
    """
    tables = {name: _read(folder / FOLDER / name) for name in KEPT}
    rounds = sorted({int(row['round']) for row in tables['layers.csv']})
    chosen = [r for r in rounds if r % 3 == 0 or r in (7, rounds[-1])]
    lines = [
        '| round | density | effective | growth of survivors | of pruned | sign changed, survivors '
        '| pruned | dead ReLU units | pruned weights at dense-dead units | all weights |',
        '| ---: ' * 10 + '|',
    ]
    for number in chosen:
        weights, layers, units, mask = (
            [row for row in tables[name] if int(row['round']) == number] for name in KEPT
        )
        size, kept, effective = (_sum(layers, key) for key in ('size', 'kept', 'effective'))
        dense_dead = [row for row in mask if row['dead_in'] == 'dense']
        final = [row for row in units if row['weights'] == 'final']
        cells = [
            str(number),
            show_density(kept / size),
            show_density(effective / size),
            _mean(weights, 'dense_growth_survivors', 'dense_count_survivors', 4),
            _mean(weights, 'dense_growth_pruned', 'dense_count_pruned', 4),
            _mean(weights, 'dense_sign_changed_survivors', 'dense_count_survivors', 3),
            _mean(weights, 'dense_sign_changed_pruned', 'dense_count_pruned', 3),
            _mean(final, 'share', 'units', 3),
            _mean(dense_dead, 'of_pruned', 'pruned', 4),
            _mean(dense_dead, 'of_all', 'pruned', 4),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def _read(path: pathlib.Path) -> list[Row]:
    try:
        with path.open(encoding='utf-8', newline='') as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise errors.LotteryError(
            f'expected the analyses of a record in {path.parent}, received: {error}; run '
            'tools/analyse, then tools/record'
        ) from error


def _sum(rows: Sequence[Row], key: str) -> float:
    return math.fsum(float(row[key]) for row in rows)


def _mean(rows: Sequence[Row], key: str, weight: str, digits: int) -> str:
    """The mean of a column, each row counted as often as `weight` says; '' without any."""
    pairs = [(float(row[key]), float(row[weight])) for row in rows if row[key]]
    total = math.fsum(w for _, w in pairs)
    if not total:
        return ''
    return f'{math.fsum(v * w for v, w in pairs) / total:.{digits}f}'
