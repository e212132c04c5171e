"""What a contestant is, seen from the process that it lives in."""

from typing import Any, Protocol

import numpy as np


class Contestant(Protocol):
    """Something that takes training steps, or does other work that is counted in units.

    `prepare` is not timed, `run` is: it returns when the work is done.
    """

    def start(self) -> None:
        """Weights and optimizer as before step 0."""

    def prepare(self, first: int, count: int) -> None:
        """Gets the next slice ready: `count` units from unit `first` on."""

    def run(self) -> float:
        """Takes the slice; returns the number of units."""

    def weights(self) -> dict[str, np.ndarray]:
        """Path -> value of what is compared."""

    def facts(self) -> dict[str, Any]:
        """What else the tables should say."""
