"""Figures of the analyses: one style, told apart with any colour blindness, the same bytes."""

import io
import math
from collections.abc import Callable, Iterable, Sequence

import matplotlib
import numpy as np
from matplotlib import colormaps, ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lth_keras.analysis.base import OVERALL, Row
from lth_keras.report.axes import chosen, label_positions, show_percent
from lth_keras.report.style import COLOURS, DPI, MARKERS, MUTED, plain, say, settings

__all__ = ['COLOURS', 'MUTED', 'chosen', 'plain', 'say', 'show_percent']


def png(draw: Callable[[Figure], None]) -> bytes:
    """The PNG file of what `draw` draws; the same drawing gives the same bytes.

    A user's matplotlibrc changes nothing, and the file names no version.
    """
    with settings(9), matplotlib.rc_context({'axes.titlesize': 9.5}):
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.03, hspace=0.03)
        figure = Figure(figsize=(11.0, 4.6), dpi=DPI, layout=layout)
        FigureCanvasAgg(figure)
        draw(figure)
        stream = io.BytesIO()
        figure.savefig(stream, format='png', metadata={'Software': None})
    return stream.getvalue()


def layer_styles(names: Sequence[str]) -> dict[str, dict]:
    """Line styles of layers, first to last; of many layers the colour tells the depth."""
    many = len(names) > len(COLOURS)
    shades = colormaps['viridis'](np.linspace(0, 0.9, max(len(names), 1)))
    styles: dict[str, dict] = {
        name: {
            'color': shades[i] if many else COLOURS[i],
            'marker': '' if many else MARKERS[i],
            'linewidth': 1.0 if many else 1.5,
            'markersize': 4,
            'zorder': 3,
        }
        for i, name in enumerate(names)
    }
    styles[OVERALL] = {'color': 'black', 'marker': 'X', 'linewidth': 2.4, 'markersize': 6}
    styles[OVERALL]['zorder'] = 2.5  # behind the layers, so that a layer on it is seen
    return styles


def shades(count: int) -> np.ndarray:
    """Colours of ordered things, dark to light."""
    return colormaps['viridis'](np.linspace(0.0, 0.85, max(count, 1)))


def names_of(rows: Iterable[Row], column: str = 'kernel') -> list[str]:
    """The names in a column, in order of first appearance, without the overall one."""
    return [n for n in dict.fromkeys(row[column] for row in rows) if n != OVERALL]


def short(path: str) -> str:
    """A kernel path without the last part, as a label: 'dense_1/kernel' -> 'dense_1'.

    >>> short('block/conv/kernel'), short('all')
    ('block/conv', 'all')
    """
    return path.removesuffix('/kernel')


def averaged(rows: Iterable[Row], value: str, over: str = 'density') -> list[tuple[float, float]]:
    """(x, mean of `value`) per round, x the mean of `over`; rows without a value are left out.

    >>> rows = [dict(round=1, density=0.5, a=1.0), dict(round=1, density=0.5, a=2.0),
    ...         dict(round=0, density=1.0, a=None)]
    >>> averaged(rows, 'a')
    [(0.5, 1.5)]
    """
    groups: dict[int, list[Row]] = {}
    for row in rows:
        if row[value] is not None:
            groups.setdefault(row['round'], []).append(row)
    return [
        (float(np.mean([r[over] for r in g])), float(np.mean([r[value] for r in g])))
        for _, g in sorted(groups.items())
    ]


def line(axes: Axes, points: Sequence[tuple[float, float]], **style: object) -> None:
    """A line through (density, value) points; nothing without points."""
    if points:
        axes.plot(*zip(*points, strict=True), **style)  # type: ignore[arg-type]


def density_axis(axes: Axes, rows: Iterable[Row], room: float = 6.0) -> None:
    """A logarithmic axis from dense to sparse, with labels at the measured densities.

    Args:
      axes: the axes.
      rows: with 'density' in (0, 1].
      room: how many labels there is room for.
    """
    densities = sorted({row['density'] for row in rows if row['density'] > 0}, reverse=True)
    if not densities:
        return
    decades = max(math.log10(densities[0] / densities[-1]), 0.1)
    pad = 10 ** (0.05 * decades)
    axes.set_xscale('log')
    axes.set_xlim(densities[0] * pad, densities[-1] / pad)
    axes.xaxis.set_major_locator(ticker.FixedLocator(label_positions(densities, decades / room)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: show_percent(x)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlabel('weights kept (density)')


def log_values(axes: Axes) -> None:
    """A logarithmic y axis with plain percentages."""
    axes.set_yscale('log')
    axes.yaxis.set_major_locator(ticker.LogLocator(10, (1.0, 2.0, 3.0, 5.0, 7.0)))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda y, _: f'{100 * y:.3g}%'))
    axes.yaxis.set_minor_locator(ticker.NullLocator())


def legend(figure: Figure, axes: Axes, columns: int = 4) -> None:
    """One legend above all panels, of the labels in `axes`."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        columns = min(columns, len(handles))
        figure.legend(
            handles, labels, loc='outside upper center', ncols=columns, frameon=False, fontsize=8.5
        )


def height(inches: float, labels: Sequence[str], columns: int = 5) -> float:
    """The height of a figure with room for a legend of so many labels."""
    return inches + 0.17 * max(0, math.ceil(len(labels) / columns) - 1)


def caption(figure: Figure, text: str) -> None:
    """A grey sentence below all panels."""
    figure.supxlabel(text, fontsize=8.5, color=MUTED)


def replicates(rows: Sequence[Row], column: str = 'replicate') -> str:
    """'mean over n replicates' for a caption."""
    count = len({row[column] for row in rows})
    return 'one replicate' if count == 1 else f'mean over {count} replicates'
