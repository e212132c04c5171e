"""Where in the input the tickets still look."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras.report.axes import chosen, show_percent
from lth_keras.report.figures.analysed import Analysed

IMAGES = 4


class Pixels(Analysed):
    """Which inputs are still connected: kept weights of the first layer per input element."""

    name = 'pixels'
    title = 'What the first layer still looks at'
    analysis, source = 'inputs', 'inputs'

    @property
    def _rounds(self) -> list[int]:
        rounds = sorted({row['round'] for row in self.rows})
        return chosen([number for number in rounds if number] or rounds, IMAGES)

    def _image(self, number: int) -> np.ndarray:
        """Mean over replicates of kept / (units * density), over channels: 1 = even."""
        kernel = self.rows[0]['kernel']
        mine = [r for r in self.rows if r['round'] == number and r['kernel'] == kernel]
        image = np.mean([_relative(row) for row in mine], axis=0)
        if image.ndim == 1:
            return image[None, :]
        return image.mean(axis=-1) if image.ndim == 3 else image

    def draw(self, figure: Figure) -> None:
        rounds = self._rounds
        images = {number: self._image(number) for number in rounds}
        flat = len(next(iter(images.values()))) == 1
        columns = 1 if flat else min(2, len(rounds))
        lines = -(-len(rounds) // columns)
        figure.set_size_inches(self.size[0], 0.6 + (0.9 if flat else 2.25) * lines)
        top = max(float(image.max()) for image in images.values()) or 1.0
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, (number, image) in zip(grid.flat, images.items(), strict=False):
            axes.set_axis_on()
            shown = axes.imshow(
                image, vmin=0, vmax=top, cmap='viridis', aspect='auto' if flat else 'equal'
            )
            axes.set_xticks([])
            axes.set_yticks([])
            density = np.mean([r['density'] for r in self.rows if r['round'] == number])
            axes.set_title(f'{show_percent(float(density))} (round {number})', fontsize=9)
        figure.colorbar(shown, ax=grid, label='kept, relative to an even mask', shrink=0.8)

    @property
    def caption(self) -> str:
        last = [row for row in self.rows if row['round'] == self._rounds[-1]]
        whole = self.rows[0]['what'] == 'input'
        what = 'input element' if whole else "place of the first layer's filters"
        unseen = np.mean([row['unseen'] / row['elements'] for row in last])
        count = len({row['replicate'] for row in last})
        seen = f' In round {self._rounds[-1]}, {100 * unseen:.0f}% of them have no connection left.'
        mean = f'mean over {count} replicates' if count > 1 else 'one replicate'
        return f'Kept weights per {what}; {mean}.{seen}'


def _relative(row: Mapping[str, Any]) -> np.ndarray:
    kept = np.asarray(row['kept'], np.float64)
    return kept / max(row['units'] * row['kernel_density'], 1e-12)
