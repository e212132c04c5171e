"""Accuracy and early-stop iteration against density, as PNG files."""

import io
import math
import pathlib
from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lth_keras import errors, verdict
from lth_keras.report.summary import TICKET, Summary

# Okabe and Ito's palette: told apart with every common colour blindness. The ticket comes first.
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_DENSE = 'dense network (mean)'
_DPI = 150

Path = str | pathlib.Path
Panel = Callable[[Axes, Sequence[Summary]], None]


def plot_accuracy(summaries: Sequence[Summary], path: Path) -> None:
    """Writes test accuracy at the early-stop iteration against density.

    The line of tickets, one line per control, the dense network's mean as a dashed line; error
    bars are 95% t-intervals over replicates. The same summaries give the same bytes.

    Args:
        summaries: as `summarise` gives them, at least one.
        path: of the PNG file.

    Raises:
        LotteryError: nothing to plot.

    Frankle and Carbin, "The Lottery Ticket Hypothesis" (2019), figures 3 and 4.
    """
    pathlib.Path(path).write_bytes(render(summaries, [_accuracy]))


def plot_early_stop(summaries: Sequence[Summary], path: Path) -> None:
    """Writes the early-stop iteration against density; else as `plot_accuracy`."""
    pathlib.Path(path).write_bytes(render(summaries, [_early_stop]))


def write_plots(summaries: Sequence[Summary], directory: Path) -> None:
    """Writes `accuracy.png`, `early_stop.png` and both side by side as `result.png`."""
    for name, content in plot_files(summaries).items():
        (pathlib.Path(directory) / name).write_bytes(content)


def plot_files(summaries: Sequence[Summary]) -> dict[str, bytes]:
    """The three plots as {file name: PNG bytes}, for a caller that writes atomically."""
    return {
        'accuracy.png': render(summaries, [_accuracy]),
        'early_stop.png': render(summaries, [_early_stop]),
        'result.png': result_png(summaries),
    }


def result_png(summaries: Sequence[Summary]) -> bytes:
    """Both panels side by side, made for a README."""
    return render(summaries, [_accuracy, _early_stop])


def render(summaries: Sequence[Summary], panels: Sequence[Panel]) -> bytes:
    """PNG bytes of the panels beside each other, under one legend and above one caption."""
    if not summaries:
        raise errors.LotteryError('expected at least one training to plot, received none')
    # A user's matplotlibrc would change the bytes; pyplot's global figure list stays untouched.
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({'font.size': 10, 'axes.axisbelow': True})
        size = (6.4, 4.4) if len(panels) == 1 else (11.0, 4.6)
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06, wspace=0.03)
        figure = Figure(figsize=size, dpi=_DPI, layout=layout)
        FigureCanvasAgg(figure)
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(grid, panels, strict=True):
            panel(axes, summaries)
            _density_axis(axes, summaries, size[0] / len(panels))
        handles, labels = grid[0].get_legend_handles_labels()
        dense = labels.index(_DENSE) if _DENSE in labels else len(labels)
        # Error bars are listed after plain lines whatever the order of drawing.
        handles = handles[:dense] + handles[dense + 1 :] + handles[dense : dense + 1]
        labels = labels[:dense] + labels[dense + 1 :] + labels[dense : dense + 1]
        columns = _legend_columns(labels, size[0])
        figure.legend(handles, labels, loc='outside upper center', ncols=columns, frameon=False)
        figure.supxlabel(_caption(summaries), fontsize=8.5, color='0.35')
        stream = io.BytesIO()
        # Without the default entry the file would name matplotlib's version.
        figure.savefig(stream, format='png', metadata={'Software': None})
    return stream.getvalue()


def label_positions(densities: Sequence[float], gap: float) -> list[float]:
    """The densities that get a label: none nearer than `gap` decades, the ends before others.

    Args:
        densities: measured densities in (0, 1].
        gap: least distance of two labels in log10(density).

    >>> label_positions([1.0, 0.8, 0.64, 0.512, 0.41], gap=0.15)
    [1.0, 0.64, 0.41]
    """
    ordered = sorted(set(densities), reverse=True)

    def apart(a: float, b: float) -> bool:
        return math.log10(a / b) >= gap - 1e-9

    greedy = ordered[:1]
    for density in ordered[1:]:
        if apart(greedy[-1], density):
            greedy.append(density)
    chosen = greedy
    # Every k-th reads better than the nearest that fits, unless the spacing is too uneven for it.
    for k in range(1, len(ordered) + 1):
        regular = ordered[::k]
        if all(map(apart, regular, regular[1:])):
            chosen = regular if len(regular) >= 0.7 * len(greedy) else greedy
            break
    last = ordered[-1]
    if chosen[-1] == last:
        return chosen
    if len(chosen) > 1 and not apart(chosen[-1], last):
        chosen = chosen[:-1]
    # Without room for two labels the lower end goes unlabelled.
    return [*chosen, last] if apart(chosen[-1], last) else chosen


