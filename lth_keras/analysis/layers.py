"""Density per layer, before and after units that the mask alone has killed are taken away."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lth_keras import errors
from lth_keras.analysis import drawing, flow, following
from lth_keras.analysis.base import OVERALL, Analysis, Row, Seen
from lth_keras.analysis.flow import Network


def removable(network: Network, masks: flow.Masks) -> dict[str, Row]:
    """Kernel path -> how many of its units the mask alone has killed.

    `constant` units are reached by no input (with a bias, and after normalisation, they still
    give a constant, which can be added to the next bias: removable too); `unused` units reach no
    output; `idle` units are either. A kernel that is used twice has a unit for each use.

    >>> network = Network([flow.Step('input', units=2), flow.Step('kernel', (0,), 3, 'a'),
    ...                    flow.Step('kernel', (1,), 1, 'b')], [2])
    >>> masks = {'a': np.array([[1, 0, 0], [1, 0, 1]], bool),
    ...          'b': np.array([[1], [1], [0]], bool)}
    >>> removable(network, masks)['a']
    {'units': 3, 'constant': 1, 'unused': 1, 'idle': 2}
    """
    found: dict[str, Row] = {}
    alive, wanted = flow.live(network, masks), flow.used(network, masks)
    for i, step in enumerate(network.steps):
        if step.kind != 'kernel':
            continue
        row = {
            'units': step.units,
            'constant': int((~alive[i]).sum()),
            'unused': int((~wanted[i]).sum()),
            'idle': int((~alive[i] | ~wanted[i]).sum()),
        }
        before = found.get(step.kernel, dict.fromkeys(row, 0))
        found[step.kernel] = {key: before[key] + value for key, value in row.items()}
    return found


def disconnected(network: Network, masks: flow.Masks) -> int:
    """Number of output units that no input reaches: such a class gets a constant score."""
    alive = flow.live(network, masks)
    return int(sum((~alive[i]).sum() for i in network.outputs))


class Layers(Analysis):
    """Density per layer over rounds, and effective density: without units the mask has killed."""

    name = 'layers'

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._network: Network | None = None
        self._silent = False
        try:
            self._network, _ = following.follow(self.lab.model)
        except errors.ModelError as e:
            self.note(f'effective density: not computed: {e}')

    def add(self, seen: Seen) -> None:
        mask, units, remaining = seen.mask, {}, None
        if self._network is not None:
            masks = following.all_masks(self.lab.model, self._network, mask)
            lost = [path for path in mask if path not in masks]
            if lost:
                self.note(f'effective density: not computed: {lost[0]} is no kernel of its graph')
                self._network = None
            else:
                units = removable(self._network, masks)
                remaining = flow.effective(self._network, masks)
        kept_by = {path: int(array.sum()) for path, array in (remaining or {}).items()}
        total: Row = dict.fromkeys(('size', 'kept', 'effective', 'units', 'idle'), 0)
        for path, array in mask.items():
            row: Row = {
                'size': int(array.size),
                'kept': int(array.sum()),
                'effective': kept_by.get(path),
                **units.get(path, dict.fromkeys(('units', 'constant', 'unused', 'idle'))),
            }
            total = {k: None if row[k] is None else total[k] + row[k] for k in total}
            self._put(seen, path, row)
        total |= {'constant': None, 'unused': None}
        if self._network is not None:
            keys = ('constant', 'unused')
            total |= {k: sum(units[path][k] for path in mask) for k in keys}
            total['silent_outputs'] = disconnected(self._network, masks)
            if total['silent_outputs'] and not self._silent:
                self._silent = True
                self.note(
                    f'from replicate {seen.result.replicate} round {seen.result.round} on there '
                    'are outputs that no input reaches: their scores are constants'
                )
        self._put(seen, OVERALL, total)

    def _put(self, seen: Seen, path: str, row: Row) -> None:
        whole = None if row['effective'] is None else row['effective'] / row['size']
        shares = {'layer_density': row['kept'] / row['size'], 'effective_density': whole}
        self.put('layers', {**seen.place, 'kernel': path, **row, **shares})

    def draw(self, figure: Figure) -> None:
        rows = self.tables['layers']
        kernels = drawing.names_of(rows)
        styles = drawing.layer_styles(kernels)
        figure.set_size_inches(11.0, drawing.height(5.0, kernels))
        left, right = figure.subplots(1, 2)
        for name in [*kernels, OVERALL]:
            mine = [row for row in rows if row['kernel'] == name]
            label = drawing.short(name) if name != OVERALL else 'all kernels'
            drawing.line(left, drawing.averaged(mine, 'layer_density'), label=label, **styles[name])
            points = drawing.averaged(mine, 'effective_density')
            style = {**styles[name], 'marker': '', 'linestyle': ':'}
            drawing.line(left, points, **style)
            if name != OVERALL:
                shares = [dict(r, share=_share(r['idle'], r['units'])) for r in mine]
                drawing.line(right, drawing.averaged(shares, 'share'), **styles[name])
        drawing.log_values(left)
        left.set_ylabel('density of the layer')
        right.set_ylabel('share of units that the mask alone has killed')
        if right.lines:
            low, high = right.get_ylim()
            right.set_ylim(-0.02 * max(high, 0.05), max(high, 0.05))
            left.plot([], [], linestyle=':', color=drawing.MUTED, label='effective density')
        for axes in (left, right):
            drawing.plain(axes)
            drawing.density_axis(axes, rows)
        if not right.lines:
            drawing.say(right, '\n'.join(self.notes))
        drawing.legend(figure, left, 5)
        drawing.caption(figure, drawing.replicates(rows))


def _share(part: int | None, whole: int | None) -> float | None:
    return None if part is None or not whole else float(np.divide(part, whole))
