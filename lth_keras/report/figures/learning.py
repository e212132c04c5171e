"""How networks learn: curves by step for some rounds."""

import functools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lth_keras.report import style
from lth_keras.report.curves import Band, band
from lth_keras.report.figures.base import (
    ReportFigure,
    chosen_rounds,
    fit,
    label_of,
    mean_over,
    upper,
)
from lth_keras.report.summary import REINIT, TICKET

POINTS = 300  # of a curve in a figure: more cannot be seen


class _Learning(ReportFigure):
    """Curves of tickets of some rounds, and of the re-initialised network at one of them."""

    column: str
    label: str

    @property
    def missing(self) -> str:
        if not self.book.rows:
            return 'no training has finished'
        return '' if self.bands else self.without_curves

    @functools.cached_property
    def bands(self) -> list[tuple[str, int, int, Band]]:
        """(variant, round, place among the rounds, curve)."""
        rounds = chosen_rounds(self.book)
        wanted = [(TICKET, r) for r in rounds]
        with_control = [r for r in rounds if self.book.rows_of(r, REINIT)]
        wanted += [(REINIT, r) for r in with_control[-1:]]
        found = []
        for variant, number in wanted:
            rows = self.book.rows_of(number, variant)
            curve = band(self.book.curves.per_replicate(rows), self.column)
            if curve is not None:
                found.append((variant, number, rounds.index(number), curve))
        return found

    def draw(self, figure: Figure) -> None:
        axes = figure.subplots()
        seen = []
        for variant, number, place, curve in self.bands:
            colour = style.COLOURS[place % len(style.COLOURS)]
            label = label_of(self.book, number)
            keep = np.unique(np.linspace(0, len(curve.steps) - 1, POINTS).astype(int))
            steps = curve.steps[keep]
            if variant == TICKET and curve.low is not None:
                ends = curve.low[keep], curve.high[keep]
                axes.fill_between(steps, *ends, color=colour, alpha=0.18, linewidth=0)
            axes.plot(
                steps,
                curve.mean[keep],
                color=colour,
                linewidth=1.5,
                linestyle='-' if variant == TICKET else (0, (4, 1.5)),
                label=label if variant == TICKET else f'{variant}, {label}',
            )
            seen.append(curve)
        self._zoom(axes, seen)
        axes.set_xlabel('steps since initialisation')
        axes.set_ylabel(self.label)
        axes.margins(x=0.01)
        style.plain(axes)
        style.legend(figure, axes, self.size[0], 8.5)

    def _zoom(self, axes: Axes, curves: list[Band]) -> None:
        """The first tenth of training would squeeze all the rest into a line."""
        late = [c.mean[c.steps >= 0.1 * c.steps[-1]] for c in curves]
        values = np.concatenate([v[np.isfinite(v)] for v in late])
        if values.size:
            fit(axes, float(values.min()), float(values.max()))

    @property
    def caption(self) -> str:
        counts = sorted({curve.replicates for *_, curve in self.bands})
        shade = '; shaded: 95% t-interval of the tickets at each step' if counts[-1] > 1 else ''
        return (
            f'{upper(mean_over(counts))}{shade}. The vertical axis shows what follows the first '
            'tenth of training.'
        )


class ValidationAccuracy(_Learning):
    """Validation accuracy by step for some rounds, and for re-initialised weights."""

    name = 'validation_accuracy'
    title = 'Validation accuracy while training'
    column, label = 'validation_accuracy', 'validation accuracy'


class ValidationLoss(_Learning):
    """Validation loss by step for some rounds: its minimum is the early-stop iteration."""

    name = 'validation_loss'
    title = 'Validation loss while training'
    column, label = 'validation_loss', 'validation loss'


class AccuracyOnTest(_Learning):
    """Test accuracy by step for some rounds, of runs with --test_curve."""

    name = 'test_accuracy'
    title = 'Test accuracy while training'
    column, label = 'test_accuracy', 'test accuracy'

    @property
    def without_curves(self) -> str:
        if not self.book.stored:
            return super().without_curves
        return 'test accuracy was not evaluated while training: --test_curve does it'
