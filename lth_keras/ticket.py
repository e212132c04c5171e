"""`Ticket`: a mask, the weights it rewinds to, and where they came from; on disk and off."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lth_keras import architecture, artefact, errors, files, graph
from lth_keras._compat import Model
from lth_keras.mask import Mask
from lth_keras.pruning import holding, wrapping
from lth_keras.pruning.wrapping import built
from lth_keras.rewind import Snapshot

KIND = 'ticket'
Values = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ticket:
    """mask + rewind snapshot + provenance; a *trained ticket* also has trained weights.

    Args:
      mask: which weights are kept.
      snapshot: the state of step k that survivors return to.
      provenance: configuration, round, replicate, seeds, versions, metrics: plain JSON.
      architecture: the model as JSON (`architecture.to_json`), so that a ticket needs no builder.
      early_stop: path -> value at the early-stop iteration, or None if it was not trained.
      final: path -> value at the end of training, or None.
    """

    mask: Mask
    snapshot: Snapshot
    provenance: Mapping[str, Any]
    architecture: str
    early_stop: Values | None = None
    final: Values | None = None

    @property
    def trained(self) -> bool:
        """Whether the ticket has trained weights."""
        return self.early_stop is not None

    @property
    def density(self) -> float:
        """Kept share of the mask's weights, in [0, 1]."""
        return self.mask.density

    def __repr__(self) -> str:
        kind = 'trained ticket' if self.trained else 'ticket'
        return (
            f'<{kind}: {self.mask.kept:,} of {self.mask.size:,} weights in {len(self.mask)} '
            f'kernels, rewinds to step {self.snapshot.step}>'
        )

    def start(self) -> dict[str, np.ndarray]:
        """The weights that training starts from: mask * snapshot, bit for bit."""
        return self.snapshot.masked(self.mask)

    def weights(self, which: str = 'early_stop') -> dict[str, np.ndarray]:
        """'start', 'early_stop' or 'final' weights, path -> value, pruned ones +0.0.

        Raises:
          ConfigError: weights that this ticket does not have.
        """
        values = {'start': self.start(), 'early_stop': self.early_stop, 'final': self.final}
        if which not in values:
            raise errors.ConfigError(
                f'unknown weights {which!r}: {errors.did_you_mean(which, values)}'
            )
        if values[which] is None:
            raise errors.ConfigError(
                f'expected a trained ticket for its {which!r} weights, received one that was not '
                "trained; ask for 'start', or train it"
            )
        return Snapshot(self.snapshot.step, values[which]).masked(self.mask)

    def model(self, which: str = 'early_stop', custom_objects: dict | None = None) -> Model:
        """A plain Keras model with these weights: no wrapper, no builder, no data needed."""
        model = architecture.from_json(self.architecture, custom_objects)
        wrapping.assign(model, self.weights(which))
        return model

    def apply(self, model: Callable[[], Model] | Model, which: str = 'start') -> Model:
        """A wrapped copy of a (builder's) model with this ticket's mask and weights.

        Args:
          model: a builder or a model of the same kernels.
          which: 'start' (mask * snapshot), 'early_stop' or 'final'.

        Raises:
          MaskError, ModelError: kernels or shapes of the model are not the ticket's.
        """
        bare = built(model)
        known = graph.variables(bare)
        self.mask.check_fits({p: tuple(known[p].shape) for p in known if p in self.mask})
        layer_of: dict[str, list[str]] = {}
        for path, _ in graph.named_layers(bare):
            for kernel in self.mask:
                if kernel.startswith(f'{path}/'):
                    layer_of.setdefault(path, []).append(kernel.removeprefix(f'{path}/'))
        wrapped = wrapping.rebuilt(bare, layer_of)
        wrapping.assign(wrapped, self.weights(which))
        holding.assign_mask(wrapped, self.mask)
        return wrapped

    def inspect(self) -> str:
        """A table: kept, size and density of each kernel, and of all."""
        rows = [
            f'{path:<40} {kept:>12,} {size:>12,} {kept / size:>9.4f}'
            for (path, kept), size in zip(
                self.mask.survivors.items(), self.mask.sizes.values(), strict=True
            )
        ]
        head = f'{"kernel":<40} {"kept":>12} {"size":>12} {"density":>9}'
        last = f'{"all":<40} {self.mask.kept:>12,} {self.mask.size:>12,} {self.density:>9.4f}'
        kind = 'trained ticket' if self.trained else 'ticket'
        return '\n'.join([f'{kind}, rewinds to step {self.snapshot.step}', head, *rows, last])

    def save(self, directory: str | Path) -> None:
        """Writes the ticket to a new directory, atomically, with checksums and without pickle.

        Raises:
          StoreError: the directory exists or cannot be written.
        """
        arrays = {'mask': dict(self.mask), 'rewind': dict(self.snapshot.weights)}
        if self.early_stop is not None:
            arrays['early_stop'] = dict(self.early_stop)
        if self.final is not None:
            arrays['final'] = dict(self.final)
        # Order decides ties and tables; an artefact's own names come back sorted.
        meta = {
            'provenance': dict(self.provenance),
            'rewind_step': self.snapshot.step,
            'kernels': list(self.mask),
            'variables': list(self.snapshot.weights),
        }
        parent = Path(directory).absolute().parent
        with files.writing(parent):
            parent.mkdir(parents=True, exist_ok=True)
        texts = {'model.json': self.architecture}
        artefact.write(Path(directory), artefact.Artefact(KIND, meta, arrays, texts))

    @classmethod
    def load(cls, directory: str | Path) -> 'Ticket':
        """Reads a ticket and verifies every byte of it.

        Raises:
          StoreError: not a ticket, or a file of it is missing or changed.
        """
        path = Path(directory)
        if not (path / artefact.MANIFEST).exists() and (path / 'ticket').is_dir():
            path = path / 'ticket'  # the folder that a search exports to
        if not (path / artefact.MANIFEST).exists():
            raise errors.StoreError(
                f'expected a ticket in {path}, found no {artefact.MANIFEST} there; pass the '
                'folder that Ticket.save or a search wrote'
            )
        found = artefact.read(path, KIND)
        kernels, names = found.meta['kernels'], found.meta['variables']

        def ordered(group: str) -> Values | None:
            values = found.arrays.get(group)
            return None if values is None else {name: values[name] for name in names}

        return cls(
            Mask({path: found.arrays['mask'][path] for path in kernels}),
            Snapshot(found.meta['rewind_step'], ordered('rewind') or {}),
            found.meta['provenance'],
            found.texts['model.json'],
            ordered('early_stop'),
            ordered('final'),
        )
