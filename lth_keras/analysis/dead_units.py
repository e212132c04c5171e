"""Units that a ReLU left dead, and how much of a mask they explain."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from lth_keras import errors, graph
from lth_keras._compat import Model, is_graph_network, tf_keras
from lth_keras.analysis import drawing, flow, following
from lth_keras.analysis.base import OVERALL, Analysis, Row, Seen, ratio
from lth_keras.mask import Mask
from lth_keras.pruning import wrapping
from lth_keras.pruning.wrapping import built

BATCH = 256
MOMENTS = ('early_stop', 'final')


def shares(mask: Mask, touching: Mapping[str, np.ndarray]) -> dict[str, Row]:
    """Kernel path (and 'all') -> how much of the pruning dead units explain.

        of_pruned = share of the pruned weights that lead into or out of a dead unit
        of_all    = share of all weights that do
        of_kept   = share of the kept weights that do

    in [0, 1]; None where there are none. Equal shares: pruning took no notice of dead units.

    Args:
      mask: True = kept.
      touching: kernel path -> boolean in the kernel's shape: leads into or out of a dead unit.

    >>> mask = Mask({'k': [[1, 1, 0, 0]]})
    >>> shares(mask, {'k': np.array([[False, False, False, True]])})['all']
    {'pruned': 2, 'touching': 1, 'of_pruned': 0.5, 'of_all': 0.25, 'of_kept': 0.0}
    """
    rows, totals = {}, np.zeros(4, int)
    for path, kept in mask.items():
        touches = np.asarray(touching[path], bool)
        counts = [kept.size, (~kept).sum(), touches.sum(), (touches & ~kept).sum()]
        rows[path] = _shares(*map(int, counts))
        totals += counts
    return rows | {OVERALL: _shares(*map(int, totals))}


def _shares(size: int, pruned: int, touching: int, both: int) -> Row:
    return {
        'pruned': pruned,
        'touching': touching,
        'of_pruned': ratio(both, pruned),
        'of_all': ratio(touching, size),
        'of_kept': ratio(touching - both, size - pruned),
    }


def is_relu(layer: Any) -> bool:
    """Whether a layer's output is cut off at 0 from below: by its activation, or as a ReLU."""
    if isinstance(layer, tf_keras.layers.ReLU):
        return not layer.negative_slope and not layer.threshold
    activation = getattr(layer, 'activation', None)
    if isinstance(activation, tf_keras.layers.ReLU):
        return is_relu(activation)
    return getattr(activation, '__name__', '') == 'relu'