def show_percent(density: float) -> str:
    """A density as a plain number with three significant digits.

    >>> show_percent(1.0), show_percent(0.64), show_percent(0.00378)
    ('100%', '64.0%', '0.378%')
    """
    return f'{100 * density:#.3g}'.rstrip('.') + '%'


def _accuracy(axes: Axes, summaries: Sequence[Summary]) -> None:
    _lines(axes, summaries, 'test_accuracy')
    axes.set_ylabel('test accuracy at early stop')
    low, high = axes.get_ylim()
    # An interval of few replicates can leave [0, 1]; the bar is cut off, the curves stay legible.
    axes.set_ylim(max(low, -0.02), min(high, 1 + 0.02 * (1 - max(low, 0))))


def _early_stop(axes: Axes, summaries: Sequence[Summary]) -> None:
    _lines(axes, summaries, 'early_stop_step')
    axes.set_ylabel('early-stop iteration (steps)')
    _, high = axes.get_ylim()
    axes.set_ylim(0, max(high, 1))


def _lines(axes: Axes, summaries: Sequence[Summary], name: str) -> None:
    variants = sorted({s.variant for s in summaries}, key=lambda v: (v != TICKET, v))
    dodge = _decades(summaries) * 0.006
    for i, variant in enumerate(variants):
        points = sorted((s for s in summaries if s.variant == variant), key=lambda s: -s.density)
        measures = [getattr(s, name) for s in points]
        bars = [m.half_width or 0 for m in measures]
        # Side by side, so that the bars of ticket and control do not hide each other.
        shift = 10 ** (-dodge * ((i + 1) // 2) * (-1) ** i)
        axes.errorbar(
            [s.density * shift for s in points],
            [m.mean for m in measures],
            yerr=bars if any(bars) else None,
            capsize=3,
            elinewidth=1.1,
            linewidth=1.6,
            markersize=4.5,
            linestyle='-' if variant == TICKET else (0, (4, 1.5)),
            color=_COLOURS[i % len(_COLOURS)] if variant != TICKET else _COLOURS[0],
            marker=_MARKERS[i % len(_MARKERS)],
            label=variant,
            zorder=3 if variant == TICKET else 2.5,
        )
    dense = [s for s in summaries if s.round == 0 and s.variant == TICKET]
    if dense:
        mean = getattr(dense[0], name).mean
        axes.axhline(mean, color='0.35', linewidth=1.1, linestyle='--', label=_DENSE, zorder=2)
    axes.grid(axis='y', color='0.9')
    axes.margins(y=0.08)
    axes.spines[['top', 'right']].set_visible(False)


def _density_axis(axes: Axes, summaries: Sequence[Summary], width: float) -> None:
    """Ticks at the densities; those for which a panel `width` inches wide has room are labelled."""
    densities = [s.density for s in summaries]
    decades = _decades(summaries)
    axes.set_xscale('log')
    pad = 10 ** (0.04 * decades)
    axes.set_xlim(max(densities) * pad, min(densities) / pad)
    points = 72 * (width - 1.0)  # 1 inch for the y axis and the margins
    # A character of a tick label is 5.3 points wide; 8 points keep two labels apart.
    label = 5.3 * max(len(show_percent(density)) for density in densities) + 8
    labelled = label_positions(densities, decades * 1.08 * label / points)
    axes.xaxis.set_major_locator(ticker.FixedLocator(labelled))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: show_percent(x)))
    others = sorted(set(densities) - set(labelled))
    axes.xaxis.set_minor_locator(ticker.FixedLocator(others))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.tick_params(axis='x', labelsize=9)
    axes.set_xlabel('weights kept (density)')


def _decades(summaries: Sequence[Summary]) -> float:
    """Width of the density range in log10; that of one pruning round if there is one density."""
    densities = [s.density for s in summaries]
    return max(math.log10(max(densities) / min(densities)), 0.1)


def _legend_columns(labels: Sequence[str], width: float) -> int:
    """The most columns that fit `width` inches; a legend is filled column by column."""
    for columns in range(len(labels), 1, -1):
        # As matplotlib fills them: the first columns are the longer ones.
        longest = [max(map(len, part)) for part in np.array_split(labels, columns)]
        if sum(6 * n + 55 for n in longest) <= 72 * width:  # points: text, then line and gap
            return columns
    return 1


def _caption(summaries: Sequence[Summary]) -> str:
    counts = sorted({s.replicates for s in summaries})
    if counts == [1]:
        return verdict.ONE_REPLICATE
    several = [n for n in counts if n > 1]
    count = f'{several[0]}' if len(several) == 1 else f'{several[0]} to {several[-1]}'
    alone = '; no bar: one replicate' if counts[0] == 1 else ''
    return f'mean over {count} replicates; error bars: 95% t-interval{alone}'
