"""Where in the input the first layer still looks."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras import errors
from lth_keras.analysis import drawing, following
from lth_keras.analysis.base import Analysis, Row, Seen
from lth_keras.analysis.flow import Network

IMAGES = 5


def kept_per_input(mask: np.ndarray) -> np.ndarray:
    """How many weights of a kernel look at each of its inputs: the sum over its units.

    (inputs, units) -> (inputs,); (height, width, channels, filters) -> (height, width, channels).
    Values lie in [0, units].

    >>> kept_per_input(np.array([[1, 1], [0, 1]], bool)).tolist()
    [2, 1]

    Frankle & Carbin 2019, appendix F, look at the connections that units keep, without a number
    that could be compared.
    """
    return np.asarray(mask).sum(axis=-1)


def as_image(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values per element of a flattened input, in the shape of the input.

    >>> as_image(np.array([1, 2, 3, 4]), (2, 2, 1))[..., 0].tolist()
    [[1, 2], [3, 4]]

    Raises:
      ModelError: another number of values than the input has elements.
    """
    if values.size != int(np.prod(shape)):
        raise errors.ModelError(
            f'expected one value for each of the {int(np.prod(shape))} input elements, received '
            f'{values.size}; only layers that see the whole input have an image'
        )
    return values.reshape(shape)


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson's correlation in [-1, 1]; None if one of them is constant.

    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    >>> correlation(np.ones(3), np.arange(3)) is None
    True
    """
    a, b = (np.asarray(v, np.float64).ravel() for v in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float(np.clip((a * b).sum() / scale, -1, 1)) if scale else None


def first_kernels(network: Network) -> dict[str, bool]:
    """Paths of the kernels that the input reaches through no other -> whether it was flattened."""
    found: dict[str, bool] = {}
    reached: dict[int, bool] = {}
    for i, step in enumerate(network.steps):
        if step.kind == 'input':
            reached[i] = False
        elif step.inputs and all(j in reached for j in step.inputs):
            if step.kind == 'kernel':
                found[step.kernel] = reached[step.inputs[0]]
            elif step.kind in ('same', 'flatten'):
                reached[i] = step.kind == 'flatten' or reached[step.inputs[0]]
    return found


class Inputs(Analysis):
    """Kept weights of the first layer per input element, or per place and channel of a filter."""

    name = 'inputs'

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._kernels: dict[str, bool] = {}
        try:
            network, _ = following.follow(self.lab.model)
            self._kernels = first_kernels(network)
        except errors.ModelError as e:
            self.note(f'inputs: not computed: {e}')
        for path in [p for p in self._kernels if p not in self.lab.dense]:
            self.note(f'inputs: {path} is not pruned, so it looks everywhere')
            del self._kernels[path]
        self._spread: np.ndarray | None = None

    def _spread_of_data(self) -> np.ndarray:
        if self._spread is None:
            self._spread = np.asarray(getattr(self.lab.data, self.part)[0]).std(
                axis=0, dtype=np.float64
            )
        return self._spread

    def add(self, seen: Seen) -> None:
        shape = tuple(self.lab.data.input_shape)
        for path, flattened in self._kernels.items():
            mask = seen.mask[path]
            kept = kept_per_input(mask)
            whole = mask.ndim == 2 and (flattened or len(shape) == 1)
            image = as_image(kept, shape) if whole else kept
            density = float(mask.mean())
            row: Row = {
                **seen.place,
                'kernel': path,
                'what': 'input' if whole else 'filter',
                'units': mask.shape[-1],
                'kernel_density': density,
                'elements': int(kept.size),
                'unseen': int((kept == 0).sum()),
                'least': int(kept.min()),
                'most': int(kept.max()),
                'correlation_with_spread': correlation(image, self._spread_of_data())
                if whole
                else None,
                'kept': image.tolist(),
            }
            self.put('inputs', row)

    def draw(self, figure: Figure) -> None:
        rows = self.tables.get('inputs', [])
        if not rows:
            drawing.say(figure.subplots(), '\n'.join(self.notes) or 'nothing to show')
            return
        paths = drawing.names_of(rows)
        numbers = drawing.chosen(sorted({row['round'] for row in rows}), IMAGES)
        lines = [(path, c) for path in paths for c in range(_channels(rows, path))][:4]
        figure.set_size_inches(max(2.1 * len(numbers) + 1.2, 5), 2.2 * len(lines) + 0.9)
        grid = figure.subplots(len(lines), len(numbers), squeeze=False)
        images = {
            (path, channel, n): _relative(rows, path, channel, n)
            for path, channel in lines
            for n in numbers
        }
        top = max(float(image.max()) for image in images.values())
        for i, (path, channel) in enumerate(lines):
            for j, number in enumerate(numbers):
                axes, image = grid[i, j], images[path, channel, number]
                shown = axes.imshow(
                    image, vmin=0, vmax=top, cmap='viridis', aspect='equal' if len(image) > 1 else 8
                )
                axes.set_xticks([])
                axes.set_yticks([])
                if i == 0:
                    density = np.mean([r['density'] for r in rows if r['round'] == number])
                    axes.set_title(f'round {number}, {drawing.show_percent(float(density))}')
            what = f'{drawing.short(path)}\nchannel {channel}'
            grid[i, 0].set_ylabel(what if _channels(rows, path) > 1 else drawing.short(path))
        figure.colorbar(shown, ax=grid, label='kept, relative to an even mask', shrink=0.8)
        what = (
            'input element' if rows[0]['what'] == 'input' else "place of the first layer's filter"
        )
        drawing.caption(figure, f'kept weights per {what}; {drawing.replicates(rows)}')


def _array(row: Row) -> np.ndarray:
    """(height, width, channels) of a row's kept weights; a vector has height 1."""
    kept = np.asarray(row['kept'], np.float64)
    if kept.ndim == 1:
        return kept[None, :, None]
    return kept[..., None] if kept.ndim == 2 and row['what'] == 'input' else kept


def _channels(rows: list[Row], path: str) -> int:
    found = _array(next(row for row in rows if row['kernel'] == path))
    return found.shape[-1] if found.ndim == 3 else 1


def _relative(rows: list[Row], path: str, channel: int, number: int) -> np.ndarray:
    """Mean over replicates of kept / (units * density): 1 where the mask is even."""
    mine = [r for r in rows if r['kernel'] == path and r['round'] == number]
    shares = [_array(r) / max(r['units'] * r['kernel_density'], 1e-12) for r in mine]
    mean = np.mean(shares, axis=0)
    return mean[..., channel] if mean.ndim == 3 else mean.reshape(1, -1)