class Activity:
    """Which units of the ReLU layers of one model are ever active.

    Args:
      model: a plain model; its weights may be assigned anew between calls.

    Raises:
      ModelError: a model within the model, whose activations cannot be seen from outside.
    """

    def __init__(self, model: Model):
        self._model = model
        paths = {id(layer): path for path, layer in graph.named_layers(model)}
        self.paths: list[str] = []
        tensors = []
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if is_graph_network(node.layer):
                    raise errors.ModelError(
                        f'layer {node.layer.name!r}: expected layers, received a model within the '
                        'model; build it of layers alone to see its activations'
                    )
                if is_relu(node.layer):
                    self.paths.append(paths[id(node.layer)])
                    tensors.append(node.outputs)
        self._seen = tf_keras.Model(model.inputs, tensors) if tensors else None

        @tf.function(reduce_retracing=True)
        def active(x: tf.Tensor) -> list[tf.Tensor]:
            outputs = tf.nest.flatten(self._seen(x, training=False))
            return [tf.reduce_any(t > 0, axis=list(range(len(t.shape) - 1))) for t in outputs]

        self._active = active

    def dead(self, weights: Mapping[str, np.ndarray], inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Layer path -> boolean per unit: output > 0 for none of the inputs (at no place).

        A layer that is used twice is dead where it is in both uses.

        Args:
          weights: path -> value, of all variables.
          inputs: (examples, ...).
        """
        if self._seen is None:
            return {}
        wrapping.assign(self._model, weights)
        active: list[np.ndarray] = []
        for begin in range(0, len(inputs), BATCH):
            found = [flags.numpy() for flags in self._active(inputs[begin : begin + BATCH])]
            active = [a | f for a, f in zip(active, found, strict=True)] if active else found
        dead: dict[str, np.ndarray] = {}
        for path, flags in zip(self.paths, active, strict=True):
            dead[path] = dead.get(path, True) & ~flags
        return dead


class DeadUnits(Analysis):
    """ReLU units that no example activates, and the share of pruned weights that touch them."""

    name = 'dead_units'

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._model = built(self.lab.build_model)
        self._activity: Activity | None = None
        self._network: flow.Network | None = None
        self._places: dict[str, list[int]] = {}
        self._dense: dict[int, dict[str, np.ndarray]] = {}
        try:
            self._activity = Activity(self._model)
            if not self._activity.paths:
                raise errors.ModelError('the model has no ReLU layer')
            self._network, layers = following.follow(self._model)
            paths = {id(layer): path for path, layer in graph.named_layers(self._model)}
            for i, layer in enumerate(layers):
                self._places.setdefault(paths.get(id(layer), ''), []).append(i)
        except errors.ModelError as e:
            counted = self._activity is not None and self._activity.paths
            what = 'share of a mask that dead units explain' if counted else 'dead units'
            self.note(f'{what}: not computed: {e}')
            self._activity = self._activity if counted else None

    def _dead(self, ticket: Any, which: str) -> dict[str, np.ndarray]:
        assert self._activity is not None
        inputs = getattr(self.lab.data, self.part)[0]
        return self._activity.dead(ticket.weights(which), inputs)

    def add(self, seen: Seen) -> None:
        if self._activity is None:
            return
        found, replicate = {}, seen.result.replicate
        for which in MOMENTS:
            dead = found[which] = self._dead(seen.result.ticket, which)
            for path, flags in dead.items():
                row = {**seen.place, 'weights': which, 'layer': path}
                self.put('dead_units', row | _counted([flags]))
            row = {**seen.place, 'weights': which, 'layer': OVERALL}
            self.put('dead_units', row | _counted(list(dead.values())))
        if self._network is None or not seen.result.round:
            return
        if replicate not in self._dense:
            self._dense = {replicate: self._dead(seen.dense.ticket, 'final')}
        masks = following.all_masks(self.lab.model, self._network, seen.mask)
        cases = {'dense': self._dense[replicate], 'ticket': found['final']}
        for of, dead in cases.items():
            at = {i: flags for path, flags in dead.items() for i in self._places[path]}
            touching = flow.touching(self._network, masks, at)
            for path, row in shares(seen.mask, touching).items():
                self.put('dead_units_mask', {**seen.place, 'dead_in': of, 'kernel': path, **row})

    def draw(self, figure: Figure) -> None:
        rows, masks = self.tables.get('dead_units', []), self.tables.get('dead_units_mask', [])
        left, right = figure.subplots(1, 2)
        if not rows:
            drawing.say(left, '\n'.join(self.notes))
            drawing.say(right, '')
            return
        names = drawing.names_of(rows, 'layer')
        figure.set_size_inches(11.0, drawing.height(4.6, names))
        styles = drawing.layer_styles(names)
        for name in [*names, OVERALL]:
            for which, dashes in (('final', '-'), ('early_stop', ':')):
                mine = [r for r in rows if r['layer'] == name and r['weights'] == which]
                style = {**styles[name], 'linestyle': dashes}
                style |= {'label': name if name != OVERALL else 'all ReLU layers'}
                if which != 'final':
                    style |= {'marker': '', 'label': None}
                drawing.line(left, drawing.averaged(mine, 'share'), **style)
        left.plot(
            [], [], linestyle=':', color=drawing.MUTED, label='at early stop, else at the end'
        )
        left.set_ylabel('share of ReLU units that are dead')
        left.set_ylim(0, max(left.get_ylim()[1], 0.05))
        drawing.density_axis(left, rows)
        drawing.plain(left)
        drawing.legend(figure, left, 5)
        self._explained(right, [row for row in masks if row['kernel'] == OVERALL])
        part = {'train': 'training', 'validation': 'validation'}[self.part]
        text = f'dead: active for no {part} example; {drawing.replicates(rows)}'
        drawing.caption(figure, text)

    def _explained(self, axes: Any, rows: Sequence[Row]) -> None:
        if not rows:
            drawing.say(axes, '\n'.join(self.notes) or 'no pruned round')
            return
        for colour, of in enumerate(('dense', 'ticket')):
            mine = [row for row in rows if row['dead_in'] == of]
            style = {'color': drawing.COLOURS[colour], 'markersize': 4}
            label = 'the dense network' if of == 'dense' else 'the ticket'
            points = drawing.averaged(mine, 'of_pruned')
            drawing.line(
                axes, points, marker='o', label=f'pruned weights, dead in {label}', **style
            )
            points = drawing.averaged(mine, 'of_all')
            style |= {'linestyle': ':', 'marker': 's', 'markerfacecolor': 'white'}
            drawing.line(axes, points, label=f'all weights, dead in {label}', **style)
        axes.set_ylabel('share that touches a dead unit')
        axes.set_ylim(0, max(axes.get_ylim()[1] * 1.05, 0.05))
        axes.legend(fontsize=7.5, frameon=False)
        drawing.plain(axes)
        drawing.density_axis(axes, rows)


def _counted(flags: Sequence[np.ndarray]) -> Row:
    units, dead = sum(f.size for f in flags), sum(int(f.sum()) for f in flags)
    return {'units': units, 'dead': dead, 'share': ratio(dead, units)}
