"""Analyses of the tickets of a finished run: one file each, one line here."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lth_keras._compat import Model
from lth_keras.analysis import front, reading
from lth_keras.analysis.base import Analysis, Seen
from lth_keras.analysis.dead_units import DeadUnits
from lth_keras.analysis.inputs import Inputs
from lth_keras.analysis.layers import Layers
from lth_keras.analysis.overlap import Overlap
from lth_keras.analysis.weights import Weights
from lth_keras.data import Data
from lth_keras.registry import Registry

ANALYSES = Registry('analysis', [Weights, Overlap, Inputs, Layers, DeadUnits])


def analyse(
    run: str | Path,
    only: Sequence[str] = (),
    rounds: Sequence[int] = (),
    replicates: Sequence[int] = (),
    data_dir: str = '',
    part: str = 'train',
    build_model: Callable[[], Model] | None = None,
    data: Data | None = None,
) -> dict[str, Any]:
    """Looks at the tickets of a finished run, without training, and writes what it finds.

    To `run/analysis/`: `analysis.json` (all numbers; what earlier calls found with other analyses
    stays), a CSV per table, a PNG per analysis. The same run gives the same bytes.

    Args:
      run: directory of the run, `workdir/label-fingerprint`.
      only: names of analyses (`ANALYSES`); all if empty.
      rounds, replicates: which tickets; all if empty.
      data_dir: folder of prepared TFDS data sets.
      part: 'train' or 'validation': the examples that analyses look at that need some.
      build_model, data: those of a run by `find_tickets`, for instance
        `lth.data.split(lth.data.from_arrays(train, test), split_seed)`.

    Returns:
      Name -> {'rounds', 'replicates', 'part', 'notes', 'tables': {table: rows}}.

    Raises:
      StoreError: not a finished run, or a stage of it is gone; the text names the command to run.
      ConfigError: an unknown analysis, round or replicate.

    >>> [ANALYSES.summary(name).split(',')[0] for name in ('inputs', 'layers')]
    ['Kept weights of the first layer per input element', 'Density per layer over rounds']
    """
    kinds = {name: ANALYSES.get(name) for name in only or ANALYSES}
    finished = reading.read(run, data_dir, build_model, data)
    return front.looked_at(finished, kinds, rounds, replicates, part)


__all__ = ['ANALYSES', 'Analysis', 'Seen', 'analyse']
