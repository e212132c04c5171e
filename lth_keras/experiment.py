"""The frozen configuration of a search; flags, help texts and fingerprint follow from it."""

import contextlib
import dataclasses
import re
import typing
from typing import Any

from lth_keras import consistency, digests, steps
from lth_keras.fields import check, typed
from lth_keras.settings import (
    DataSettings,
    NetworkSettings,
    PruningSettings,
    RunSettings,
    TrainingSettings,
)

# Raised when a default below changes its meaning; enters every fingerprint.
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Experiment(RunSettings, TrainingSettings, PruningSettings, DataSettings, NetworkSettings):
    """One search for lottery tickets, completely described; fractions are never percent.

    >>> Experiment(rate=1.5)
    Traceback (most recent call last):
    lth_keras.errors.ConfigError: rate: expected a number in [0, 1), received 1.5
    >>> Experiment(dataset='mnsit')
    Traceback (most recent call last):
    lth_keras.errors.ConfigError: dataset: unknown dataset 'mnsit': did you mean 'mnist'? Known: \
cifar10, cifar100, digits, digits_28, fashion_mnist, mnist.
    """

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for item in dataclasses.fields(self):
            given = getattr(self, item.name)
            with contextlib.suppress(TypeError):  # what cannot be compared is refused by type
                check(item.name, given, item.metadata)
            value = typed(item.name, given, hints[item.name], item.metadata['duration'])
            check(item.name, value, item.metadata)
            object.__setattr__(self, item.name, value)
        consistency.check(self)

    @property
    def transfers(self) -> bool:
        """Whether the tickets are found on one data set and trained on another."""
        return self.transfer_from != 'none'

    def resolved(self, per_epoch: int) -> 'Experiment':
        """The experiment with all durations in steps.

        Args:
          per_epoch: steps of one epoch.

        >>> Experiment(training_steps='2ep', rewind_step='0.5ep').resolved(100).rewind_step
        50

        Raises:
          ConfigError: durations that contradict each other.
        """
        changed: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.metadata['duration']:
                many = isinstance(value, tuple)
                found = [steps.in_steps(v, per_epoch) for v in (value if many else (value,))]
                changed[item.name] = tuple(found) if many else found[0]
        if all(getattr(self, name) == value for name, value in changed.items()):
            return self
        return dataclasses.replace(self, **changed)

    def configuration(self) -> dict[str, Any]:
        """The fields that decide bits, by name."""
        # A target density is only a number of rounds, except where it decides the counts.
        counted = {'target_density'} if self.procedure == 'one_shot' else set()
        return {
            item.name: getattr(self, item.name)
            for item in dataclasses.fields(self)
            if item.metadata['bits'] or item.name in counted
        }

    def fingerprint(self) -> str:
        """Ten hex digits of all that decides bits; defaults are left out.

        A field that is added later with a neutral default keeps the names of old runs.

        >>> Experiment().fingerprint() == Experiment(rounds=3, replicates=9).fingerprint()
        True
        >>> Experiment().fingerprint() == Experiment(rate=0.3).fingerprint()
        False
        """
        defaults = {item.name: item.default for item in dataclasses.fields(self)}
        changed = {k: v for k, v in self.configuration().items() if v != defaults[k]}
        return digests.digest({'format': FORMAT, **changed})[:10]

    def name(self) -> str:
        """The readable part of the run's directory."""
        parts = (self.model.split(':')[-1], self.dataset.split(':')[-1], self.procedure)
        # What a directory cannot be called is left out: '_build' of a module is 'build'.
        return self.label or '-'.join(re.sub(r'[^A-Za-z0-9._]+|^[._]+', '', p) for p in parts)


def seeds_of(experiment: Experiment) -> list[int]:
    """The seed of each replicate."""
    return [experiment.seed + replicate for replicate in replicates_of(experiment)]


def replicates_of(experiment: Experiment) -> range:
    """The numbers of the replicates that are trained."""
    first = experiment.first_replicate
    return range(first, first + experiment.replicates)
