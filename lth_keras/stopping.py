"""When a replicate stops pruning before its last round: one rule each, on validation data only."""

from collections.abc import Mapping
from typing import Any

from lth_keras.registry import Registry

Row = Mapping[str, Any]


def never(ticket: Row, dense: Row, floor: float, margin: float) -> bool:
    """All rounds are trained."""
    return False


def accuracy_floor(ticket: Row, dense: Row, floor: float, margin: float) -> bool:
    """After the first round whose validation accuracy is below --stop_floor.

    >>> accuracy_floor({'validation_accuracy': 0.89}, {}, floor=0.9, margin=0.005)
    True
    """
    return ticket['validation_accuracy'] < floor


def not_matching(ticket: Row, dense: Row, floor: float, margin: float) -> bool:
    """After the first round that no longer matches: validation accuracy < dense - margin.

    >>> dense = {'validation_accuracy': 0.98}
    >>> [not_matching({'validation_accuracy': a}, dense, 0, 0.005) for a in (0.975, 0.974)]
    [False, True]
    """
    # Accuracies are counts / size: float noise must not decide at the margin.
    return dense['validation_accuracy'] - ticket['validation_accuracy'] > margin + 1e-12


STOP_RULES = Registry('stop rule', [never, accuracy_floor, not_matching])
