"""What the weights that survive were and became, against those that were pruned."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras.analysis import drawing
from lth_keras.analysis.base import OVERALL, Analysis, Arrays, Row, Seen, check_arrays
from lth_keras.mask import Mask

BINS, PANELS, CURVES = 40, 4, 4


def magnitudes(before: np.ndarray, after: np.ndarray) -> Row:
    """How the magnitudes of some weights changed between two moments.

    With n weights b -> a: mean |b|, mean |a|, growth = mean(|a| - |b|), and the share of them
    whose sign changed, (number of b*a < 0) / n. A weight that is 0 before or after has no sign to
    change. All are None without weights.

    Args:
      before, after: values of the same weights, any shape.

    >>> magnitudes(np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, 0.5]))
    {'count': 3, 'before': 1.1666666666666667, 'after': 1.1666666666666667, 'growth': 0.0, \
'sign_changed': 0.3333333333333333}
    >>> magnitudes(np.zeros(0), np.zeros(0))['growth'] is None
    True

    Frankle & Carbin 2019, appendix F, compare initial and final weights inside and outside of
    tickets in pictures; the sign is Zhou et al. 2019.
    """
    # A sum of float32 depends on how it is split up; of float64 it is exact enough.
    b, a = np.asarray(before, np.float64).ravel(), np.asarray(after, np.float64).ravel()
    if not b.size:
        return {'count': 0, 'before': None, 'after': None, 'growth': None, 'sign_changed': None}
    return {
        'count': int(b.size),
        'before': float(np.abs(b).mean()),
        'after': float(np.abs(a).mean()),
        'growth': float((np.abs(a) - np.abs(b)).mean()),
        'sign_changed': float(np.mean(b * a < 0)),
    }


def edges(values: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Bin edges (bins + 1) from -m to m, m the largest magnitude (1 if all are 0).

    >>> edges(np.array([0.5, -2.0]), 4).tolist()
    [-2.0, -1.0, 0.0, 1.0, 2.0]
    """
    largest = float(np.max(np.abs(values), initial=0.0)) or 1.0
    return np.linspace(-largest, largest, bins + 1)


def histogram(values: np.ndarray, bins: np.ndarray) -> list[int]:
    """Number of values per bin; what lies beyond the edges counts in the outermost bins.

    Bins are half-open, [low, high), the last one closed.

    >>> histogram(np.array([-9.0, -0.5, 0.0, 0.5, 2.0]), np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))
    [1, 1, 2, 1]
    """
    clipped = np.clip(np.asarray(values, np.float64), bins[0], bins[-1])
    return np.histogram(clipped, bins)[0].tolist()


def compare(mask: Mask, initial: Arrays, final: Arrays) -> dict[str, dict[str, Row]]:
    """Kernel path (and 'all') -> `magnitudes` of 'survivors' and of 'pruned' weights.

    >>> found = compare(Mask({'a/kernel': [1, 0]}), {'a/kernel': np.array([1.0, -1.0])},
    ...                 {'a/kernel': np.array([3.0, 0.5])})
    >>> found['a/kernel']['survivors']['growth'], found['all']['pruned']['growth']
    (2.0, -0.5)
    >>> found['a/kernel']['pruned']['sign_changed']
    1.0

    Args:
      mask: True = survivor.
      initial, final: kernel path -> values in the shape of the mask.

    Raises:
      MaskError: arrays that do not fit the mask.
    """
    check_arrays(mask, initial, 'initial weights')
    check_arrays(mask, final, 'final weights')
    found: dict[str, dict[str, Row]] = {}
    groups = {path: [path] for path in mask} | {OVERALL: list(mask)}
    for name, paths in groups.items():
        found[name] = {}
        for kind in ('survivors', 'pruned'):
            chosen = {p: mask[p] if kind == 'survivors' else ~mask[p] for p in paths}
            before, after = (
                np.concatenate([np.asarray(values[p])[chosen[p]].ravel() for p in paths])
                for values in (initial, final)
            )
            found[name][kind] = magnitudes(before, after)
    return found


