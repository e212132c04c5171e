"""Where the pruning happens."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, ticker
from matplotlib.figure import Figure

from lth_keras.report import style
from lth_keras.report.axes import density_axis
from lth_keras.report.figures.base import ReportFigure, mean_over, upper
from lth_keras.report.summary import TICKET

ENDS = ('min', 'max')
NAMED = len(
    style.COLOURS
)  # lines that a legend names; of more layers it names the first and the last


class Layers(ReportFigure):
    """Density of each pruned layer against that of the network, over rounds."""

    name = 'layers'
    title = 'Layer densities over rounds'

    @property
    def missing(self) -> str:
        return '' if self.table else 'the records have no counts per layer'

    @functools.cached_property
    def table(self) -> Sequence[Mapping[str, Any]]:
        rows = []
        for summary in self.book.tickets:
            counts: dict[str, list[float]] = {}
            for row in self.book.rows_of(summary.round, TICKET):
                for path, count in row.get('layers', {}).items():
                    counts.setdefault(path, []).append(count['kept'] / max(count['size'], 1))
            for path, shares in counts.items():
                rows.append(
                    {
                        'round': summary.round,
                        'density': summary.density,
                        'layer': path,
                        'layer_density_mean': float(np.mean(shares)),
                        'layer_density_min': min(shares),
                        'layer_density_max': max(shares),
                    }
                )
        return rows

    def draw(self, figure: Figure) -> None:
        axes, rows = figure.subplots(), self.table
        paths = list(dict.fromkeys(row['layer'] for row in rows))
        many = len(paths) > NAMED
        shades = colormaps['viridis'](np.linspace(0, 0.88, len(paths)))
        for i, path in enumerate(paths):
            mine = [row for row in rows if row['layer'] == path]
            named = not many or i in (0, len(paths) - 1)
            (line,) = axes.plot(
                [row['density'] for row in mine],
                [row['layer_density_mean'] for row in mine],
                color=shades[i] if many else style.COLOURS[i % len(style.COLOURS)],
                marker='' if many else style.MARKERS[i % len(style.MARKERS)],
                markersize=4,
                linewidth=1.1 if many else 1.5,
                label=path.removesuffix('/kernel') if named else None,
            )
            if not many:
                xs = [row['density'] for row in mine]
                low, high = ([row[f'layer_density_{end}'] for row in mine] for end in ENDS)
                axes.fill_between(xs, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        axes.set_yscale('log')
        axes.yaxis.set_major_locator(ticker.LogLocator(10, (1.0, 2.0, 3.0, 5.0)))
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda y, _: f'{100 * y:.3g}%'))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
        axes.set_ylabel('weights kept in the layer')
        style.plain(axes)
        density_axis(axes, [row['density'] for row in rows], self.size[0])
        style.legend(figure, axes, self.size[0], 8.5)

    @property
    def caption(self) -> str:
        paths = {row['layer'] for row in self.table}
        more = f' {len(paths)} layers, from first (dark) to last.' if len(paths) > NAMED else ''
        counts = [summary.replicates for summary in self.book.tickets]
        shade = '; shaded: minimum to maximum' if not more and max(counts) > 1 else ''
        alike = ' Layers of equal density lie on one line.' if self._coincide else ''
        return f'{upper(mean_over(counts))}{shade}.{more}{alike}'

    @property
    def note(self) -> str:
        return super().note.replace('95% t-intervals', 'minimum to maximum')

    @property
    def _coincide(self) -> bool:
        """Whether two layers have equal densities in every round, to a hundredth of them."""
        lines: dict[str, list[float]] = {}
        for row in self.table:
            lines.setdefault(row['layer'], []).append(row['layer_density_mean'])
        pairs = itertools.combinations(lines.values(), 2)
        return any(np.allclose(a, b, rtol=0.01) for a, b in pairs if len(a) == len(b))
