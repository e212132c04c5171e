"""What one training leaves: its curve, early stop, results and weights."""

import dataclasses
from collections.abc import Mapping

import numpy as np

Values = dict[str, np.ndarray]
Row = Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What one training leaves.

    `curve` has a row per evaluation: `columns` are step, then loss and accuracy on train,
    validation and, if asked for, test; those on train are means over the steps since the last
    evaluation, NaN in the first row. Early stop is the first evaluation of minimum
    validation loss. Accuracies are fractions; weights are path -> value.
    """

    columns: tuple[str, ...]
    curve: np.ndarray
    early_stop_step: int
    early_stop: Mapping[str, float]
    final: Mapping[str, float]
    early_weights: Values
    final_weights: Values
    snapshot: Values | None
