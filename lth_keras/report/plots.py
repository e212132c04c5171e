"""Accuracy and early-stop iteration against density, as PNG files."""

import io
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lth_keras import errors, verdict
from lth_keras.report import style
from lth_keras.report.axes import decades, density_axis
from lth_keras.report.summary import TICKET, Summary, low_to_high, order

DENSE = 'dense network (mean)'

Panel = Callable[[Axes, Sequence[Summary]], None]


def plot_files(summaries: Sequence[Summary]) -> dict[str, bytes]:
    """Test accuracy and early stop against density as {file name: PNG}; result.png has both.

    The line of tickets, one line per control, the dense network's mean as a dashed line; error
    bars are 95% t-intervals over replicates. The same summaries give the same bytes.

    Args:
        summaries: as `summarise` gives them, at least one.

    Raises:
        LotteryError: nothing to plot.

    Frankle and Carbin, "The Lottery Ticket Hypothesis" (2019), figures 3 and 4.
    """
    return {
        'accuracy.png': render(summaries, [accuracy_panel]),
        'early_stop.png': render(summaries, [early_stop_panel]),
        'result.png': result_png(summaries),
    }


def result_png(summaries: Sequence[Summary]) -> bytes:
    """Both panels side by side, made for a README."""
    return render(summaries, [accuracy_panel, early_stop_panel])


def render(summaries: Sequence[Summary], panels: Sequence[Panel]) -> bytes:
    """PNG bytes of the panels beside each other, under one legend and above one caption."""
    if not summaries:
        raise errors.LotteryError('expected at least one training to plot, received none')
    # A user's matplotlibrc would change the bytes; pyplot's global figure list stays untouched.
    with style.settings(10):
        size = (6.4, 4.4) if len(panels) == 1 else (11.0, 4.6)
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06, wspace=0.03)
        figure = Figure(figsize=size, dpi=style.DPI, layout=layout)
        FigureCanvasAgg(figure)
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(grid, panels, strict=True):
            panel(axes, summaries)
            density_axis(axes, [s.density for s in summaries], size[0] / len(panels))
        style.legend(figure, grid[0], size[0], last=DENSE)
        figure.supxlabel(caption(summaries), fontsize=8.5, color=style.MUTED)
        stream = io.BytesIO()
        # Without the default entry the file would name matplotlib's version.
        figure.savefig(stream, format='png', metadata={'Software': None})
    return stream.getvalue()


def accuracy_panel(axes: Axes, summaries: Sequence[Summary]) -> None:
    """Test accuracy at the early-stop iteration, a line per variant."""
    _lines(axes, summaries, 'test_accuracy')
    axes.set_ylabel('test accuracy at early stop')
    low, high = axes.get_ylim()
    # An interval of few replicates can leave [0, 1]; the bar is cut off, the curves stay legible.
    axes.set_ylim(max(low, -0.02), min(high, 1 + 0.02 * (1 - max(low, 0))))


def early_stop_panel(axes: Axes, summaries: Sequence[Summary]) -> None:
    """The early-stop iteration, a line per variant."""
    _lines(axes, summaries, 'early_stop_step')
    axes.set_ylabel('early-stop iteration (steps)')
    _, high = axes.get_ylim()
    axes.set_ylim(0, max(high, 1))


def variant_styles(variants: Sequence[str]) -> dict[str, dict]:
    """How the lines of ticket and controls look: the same in every figure of a report."""
    styles: dict[str, dict] = {}
    for i, name in enumerate(variants):
        styles[name] = {
            'color': style.COLOURS[i % len(style.COLOURS)],
            'marker': style.MARKERS[i % len(style.MARKERS)],
            'linestyle': '-' if name == TICKET else (0, (4, 1.5)),
            'zorder': 3 if name == TICKET else 2.5,
        }
    return styles


def _lines(axes: Axes, summaries: Sequence[Summary], name: str) -> None:
    variants = order(s.variant for s in summaries)
    looks = variant_styles(variants)
    dodge = decades(s.density for s in summaries) * 0.006
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
            label=variant,
            **looks[variant],
        )
    dense = [s for s in summaries if s.round == 0 and s.variant == TICKET]
    if dense:
        mean = getattr(dense[0], name).mean
        axes.axhline(mean, color=style.MUTED, linewidth=1.1, linestyle='--', label=DENSE, zorder=2)
    axes.margins(y=0.08)
    style.plain(axes)


def caption(summaries: Sequence[Summary]) -> str:
    """What the points and the bars of a figure are."""
    counts = sorted({s.replicates for s in summaries})
    if counts == [1]:
        return verdict.ONE_REPLICATE
    count = low_to_high(n for n in counts if n > 1)
    alone = '; no bar: one replicate' if counts[0] == 1 else ''
    return f'mean over {count} replicates; error bars: 95% t-interval{alone}'
