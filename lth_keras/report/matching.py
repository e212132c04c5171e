"""Which ticket is the smallest that does as well as the dense network, by validation data alone."""

import math
from collections.abc import Iterable

from lth_keras import errors, verdict
from lth_keras.report.summary import TICKET, Row, averaged


def smallest_matching(
    rows: Iterable[Row], margin: float = verdict.MARGIN
) -> tuple[int, int] | None:
    """The smallest ticket that matches the dense network, chosen on *validation* data only.

    argmin density over rounds r > 0 that all replicates trained, with mean over replicates of
    (ticket - dense) validation accuracy at the early-stop iteration >= -margin.

    Args:
        rows: records of trainings.
        margin: accuracy that may be lost, in [0, 1).

    Returns:
        (round, its replicate of lowest validation loss, the first of equals), None if none matches.

    Raises:
        LotteryError: as `summarise`, or no dense network among the rows.

    >>> row = dict(replicate=4, draw=0, variant='ticket', validation_loss=0.3, test_accuracy=0.8,
    ...            final_test_accuracy=0.75, early_stop_step=100)
    >>> smallest_matching([
    ...     {**row, 'round': 0, 'density': 1.0, 'validation_accuracy': 0.9},
    ...     {**row, 'round': 1, 'density': 0.8, 'validation_accuracy': 0.895},
    ...     {**row, 'round': 2, 'density': 0.64, 'validation_accuracy': 0.85}])
    (1, 4)
    """
    table = averaged(rows)
    dense = table.get((0, TICKET))
    if dense is None:
        raise errors.LotteryError('expected the dense network (round 0), received no such training')
    found = []
    for (round_, variant), cell in table.items():
        if variant != TICKET or round_ == 0 or set(cell) != set(dense):
            continue  # replicates that stopped before it would have matched less well
        shared = sorted(cell)
        loss = [dense[r]['validation_accuracy'] - cell[r]['validation_accuracy'] for r in shared]
        # 1e-12: accuracies are counts / size, so float noise must not decide at the margin.
        if math.fsum(loss) / len(shared) <= margin + 1e-12:
            density = math.fsum(cell[r]['density'] for r in shared) / len(shared)
            best = min(shared, key=lambda r: (cell[r]['validation_loss'], r))
            found.append((density, round_, best))
    return min(found)[1:] if found else None