class Weights(Analysis):
    """Initial and final weights of survivors against pruned ones: size, growth, sign, histograms.

    `dense_*` columns follow the training of the dense network (step 0 to its end), whose weights
    are known inside and outside of the mask; `ticket_*` columns the ticket's own training.
    """

    name = 'weights'

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._edges: dict[str, np.ndarray] = {}

    def add(self, seen: Seen) -> None:
        mask, ticket = seen.mask, seen.result.ticket
        initial = {path: seen.initial[path] for path in mask}
        dense = {path: seen.dense.ticket.final[path] for path in mask}
        own = compare(mask, ticket.start(), ticket.final)
        for path, found in compare(mask, initial, dense).items():
            row: Row = {**seen.place, 'kernel': path}
            for kind in ('survivors', 'pruned'):
                row |= {f'dense_{key}_{kind}': value for key, value in found[kind].items()}
            row |= {f'ticket_{key}': value for key, value in own[path]['survivors'].items()}
            self.put('weights', row)
        for path in mask:
            kept, values = mask[path], (initial[path], dense[path])
            if path not in self._edges:  # shared by all rounds and replicates
                self._edges[path] = edges(np.concatenate([v.ravel() for v in values]))
            bins = self._edges[path]
            row = {**seen.place, 'kernel': path, 'edges': bins.tolist()}
            for moment, array in zip(('initial', 'dense_final'), values, strict=True):
                row[f'{moment}_survivors'] = histogram(array[kept], bins)
                row[f'{moment}_pruned'] = histogram(array[~kept], bins)
            row['ticket_final'] = histogram(ticket.final[path][kept], bins)
            self.put('weights_histograms', row)

    def draw(self, figure: Figure) -> None:
        rows, counts = self.tables['weights'], self.tables['weights_histograms']
        kernels = drawing.names_of(rows)
        shown = [kernels[i] for i in drawing.chosen(range(len(kernels)), PANELS)]
        replicate = rows[0]['replicate']
        numbers = drawing.chosen(sorted({row['round'] for row in rows}), CURVES)
        figure.set_size_inches(max(2.9 * len(shown), 5.8), 7.4)
        grid = figure.subplots(3, len(shown), squeeze=False)
        for column, path in enumerate(shown):
            mine = [r for r in counts if r['kernel'] == path and r['replicate'] == replicate]
            for line, (key, label) in enumerate(
                [('initial_survivors', 'initial weights'), ('ticket_final', 'final weights')]
            ):
                axes = grid[line, column]
                for shade, number in zip(drawing.shades(len(numbers)), numbers, strict=True):
                    row = next(r for r in mine if r['round'] == number)
                    _steps(axes, row['edges'], row[key], color=shade, label=_named(row))
                axes.set_xlabel(f'{label} of survivors')
                axes.set_yticks([])
                drawing.plain(axes)
            grid[0, column].set_title(drawing.short(path))
            self._growth(grid[2, column], [r for r in rows if r['kernel'] == path])
        for line, label in enumerate(
            ['share per bin', 'share per bin', 'growth of |w|, dense net']
        ):
            grid[line, 0].set_ylabel(label)
        grid[0, 0].legend(fontsize=7, frameon=False)
        grid[2, 0].legend(fontsize=7, frameon=False)
        left_out = len(kernels) - len(shown)
        more = f'; {left_out} more kernels in the tables' if left_out else ''
        text = f'distributions: replicate {replicate}; growth: {drawing.replicates(rows)}{more}'
        drawing.caption(figure, text)

    def _growth(self, axes: Any, rows: list[Row]) -> None:
        styles = [('survivors', '-', 'o', 0), ('pruned', '--', 's', 1)]
        for kind, dashes, marker, colour in styles:
            points = drawing.averaged(rows, f'dense_growth_{kind}')
            style = {'color': drawing.COLOURS[colour], 'marker': marker, 'markersize': 4}
            drawing.line(axes, points, linestyle=dashes, label=kind, **style)
        axes.axhline(0, color=drawing.MUTED, linewidth=0.8)
        drawing.plain(axes)
        drawing.density_axis(axes, rows, 3.5)


def _steps(axes: Any, bins: list[float], counts: list[int], **style: Any) -> None:
    total = max(sum(counts), 1)
    axes.stairs([count / total for count in counts], bins, linewidth=1.4, **style)


def _named(row: Row) -> str:
    return f'round {row["round"]}'
