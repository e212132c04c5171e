"""How far networks do better on what they have seen."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras import verdict
from lth_keras.report import style
from lth_keras.report.axes import density_axis
from lth_keras.report.figures.base import ReportFigure
from lth_keras.report.plots import variant_styles

SHOWN = 2  # variants, two lines each
EARLY, END = 'early stop', 'end of training'


class Gap(ReportFigure):
    """Training minus test accuracy, at early stop and at the end of training, against density."""

    name = 'gap'
    title = 'Generalisation gap (train − test accuracy)'

    @property
    def missing(self) -> str:
        return '' if self._points else self.without_curves

    @functools.cached_property
    def _points(self) -> list[dict]:
        """One per round, variant and moment: the gap over replicates, in percentage points."""
        found = []
        for summary in self.book.summaries:
            by_moment: dict[str, dict[int, list[float]]] = {EARLY: {}, END: {}}
            for row in self.book.rows_of(summary.round, summary.variant):
                curve = self.book.curves.of(row.get('stage', ''))
                if curve is None or 'train_accuracy' not in curve:
                    continue
                steps, train = curve['step'], curve['train_accuracy']
                for moment, step, test in (
                    (EARLY, row['early_stop_step'], row['test_accuracy']),
                    (END, steps[-1], row['final_test_accuracy']),
                ):
                    at = int(np.searchsorted(steps, step))
                    if at < len(steps) and steps[at] == step and np.isfinite(train[at]):
                        draws = by_moment[moment].setdefault(row['replicate'], [])
                        draws.append(100 * float(train[at] - test))
            for moment, replicates in by_moment.items():
                if replicates:
                    values = [float(np.mean(draws)) for draws in replicates.values()]
                    mean, low, high = verdict.interval(values)
                    found.append(
                        {
                            'round': summary.round,
                            'density': summary.density,
                            'variant': summary.variant,
                            'moment': moment,
                            'replicates': len(values),
                            'gap_pp': mean,
                            'low': low,
                            'high': high,
                        }
                    )
        return found

    def draw(self, figure: Figure) -> None:
        axes = figure.subplots()
        looks = variant_styles(self.book.variants)
        for variant in self.book.variants[:SHOWN]:
            for moment in (EARLY, END):
                mine = [p for p in self._points if (p['variant'], p['moment']) == (variant, moment)]
                if not mine:
                    continue
                halves = [0 if p['low'] is None else (p['high'] - p['low']) / 2 for p in mine]
                axes.errorbar(
                    [p['density'] for p in mine],
                    [p['gap_pp'] for p in mine],
                    yerr=halves if any(halves) else None,
                    capsize=2,
                    elinewidth=1,
                    linewidth=1.5,
                    markersize=4.5,
                    label=f'{variant}, {moment}',
                    **{**looks[variant], 'linestyle': '-' if moment == END else ':'},
                )
        axes.axhline(0, color=style.MUTED, linewidth=0.9)
        axes.set_ylabel('train − test accuracy (pp)')
        style.plain(axes)
        density_axis(axes, [p['density'] for p in self._points], self.size[0])
        style.legend(figure, axes, self.size[0], 8.5)

    @property
    def caption(self) -> str:
        several = any(p['replicates'] > 1 for p in self._points)
        bars = '; bars: 95% t-intervals' if several else '; one replicate'
        hidden = self.book.variants[SHOWN:]
        more = f' In the table, not here: {", ".join(hidden)}.' if hidden else ''
        return (
            'Training accuracy is the mean over the batches since the last evaluation, as they '
            f'were trained on{bars}.{more}'
        )

    @property
    def table(self) -> Sequence[Mapping[str, Any]]:
        return self._points
