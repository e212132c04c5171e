"""Several runs in one figure, and what papers publish beside them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lth_keras.report import style
from lth_keras.report.axes import density_axis, show_percent
from lth_keras.report.comparing import Line
from lth_keras.report.evidence import DENSE
from lth_keras.report.figures.base import SIZE
from lth_keras.report.published import (
    GAIN,
    PAPER,
    SECONDARY,
    SPEEDUP,
    UNVERIFIED,
    Point,
    points_of,
)
from lth_keras.report.summary import low_to_high
from lth_keras.verdict import Interval

FILLS = {PAPER: 'full', SECONDARY: 'left', UNVERIFIED: 'none'}


@dataclasses.dataclass(frozen=True)
class Comparing:
    """A figure over several runs, or of one run beside what is published.

    Attributes:
        name: of its files.
        title: above it.
        lines: the runs.
        measure: 'accuracy', 'early_stop', 'gain' or 'speedup'.
    """

    name: str
    title: str
    lines: Sequence[Line]
    measure: str

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches, with room for a legend of so many runs."""
        labels = [*(_cut(line.label) for line in self.lines), *(p.sure for p in self.points)]
        columns = style.columns(labels, SIZE[0], 8.5)
        return SIZE[0], SIZE[1] + 0.17 * max(0, -(-len(labels) // columns) - 2)

    @property
    def points(self) -> list[Point]:
        """What is published for these runs; nothing where they are of several networks."""
        found = {points_of(line.book.settings) for line in self.lines}
        return [p for p in found.pop() if p.measure == self.measure] if len(found) == 1 else []

    def draw(self, figure: Figure) -> None:
        """Draws it onto an empty figure."""
        axes, densities = figure.subplots(), []
        for i, line in enumerate(self.lines):
            drawn = self._of(line)
            densities += [density for density, *_ in drawn]
            self._line(axes, i, _cut(line.label), drawn)
        if self.measure in (GAIN, SPEEDUP):
            axes.axhline(self.measure == SPEEDUP, color=style.MUTED, linewidth=1, linestyle='--')
        for point in self.points:
            axes.plot(
                [point.density],
                [point.value],
                marker='*',
                markersize=13,
                linestyle='none',
                color='black',
                fillstyle=FILLS[point.sure],
                label=f'published ({point.sure})',
                zorder=4,
            )
        densities += [point.density for point in self.points]
        axes.set_ylabel(_LABELS[self.measure])
        axes.margins(y=0.1)
        if self.measure in (SPEEDUP, 'early_stop'):
            axes.set_ylim(bottom=0)
        style.plain(axes)
        density_axis(axes, densities, self.size[0])
        _unique(figure, axes, self.size[0])

    def _of(self, line: Line) -> list[tuple[float, float, float | None, float | None]]:
        """(density, mean, low, high) per round."""
        if self.measure in (GAIN, SPEEDUP):
            found = [c for c in line.book.comparisons if c.against == DENSE]
            gain = self.measure == GAIN
            scale = 100 if gain else 1
            return [(c.density, *_scaled(c.accuracy if gain else c.sooner, scale)) for c in found]
        name = {'accuracy': 'test_accuracy', 'early_stop': 'early_stop_step'}[self.measure]
        measures = [(s.density, getattr(s, name)) for s in line.book.tickets]
        return [(density, m.mean, m.low, m.high) for density, m in measures]

    def _line(self, axes: Axes, i: int, label: str, drawn: Sequence[tuple]) -> None:
        drawn = sorted(drawn, key=lambda point: -point[0])
        # An interval of ratios is not symmetric.
        ends = [
            (0, 0) if low is None else (mean - low, high - mean) for _, mean, low, high in drawn
        ]
        bars = np.array(ends, float).reshape(-1, 2).T
        axes.errorbar(
            [point[0] for point in drawn],
            [point[1] for point in drawn],
            yerr=bars if bars.any() else None,
            capsize=2.5,
            elinewidth=1,
            linewidth=1.5,
            markersize=4.5,
            color=style.COLOURS[i % len(style.COLOURS)],
            marker=style.MARKERS[i % len(style.MARKERS)],
            # More runs than colours: the dashes go on.
            linestyle=('-', (0, (4, 1.5)), ':')[i // len(style.COLOURS) % 3],
            label=label,
        )

    @property
    def caption(self) -> str:
        """What lines, bars and stars are."""
        text = 'Tickets; error bars: 95% t-intervals over replicates, none with one replicate.'
        if self.points:
            notes = '; '.join(f'{show_percent(p.density)}: {p.note}' for p in self.points if p.note)
            sources = ', '.join(dict.fromkeys(point.source for point in self.points))
            text += f' Stars: {sources} ({notes}).'
        return text

    @property
    def note(self) -> str:
        """How many replicates; the bars are named in the caption."""
        counts = [len(line.book.replicates) for line in self.lines]
        count = f'n = {low_to_high(counts, "-")}'
        return count if max(counts) == 1 else f'{count}, 95% t-intervals'

    @property
    def table(self) -> list[dict[str, object]]:
        """The published points."""
        return [dataclasses.asdict(point) for point in self.points]


_LABELS = {
    'accuracy': 'test accuracy at early stop',
    'early_stop': 'early-stop iteration (steps)',
    GAIN: 'accuracy, ticket − dense (pp)',
    SPEEDUP: 'early stop, dense / ticket',
}


def _cut(label: str, most: int = 30) -> str:
    """A label that leaves room for others in a legend.

    >>> _cut('a' * 40)
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaa…'
    """
    return label if len(label) <= most else f'{label[: most - 1]}…'


def _scaled(value: Interval, scale: float) -> tuple[float, float | None, float | None]:
    low, high = (None if end is None else scale * end for end in (value.low, value.high))
    return scale * value.mean, low, high


def _unique(figure: Figure, axes: Axes, width: float) -> None:
    """A legend that names each kind of star once."""
    handles, labels = axes.get_legend_handles_labels()
    kept = dict(zip(reversed(labels), reversed(handles), strict=True))
    for handle, label in zip(handles, labels, strict=True):
        if kept[label] is not handle:
            handle.set_label('_nolegend_')
    style.legend(figure, axes, width, 8.5)


def figures(found: Sequence[Line]) -> list[Comparing]:
    """The figures over these runs; for one run, those that have published points beside them."""
    several = [
        Comparing('runs_accuracy', 'Test accuracy of the tickets', found, 'accuracy'),
        Comparing('runs_early_stop', 'Early stop of the tickets', found, 'early_stop'),
    ]
    relative = [
        Comparing('gain', 'Accuracy gained over the dense network', found, GAIN),
        Comparing('speedup', 'How many times sooner than the dense network', found, SPEEDUP),
    ]
    if len(found) > 1:
        return [*several, *relative]
    return [figure for figure in relative if figure.points]
