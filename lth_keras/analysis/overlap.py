"""How far two masks agree, and how far they would by chance."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras.analysis import drawing
from lth_keras.analysis.base import OVERALL, Analysis, Row, Seen, ratio
from lth_keras.mask import Mask


def jaccard(both: float, one: float, other: float) -> float:
    """|a & b| / |a | b| from |a & b|, |a| and |b|; 1.0 for two empty sets.

    >>> jaccard(2, 4, 6), jaccard(0, 0, 0)
    (0.25, 1.0)
    """
    union = one + other - both
    return float(both / union) if union else 1.0


def overlap(first: Mask, second: Mask) -> dict[str, Row]:
    """Kernel path (and 'all') -> how far two masks agree, and how far they would by chance.

    Of n weights, a and b are kept by the two masks, `both` by both.

        jaccard          = both / (a + b - both)                          in [0, 1]
        expected         = a * b / n = d1 * d2 * n                        in weights
        deviation        = sqrt(a b (n-a) (n-b) / (n^2 (n-1)))            in weights
        expected_jaccard = expected / (a + b - expected)
        over_chance      = both / expected;   z = (both - expected) / deviation

    Chance: each kernel's kept weights drawn anew without replacement, its density unchanged (both
    counts are hypergeometric). 'all' adds up counts, expectations and variances of the kernels, so
    that chance knows the layer densities there too. None where chance allows a single outcome.

    >>> found = overlap(Mask({'k': [1, 1, 0, 0]}), Mask({'k': [1, 0, 1, 0]}))
    >>> found['k']['both'], found['k']['expected'], found['k']['over_chance'], found['k']['z']
    (1, 1.0, 1.0, 0.0)
    >>> round(found['all']['jaccard'], 3), round(found['all']['expected_jaccard'], 3)
    (0.333, 0.333)

    Raises:
      MaskError: masks of unlike kernels.

    Hidden units have no order: two networks that do the same with their units permuted have masks
    that agree by chance only. Grosse & Backes 2020 ("How many winning tickets are there in one
    DNN?") find no overlap beyond chance between runs.
    """
    second.check_fits(first.shapes)
    rows, totals = {}, np.zeros(6)
    for path, mask in first.items():
        n, a, b = mask.size, int(mask.sum()), int(second[path].sum())
        both = int((mask & second[path]).sum())
        expected = a * b / n
        variance = expected * (n - a) * (n - b) / (n * (n - 1)) if n > 1 else 0.0
        rows[path] = _row(n, a, b, both, expected, variance)
        totals += [n, a, b, both, expected, variance]
    n, a, b, both = (int(value) for value in totals[:4])
    return rows | {OVERALL: _row(n, a, b, both, float(totals[4]), float(totals[5]))}


def _row(n: int, a: int, b: int, both: int, expected: float, variance: float) -> Row:
    return {
        'size': n,
        'kept_first': a,
        'kept_second': b,
        'both': both,
        'jaccard': jaccard(both, a, b),
        'expected': float(expected),
        'expected_jaccard': jaccard(expected, a, b),
        'over_chance': ratio(both, expected) if variance > 0 else None,
        'z': (both - expected) / math.sqrt(variance) if variance > 0 else None,
    }


class Overlap(Analysis):
    """Agreement of masks between replicates and between rounds, against what chance gives."""

    name = 'overlap'

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._masks: dict[tuple[int, int], Mask] = {}

    def add(self, seen: Seen) -> None:
        self._masks[seen.result.replicate, seen.result.round] = seen.mask

    def finish(self) -> None:
        self.tables = {'overlap_replicates': [], 'overlap_rounds': []}
        for (r1, n1), (r2, n2) in itertools.combinations(sorted(self._masks), 2):
            if n1 != n2 and r1 != r2:
                continue
            first, second = self._masks[r1, n1], self._masks[r2, n2]
            if n1 == n2:
                place: Row = {'round': n1, 'first': r1, 'second': r2}
                place['density'] = (first.density + second.density) / 2
                table = 'overlap_replicates'
            else:
                place = {'replicate': r1, 'first': n1, 'second': n2, 'nested': second <= first}
                table = 'overlap_rounds'
            for path, row in overlap(first, second).items():
                self.put(table, {**place, 'kernel': path, **row})
        if not self.tables['overlap_replicates']:
            self.note('overlap between replicates: not computed: it needs two replicates')
        if not self.tables['overlap_rounds']:
            self.note('overlap between rounds: not computed: it needs two rounds')

    def draw(self, figure: Figure) -> None:
        rows = self.tables['overlap_replicates']
        figure.set_size_inches(13.0, drawing.height(4.6, drawing.names_of(rows)))
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.1, 1.1, 1))
        if rows:
            self._lines(left, middle, rows)
            drawing.legend(figure, left, 6)
        else:
            drawing.say(left, 'one replicate: no pairs')
            middle.set_axis_off()
        self._matrix(figure, right)

    def _lines(self, left: Any, middle: Any, rows: list[Row]) -> None:
        kernels = drawing.names_of(rows)
        styles = drawing.layer_styles(kernels)
        for name in [*kernels, OVERALL]:
            mine = [row for row in rows if row['kernel'] == name]
            label = drawing.short(name) if name in kernels else 'all kernels'
            drawing.line(left, drawing.averaged(mine, 'jaccard'), label=label, **styles[name])
            chance = drawing.averaged(mine, 'expected_jaccard')
            style = {**styles[name], 'marker': '', 'linestyle': ':'}
            drawing.line(left, chance, **style)
            drawing.line(middle, drawing.averaged(mine, 'over_chance'), **styles[name])
        left.plot([], [], linestyle=':', color=drawing.MUTED, label='by chance')
        left.set_ylabel('Jaccard index between replicates')
        left.set_ylim(-0.02, 1.02)
        middle.axhline(1, color=drawing.MUTED, linestyle=':')
        middle.set_ylabel('kept by both / expected by chance')
        low, high = middle.get_ylim()
        middle.set_ylim(min(low, 0.9), max(high, 1.1))
        for axes in (left, middle):
            drawing.plain(axes)
            drawing.density_axis(axes, rows, 5)

    def _matrix(self, figure: Figure, axes: Any) -> None:
        rows = [r for r in self.tables['overlap_rounds'] if r['kernel'] == OVERALL]
        if not rows:
            drawing.say(axes, 'one round: no pairs')
            return
        numbers = sorted({n for _, n in self._masks})
        image = _square(rows, numbers)
        shown = axes.imshow(image, vmin=0, vmax=1, cmap='viridis')
        places = drawing.chosen(range(len(numbers)), 10)
        axes.set_xticks(places, [numbers[i] for i in places])
        axes.set_yticks(places, [numbers[i] for i in places])
        axes.set_xlabel('round')
        axes.set_ylabel('round')
        axes.set_title(f'all kernels, {drawing.replicates(rows)}')
        figure.colorbar(shown, ax=axes, label='Jaccard index between rounds', shrink=0.85)


def _square(rows: Sequence[Row], numbers: Sequence[int]) -> np.ndarray:
    image = np.eye(len(numbers))
    for i, j in itertools.combinations(range(len(numbers)), 2):
        pair = numbers[i], numbers[j]
        values = [r['jaccard'] for r in rows if (r['first'], r['second']) == pair]
        image[i, j] = image[j, i] = np.mean(values) if values else np.nan
    return image
