"""The store: stages named by what decides their bits, shared by all runs below one workdir."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lth_keras import artefact as artefacts
from lth_keras import runs
from lth_keras.artefact import Artefact
from lth_keras.digests import differences, digest, plain
from lth_keras.errors import StoreError
from lth_keras.files import DISK, TEMPORARY, Files, check_name, ensure_directory, writing
from lth_keras.runs import Run


def stage_key(kind: str, inputs: Mapping[str, Any]) -> str:
    """The name of a stage: 16 hex digits of the digest of its kind and inputs.

    Args:
      kind: what the stage makes, for example 'mask'.
      inputs: all that decides its bits, and nothing else; JSON (arrays enter as their digests).

    >>> stage_key('mask', {'round': 1, 'rate': 0.2})
    '42b28073f317b2a2'
    """
    return digest({'kind': kind, 'inputs': plain(inputs, 'inputs')})[:16]


def completed(kind: str, inputs: Mapping[str, Any], made: Artefact) -> Artefact:
    """The stage as it is kept: of its kind, with its inputs recorded in the meta."""
    if made.kind != kind or 'inputs' in made.meta:
        raise StoreError(
            f"expected an artefact of kind {kind!r} without 'inputs' in its meta, received "
            f'kind {made.kind!r} with meta {sorted(made.meta)}: change the stage'
        )
    meta = {**made.meta, 'inputs': plain(inputs, 'inputs')}
    return Artefact(kind, meta, made.arrays, made.texts)


class Store:
    """Stages and runs below `workdir`; nothing is made on disk before it is needed.

    Args:
      workdir: `stages/<kind>-<key>/` and `<label>-<fingerprint>/` lie in it.
      files: the operations on disk.
      owner: the run whose temporary files these are; `open_run` sets it. A worker process of a
        run passes the name of the run's directory; without an owner, what a killed process leaves
        in `stages/` stays there, unseen by `find`.
    """

    def __init__(self, workdir: Path | str, files: Files = DISK, owner: str = ''):
        self.workdir = Path(workdir)
        self.stages = self.workdir / 'stages'
        self.files = files
        self.owner = owner

    def _stage(self, kind: str, key: str) -> Path:
        return self.stages / check_name('stage name', f'{kind}-{key}')

    def has(self, kind: str, key: str) -> bool:
        """Whether the stage is there, unread."""
        return os.path.lexists(self._stage(kind, key))

    def find(self, kind: str, key: str) -> Artefact | None:
        """The stage of this kind and key, verified; None if it was never finished.

        Raises:
          StoreError: the stage is there but cannot be trusted; the text names it.
        """
        directory = self._stage(kind, key)
        if not self.has(kind, key):
            return None
        stage = artefacts.read(directory, kind, _advice(directory))
        other = stage_key(kind, stage.meta.get('inputs', {}))
        if other != key:
            raise StoreError(
                f'expected the inputs of stage {key} in {directory}, received those of {other}: '
                'give the directory its own name back, or remove it'
            )
        return stage

    def get_or(
        self, kind: str, inputs: Mapping[str, Any], make: Callable[[], Artefact]
    ) -> Artefact:
        """The stage with these inputs: the finished one, or what `make` makes, once finished.

        What is returned was read back from disk, so that the first run and a resumed one go on
        with the very same values. The inputs are recorded in the meta, under 'inputs'.

        Raises:
          StoreError: the stage cannot be written or trusted, or other inputs share its key.
        """
        key = stage_key(kind, inputs)
        stage = self.find(kind, key)
        if stage is None:
            self._finish(self._stage(kind, key), completed(kind, inputs, make()))
            stage = self.find(kind, key)
        found = differences(stage.meta['inputs'], plain(inputs))
        if found:
            raise StoreError(
                f'expected the stage {self._stage(kind, key)} to have the given inputs, received '
                f'another with the same key: {"; ".join(found)}: choose another --workdir'
            )
        return stage

    def _finish(self, directory: Path, stage: Artefact) -> None:
        if not self.stages.is_dir():
            ensure_directory(self.stages, self.files)
        try:
            artefacts.write(directory, stage, self.files, self.owner)
        except artefacts.TakenError:
            # Another process was faster. Its bits must be ours, else one of the two is wrong.
            ours = json.loads(artefacts.encode(stage)[artefacts.MANIFEST])
            theirs = artefacts.read_manifest(directory, _advice(directory))
            if ours != theirs:
                raise StoreError(
                    f'expected the same bits from every process in {directory}, received others: '
                    f'{"; ".join(differences(theirs, ours))}: use machines and thread counts of '
                    'one kind, or a --workdir for each'
                ) from None
            with writing(directory):
                self.files.sync(self.stages)  # the other may not have come this far yet

    @contextlib.contextmanager
    def open_run(
        self, label: str, fingerprint: str, identity: Mapping[str, Any], named: bool = False
    ) -> Iterator[Run]:
        """Begins or resumes a run, alone: a second process on its directory is refused.

        Args:
          label: the readable part of the directory's name.
          fingerprint: the digest part of it.
          identity: all that must stay as it was when the run began: 'configuration' (flag ->
            value), digests of model and data, versions, device, threads, ...
          named: whether the user chose the label; then no other run in `workdir` may have it.

        Raises:
          StoreError: another process works in the directory; the identity is not the recorded
            one; the label means another run; the disk refuses.
        """
        with runs.open_run(self.workdir, label, fingerprint, identity, named, self.files) as run:
            owner = run.directory.name
            ensure_directory(self.stages, self.files)
            with writing(self.stages):
                for stale in sorted(self.stages.glob(f'{TEMPORARY}{owner}~*')):
                    self.files.remove(stale)
                # A run killed between a rename and its sync left stages that are only seen.
                self.files.sync(self.stages)
            before, self.owner = self.owner, owner
            try:
                yield run
            finally:
                self.owner = before


def _advice(stage: Path) -> str:
    return f'remove {stage} and run the same command again: only this stage is trained anew'
