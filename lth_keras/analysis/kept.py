"""The store as one who only reads sees it: a training is found by what was trained."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lth_keras import artefact, digests
from lth_keras.artefact import Artefact
from lth_keras.stages import TRAIN
from lth_keras.store import Store, stage_key


class Kept(Store):
    """The store as it is: a stage that is not there is an error instead of work.

    A training is found by what was trained. Machine and library versions are part of its key, and
    whoever looks at a run may have others.

    Args:
      workdir: holds `stages`.
      machine: what of a training's inputs is of the machine.
      own: names of the run's own stages, which come before those of other runs.
    """

    def __init__(self, workdir: Path, machine: set[str], own: set[str]):
        super().__init__(workdir)
        self._machine, self._own = machine, own
        self._trainings: dict[str, str] = {}  # what was trained -> stage
        self._called: dict[str, str] = {}  # name under this machine -> name in the store

    def get_or(
        self, kind: str, inputs: Mapping[str, Any], make: Callable[[], Artefact]
    ) -> Artefact:
        key = stage_key(kind, inputs)
        if kind != TRAIN:
            source = inputs.get('training')
            key = stage_key(kind, {**inputs, 'training': self._called.get(source, source)})
        elif f'{kind}-{key}' not in self._own:
            self._index()
            name = self._trainings.get(self._what(inputs), '')
            if name in self._own or not self.has(kind, key):
                self._called[f'{kind}-{key}'] = name
                key = name.removeprefix(f'{kind}-') or key
        stage = self.find(kind, key)
        if stage is None:
            raise MissingError(kind)
        return stage

    def _what(self, inputs: Mapping[str, Any]) -> str:
        return digests.canonical({k: v for k, v in inputs.items() if k not in self._machine})

    def _index(self) -> None:
        if self._trainings:
            return
        found = sorted(self.stages.glob(f'{TRAIN}-*'), key=lambda p: (p.name in self._own, p.name))
        for path in found:  # those of the run itself come last and win
            inputs = artefact.read_manifest(path)['meta']['inputs']
            self._trainings[self._what(inputs)] = path.name


class MissingError(Exception):
    """A stage that is not in the store; its text is the kind."""
