"""Where the time goes."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras.report import style
from lth_keras.report.cost import PARTS
from lth_keras.report.figures.base import ReportFigure

OTHER = 'everything else'
LABELS = {'steps': 'optimizer steps', 'evaluation': 'evaluation', OTHER: OTHER}


class Times(ReportFigure):
    """Wall time per training: optimizer steps, evaluation, everything else, by round."""

    name = 'times'
    title = 'Time per training'

    @property
    def missing(self) -> str:
        if not self.book.timings:
            return 'no times were recorded with the run'
        return '' if self.table else 'no times of these trainings'

    @functools.cached_property
    def table(self) -> Sequence[Mapping[str, Any]]:
        rows = []
        wanted = {(s.round, s.variant) for s in self.book.summaries}
        order = self.book.variants
        for number, variant in sorted(wanted, key=lambda pair: (pair[0], order.index(pair[1]))):
            mine = [t for t in self.book.timings if (t.round, t.variant) == (number, variant)]
            if not mine:
                continue
            parts = {name: float(np.mean([t.parts.get(name, 0.0) for t in mine])) for name in PARTS}
            total = float(np.mean([t.total for t in mine]))
            rest = {OTHER: max(0.0, total - sum(parts.values()))}
            base = {'round': number, 'variant': variant, 'trainings': len(mine), 'seconds': total}
            rows.append({**base, **parts, **rest})
        return rows

    @property
    def _parted(self) -> bool:
        """Whether the parts were measured: older runs measured the whole alone."""
        return any(timing.parts for timing in self.book.timings)

    def draw(self, figure: Figure) -> None:
        axes, rows = figure.subplots(), self.table
        rounds = sorted({row['round'] for row in rows})
        variants = [v for v in self.book.variants if any(row['variant'] == v for row in rows)]
        width = 0.8 / len(variants)
        hatches = ('', '///', '...', 'xx', '\\\\', '++', 'oo')
        for i, variant in enumerate(variants):
            mine = {row['round']: row for row in rows if row['variant'] == variant}
            places = [rounds.index(r) + (i - (len(variants) - 1) / 2) * width for r in mine]
            bottom = np.zeros(len(mine))
            for colour, part in zip((0, 4, 5), LABELS, strict=True):
                values = np.array([row[part] for row in mine.values()])
                if part in PARTS and not self._parted:
                    continue
                axes.bar(
                    places,
                    values,
                    width * 0.94,
                    bottom,
                    color=style.COLOURS[colour],
                    hatch=hatches[i % len(hatches)],
                    edgecolor='white',
                    linewidth=0.4,
                    label=LABELS[part] if i == 0 and self._parted else None,
                )
                bottom += values
        step = max(1, len(rounds) // 10)
        axes.set_xticks(range(0, len(rounds), step), [str(r) for r in rounds[::step]])
        axes.set_xlabel('round')
        axes.set_ylabel('seconds')
        style.plain(axes)
        style.legend(figure, axes, self.size[0], 8.5)

    @property
    def note(self) -> str:
        return ''

    @property
    def caption(self) -> str:
        variants = list(dict.fromkeys(row['variant'] for row in self.table))
        order = f' Bars of a round, left to right: {", ".join(variants)}.' if variants[1:] else ''
        rest = ' Everything else is compiling, checking and writing.' if self._parted else ''
        return f'Mean seconds of those trainings that this run made itself.{rest}{order}'
