"""How fast a trainer is here: what a dry run's estimate and the choice of an engine rest on."""

import math
import time
from collections.abc import Mapping

import numpy as np

from lth_keras import steps
from lth_keras.mask import Mask
from lth_keras.program import BLOCK
from lth_keras.training import Trainer

# How long one measurement takes at most, about.
PACE_SECONDS = 1.0


def pace(
    trainer: Trainer,
    start: Mapping[str, np.ndarray],
    mask: Mask | None,
    seed: int,
    eval_every: int,
) -> float:
    """Seconds per step here, compiled and warm, evaluations included; trains and forgets."""
    trainer.reset(start, mask)
    count = len(trainer.data.train[1])
    epochs = steps.Epochs(count, trainer.batch_size, seed, trainer.drop_remainder)
    block = next(epochs.blocks(0, BLOCK, BLOCK))
    trainer.loop.run(block[:1], 0, seed)
    trainer.loop.evaluate(trainer.validation)
    taken, best = 1, math.inf
    while taken <= len(block):
        began = time.perf_counter()
        trainer.loop.run(block[:taken], 0, seed)
        seconds = time.perf_counter() - began
        best = min(best, seconds / taken)
        if seconds > PACE_SECONDS:
            break
        taken *= 2
    began = time.perf_counter()
    trainer.loop.evaluate(trainer.validation)
    return best + (time.perf_counter() - began) / eval_every
