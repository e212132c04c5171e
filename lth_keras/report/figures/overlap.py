"""Whether different seeds find the same ticket."""

import numpy as np
from matplotlib.figure import Figure

from lth_keras.report import style
from lth_keras.report.axes import chosen, density_axis
from lth_keras.report.figures.analysed import Analysed

ALL = 'all'
LINES = 4


class Overlap(Analysed):
    """Mask overlap (Jaccard index) between replicates against density, and by chance."""

    name = 'overlap'
    title = 'Mask overlap between replicates'
    analysis, source = 'overlap', 'overlap_replicates'

    def draw(self, figure: Figure) -> None:
        axes, rows = figure.subplots(), self.rows
        kernels = [k for k in dict.fromkeys(row['kernel'] for row in rows) if k != ALL]
        for i, kernel in enumerate([ALL, *chosen(kernels, LINES)]):
            mine = [row for row in rows if row['kernel'] == kernel]
            rounds = sorted({row['round'] for row in mine})
            colour = 'black' if kernel == ALL else style.COLOURS[i - 1]
            name = 'all layers' if kernel == ALL else kernel.removesuffix('/kernel')
            xs = [np.mean([r['density'] for r in mine if r['round'] == n]) for n in rounds]
            for key, dashes in (('jaccard', '-'), ('expected_jaccard', ':')):
                ys = [np.mean([r[key] for r in mine if r['round'] == n]) for n in rounds]
                measured = key == 'jaccard'
                axes.plot(
                    xs,
                    ys,
                    linestyle=dashes,
                    marker=style.MARKERS[i % len(style.MARKERS)] if measured else '',
                    markersize=4,
                    linewidth=2 if kernel == ALL else 1.3,
                    label=name if measured else None,
                    color=colour,
                )
        axes.plot([], [], linestyle=':', color=style.MUTED, label='by chance')
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel('kept by both / kept by either')
        style.plain(axes)
        density_axis(axes, [row['density'] for row in rows], self.size[0])
        style.legend(figure, axes, self.size[0], 8.5, last='by chance')

    @property
    def caption(self) -> str:
        pairs = {(row['first'], row['second']) for row in self.rows}
        count = len({number for pair in pairs for number in pair})
        return (
            f'Mean over {len(pairs)} pairs of {count} of {len(self.book.replicates)} replicates. '
            'Chance: as many weights per layer, drawn anew. Units have no order, so networks that '
            'compute the same may not overlap.'
        )
