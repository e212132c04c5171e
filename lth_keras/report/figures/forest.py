"""The evidence of every verdict in one picture."""

from typing import Any

from matplotlib.figure import Figure

from lth_keras import verdict
from lth_keras.report import style
from lth_keras.report.axes import density_axis
from lth_keras.report.evidence import DENSE
from lth_keras.report.figures.base import ReportFigure

OPEN = 'undecided: no reinit'
# Told apart by shape and filling too.
LOOKS: dict[str, dict[str, Any]] = {
    verdict.WINNING: {'color': style.COLOURS[2], 'marker': 'o', 'fillstyle': 'full'},
    OPEN: {'color': style.MUTED, 'marker': '.', 'fillstyle': 'full'},
    verdict.UNDECIDED: {'color': style.MUTED, 'marker': 's', 'fillstyle': 'none'},
    verdict.NOT_WINNING: {'color': style.COLOURS[1], 'marker': 'X', 'fillstyle': 'full'},
}


class Forest(ReportFigure):
    """Ticket minus dense test accuracy per density, with its interval, the margin, the verdict."""

    name = 'verdicts'
    title = 'Ticket against dense, and the verdicts'

    @property
    def missing(self) -> str:
        found = any(c.against == DENSE for c in self.book.comparisons)
        return '' if found else 'no ticket can be compared with the dense network yet'

    def draw(self, figure: Figure) -> None:
        axes = figure.subplots()
        judged = [s for s in self.book.tickets if s.verdict]
        names = {
            s.round: OPEN if s.verdict.reason == verdict.NO_REINIT else s.verdict.name
            for s in judged
        }
        found = [c for c in self.book.comparisons if c.against == DENSE]
        for name, look in LOOKS.items():
            mine = [c for c in found if names.get(c.round) == name]
            if not mine:
                continue
            halves = [
                0.0 if c.accuracy.low is None else 50 * (c.accuracy.high - c.accuracy.low)
                for c in mine
            ]
            axes.errorbar(
                [c.density for c in mine],
                [100 * c.accuracy.mean for c in mine],
                yerr=halves if any(halves) else None,
                linestyle='none',
                capsize=3,
                markersize=6,
                elinewidth=1.2,
                label=name,
                **look,
            )
        axes.axhline(0, color=style.MUTED, linewidth=1.1, linestyle='--')
        axes.axhline(-100 * self.book.margin, color=style.COLOURS[1], linewidth=1.1, linestyle=':')
        axes.annotate(
            'margin',
            (1, -100 * self.book.margin),
            xycoords=('axes fraction', 'data'),
            xytext=(-2, 2),
            textcoords='offset points',
            ha='right',
            va='bottom',
            fontsize=8,
            color=style.COLOURS[1],
            bbox={'facecolor': 'white', 'edgecolor': 'none', 'pad': 0.5},
            zorder=5,
        )
        axes.set_ylabel('accuracy, ticket − dense (pp)')
        style.plain(axes)
        density_axis(axes, [c.density for c in found], self.size[0])
        style.legend(figure, axes, self.size[0], 8.5)

    @property
    def caption(self) -> str:
        several = any(c.replicates > 1 for c in self.book.comparisons)
        bars = 'bars: 95% t-intervals' if several else 'one replicate: no intervals'
        return (
            f'Differences paired by replicate; {bars}. A winning ticket stays above the margin, '
            'stops no later on average, and beats random re-initialisation.'
        )
