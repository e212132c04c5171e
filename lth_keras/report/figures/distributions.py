"""What survivors and pruned weights were and became."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lth_keras.report import style
from lth_keras.report.axes import chosen, show_percent
from lth_keras.report.figures.analysed import Analysed

PANELS = 4
KINDS = (('survivors', 0, '-'), ('pruned', 1, '--'))


class Distributions(Analysed):
    """Initial and final weights of survivors and of pruned weights, per layer."""

    name = 'distributions'
    title = 'Survivors and pruned weights'
    analysis, source = 'weights', 'weights_histograms'

    @property
    def _shown(self) -> list[Mapping[str, Any]]:
        """One row per layer: of one round and replicate, of layers from first to last."""
        rounds = {row['round'] for row in self.rows if row['round']}
        wanted = self.book.telling_round
        number = wanted if wanted in rounds else max(rounds, default=0)
        mine = [row for row in self.rows if row['round'] == number]
        mine = [row for row in mine if row['replicate'] == mine[0]['replicate']]
        return chosen(mine, PANELS)

    def draw(self, figure: Figure) -> None:
        shown = self._shown
        figure.set_size_inches(self.size[0], 1.1 + 1.55 * len(shown))
        grid = figure.subplots(len(shown), 2, squeeze=False)
        for line, row in zip(grid, shown, strict=True):
            for axes, moment, label in zip(
                line, ('initial', 'dense_final'), ('initial', 'final (dense)'), strict=True
            ):
                for kind, colour, dashes in KINDS:
                    self._steps(axes, row, f'{moment}_{kind}', kind, colour, dashes)
                if moment == 'dense_final' and sum(row.get('ticket_final', [])):
                    label = 'final'
                    self._steps(axes, row, 'ticket_final', "survivors, ticket's own training", 2)
                axes.set_xlabel(f'{label} weight', fontsize=8)
                axes.set_yticks([])
                axes.tick_params(axis='x', labelsize=8)
                style.plain(axes)
            line[0].set_ylabel(str(row['kernel']).removesuffix('/kernel'), fontsize=8.5)
        style.legend(figure, grid[0, 1], self.size[0], 8.5)

    @staticmethod
    def _steps(
        axes: Any,
        row: Mapping[str, Any],
        key: str,
        label: str,
        colour: int,
        dashes: str = '-',
    ) -> None:
        counts: Sequence[int] = row.get(key, [])
        total = sum(counts)
        if total:
            axes.stairs(
                [count / total for count in counts],
                row['edges'],
                color=style.COLOURS[colour],
                linestyle=dashes,
                linewidth=1.3,
                label=label,
            )

    @property
    def caption(self) -> str:
        row = self._shown[0]
        return (
            f'Round {row["round"]} ({show_percent(row["density"])}), replicate '
            f'{row["replicate"]}; share of the weights of each kind per bin. Left: before '
            'training; right: after training the dense network, and the ticket itself. What lies '
            'beyond the axis counts in the outermost bin.'
        )
