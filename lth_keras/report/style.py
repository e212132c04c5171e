"""How every figure looks: one palette, and PNG and SVG of the same drawing, the same bytes."""

import contextlib
import dataclasses
import io
from collections.abc import Callable, Iterator, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito's palette, then two of Tol's: told apart with every common colour blindness.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#882255', '#999933')
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X', '<')
MUTED, GRID = '0.35', '0.9'
DPI = 150


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One figure as a file for the screen and one for print."""

    png: bytes
    svg: str


@contextlib.contextmanager
def settings(font_size: float = 9.0) -> Iterator[None]:
    """Matplotlib's own defaults, but for the size: a user's matplotlibrc changes nothing inside."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                'font.size': font_size,
                'axes.axisbelow': True,
                # The same drawing gives the same identifiers.
                'svg.hashsalt': 'lth_keras',
            }
        )
        yield


def draw(paint: Callable[[Figure], None], size: tuple[float, float]) -> Drawing:
    """What `paint` draws onto an empty figure; the same drawing gives the same bytes.

    Args:
      paint: draws; it may change the size.
      size: width and height in inches.
    """
    with settings():
        layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.03)
        # pyplot's global list of figures stays untouched.
        figure = Figure(figsize=size, dpi=DPI, layout=layout)
        FigureCanvasAgg(figure)
        paint(figure)
        raster, vector = io.BytesIO(), io.StringIO()
        # Without the default entries the files would name matplotlib's version and the date.
        figure.savefig(raster, format='png', metadata={'Software': None})
        # One layout serves both files.
        figure.set_layout_engine('none')
        figure.savefig(vector, format='svg', metadata={'Date': None, 'Creator': None})
    return Drawing(raster.getvalue(), vector.getvalue())


def plain(axes: Axes) -> None:
    """No box, light horizontal lines."""
    axes.grid(axis='y', color=GRID)
    axes.spines[['top', 'right']].set_visible(False)


def say(axes: Axes, text: str) -> None:
    """A sentence in the place of a panel that has nothing to show."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha='center', va='center', wrap=True, color=MUTED)


def legend(figure: Figure, axes: Axes, width: float, size: float = 10.0, last: str = '') -> None:
    """One legend above all panels, of the labels in `axes`; the label `last` comes last."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    # Error bars are listed after plain lines whatever the order of drawing.
    order = sorted(range(len(labels)), key=lambda i: labels[i] == last)
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc='outside upper center',
        ncols=columns([labels[i] for i in order], width, size),
        frameon=False,
        fontsize=size,
    )


def columns(labels: Sequence[str], width: float, size: float) -> int:
    """The most columns that fit `width` inches; a legend is filled column by column."""
    for columns in range(len(labels), 1, -1):
        # As matplotlib fills them: the first columns are the longer ones.
        longest = [max(map(len, part)) for part in np.array_split(labels, columns)]
        # Points: the text, then line and gap.
        if sum(0.6 * size * n + 5.5 * size for n in longest) <= 72 * width:
            return columns
    return 1
