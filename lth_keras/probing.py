"""The engine that is faster here, measured once and kept."""

import functools
from typing import Any

from lth_keras import engine, keys, pacing
from lth_keras.artefact import Artefact
from lth_keras.store import Store, stage_key

PROBE = 'engine'


def probed(lab: Any) -> str:
    """The faster path for the network of a laboratory: measured, or as it was found before.

    The choice is a stage of the store, written before anything is trained: all runs of the workdir
    that train the same network the same way on the same kind of machine reuse it, since the two
    paths give different bits. A dry run looks there too but writes nothing.

    Args:
      lab: the `Laboratory`.
    """
    store, inputs = Store(lab.experiment.workdir), _inputs(lab)
    make = functools.partial(_measured, lab)
    if lab.experiment.dry_run:
        stage = store.find(PROBE, stage_key(PROBE, inputs)) or make()
    else:
        stage = store.get_or(PROBE, inputs, make)
    return stage.meta['engine']


def _inputs(lab: Any) -> dict[str, Any]:
    """All that decides which path is faster."""
    names = ('batch_size', 'eval_every', 'augmentation', 'optimizer', 'precision')
    return {
        'model': lab.digests['model'],
        'input_shape': list(lab.data.input_shape),
        **{name: getattr(lab.experiment, name) for name in names},
        **keys.machine(lab),
    }


def _measured(lab: Any) -> Artefact:
    seed = lab.experiment.seed
    arguments = lab.initial(seed), lab.dense, seed, lab.experiment.eval_every
    found = engine.fastest(
        {
            path: functools.partial(pacing.pace, lab.make_trainer(path), *arguments)
            for path in engine.PATHS
        }
    )
    return Artefact(PROBE, {'engine': min(found, key=found.__getitem__)}, {})
