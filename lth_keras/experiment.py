"""The frozen configuration of a search; flags, help texts and fingerprint follow from it."""

import contextlib
import dataclasses
import re
import typing
from typing import Any

from lth_keras import allocation, digests, engine, errors
from lth_keras.controls import CONTROLS
from lth_keras.criteria import CRITERIA
from lth_keras.data import DATASETS
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.fields import check, field, typed
from lth_keras.models import MODELS
from lth_keras.optimizers import OPTIMIZERS
from lth_keras.precisions import PRECISIONS
from lth_keras.schedules import PROCEDURES
from lth_keras.strategies import STRATEGIES

# Raised when a default below changes its meaning; enters every fingerprint.
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One search for lottery tickets, completely described; fractions are never percent.

    >>> Experiment(rate=1.5)
    Traceback (most recent call last):
    lth_keras.errors.ConfigError: rate: expected a number in [0, 1), received 1.5
    >>> Experiment(dataset='mnsit')
    Traceback (most recent call last):
    lth_keras.errors.ConfigError: dataset: unknown dataset 'mnsit': did you mean 'mnist'? Known: \
cifar10, cifar100, digits, fashion_mnist, mnist.
    """

    model: str = field('lenet_300_100', 'network', MODELS, own=True)
    dataset: str = field('digits', 'data set', DATASETS, own=True)
    data_dir: str = field('', 'folder of prepared TFDS data sets', bits=False)
    download: bool = field(False, 'fetch a data set that is not in data_dir', bits=False)
    split_seed: int = field(0, 'seed of the train / validation split', low=0)
    procedure: str = field('resetting', 'what happens between rounds', PROCEDURES)
    rounds: int = field(9, 'number of prunings; rounds + 1 networks are trained', bits=False, low=0)
    target_density: float | None = field(
        None,
        'kept share to reach, instead of --rounds',
        bits=False,
        low=0,
        high=1,
        open_ends=True,
    )
    rate: float = field(0.2, 'share of the survivors that a round removes', low=0, high=1)
    conv_rate: float | None = field(
        None, 'the same for convolutions; rate if not given', low=0, high=1
    )
    output_rate: float | None = field(
        None,
        'the same for output kernels; if not given, half of rate layer-wise and rate globally',
        low=0,
        high=1,
    )
    shortcut_rate: float | None = field(
        None, 'the same for 1x1 shortcut convolutions; conv_rate if not given', low=0, high=1
    )
    scope: str = field('layerwise', 'where scores compete', allocation.SCOPES)
    include: tuple[str, ...] = field((), 'kernel paths or patterns that alone may be pruned')
    exclude: tuple[str, ...] = field((), 'kernel paths or patterns that may not be pruned')
    criterion: str = field('large_final', 'score that decides which weights stay', CRITERIA)
    rounding: str = field('half_even', 'how a share becomes a count', allocation.ROUNDINGS)
    training_steps: int = field(2000, 'optimizer steps from initialisation to the end', low=1)
    batch_size: int = field(60, 'examples per step', low=1)
    drop_remainder: bool = field(False, 'leave out the smaller last batch of an epoch')
    augmentation: str = field('none', 'random changes of the training inputs', AUGMENTATIONS)
    optimizer: str = field('adam', 'optimizer', OPTIMIZERS)
    learning_rate: float = field(1.2e-3, 'learning rate', low=0, open_ends=True)
    eval_every: int = field(100, 'steps between evaluations on the validation part', low=1)
    rewind_step: int = field(0, 'step whose weights survivors return to; 0 = initial', low=0)
    replicates: int = field(3, 'number of seeds', bits=False, low=1)
    seed: int = field(0, 'seed of the first replicate; the next ones count up', low=0)
    controls: tuple[str, ...] = field(
        ('reinit',), 'controls beside the ticket', CONTROLS, bits=False
    )
    control_rounds: tuple[int, ...] = field(
        (), 'rounds with controls; every pruned round if not given', bits=False, low=1
    )
    engine: str = field(
        'auto',
        'compiled (XLA) or plain; auto is a fixed rule, probe measures both once per workdir',
        engine.ENGINES,
    )
    precision: str = field(
        'float32', 'what layers compute in; weights and masks stay float32', PRECISIONS
    )
    strategy: str = field('one_device', 'tf.distribute strategy', STRATEGIES)
    threads: int = field(
        0, 'threads of the processor; 0 leaves it to TensorFlow', bits=False, low=0
    )
    label: str = field('', 'name of the run; made from model and data set if not given', bits=False)
    workdir: str = field('runs', 'folder that holds runs and stages', bits=False)
    export: tuple[str, ...] = field(
        ('smallest_matching',),
        'rounds whose tickets are exported, or smallest_matching, or none',
        bits=False,
    )
    margin: float = field(
        0.005,
        'accuracy (a fraction) that a ticket may lose and still match',
        bits=False,
        low=0,
        high=1,
    )
    dry_run: bool = field(False, 'print the plan and stop', bits=False)

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for item in dataclasses.fields(self):
            given = getattr(self, item.name)
            with contextlib.suppress(TypeError):  # what cannot be compared is refused by type
                check(item.name, given, item.metadata)
            value = typed(item.name, given, hints[item.name])
            check(item.name, value, item.metadata)
            object.__setattr__(self, item.name, value)
        if self.rewind_step >= self.training_steps:
            raise errors.ConfigError(
                f'rewind_step: expected a step before the end of training '
                f'({self.training_steps}), received {self.rewind_step}'
            )
        if self.eval_every > self.training_steps:
            raise errors.ConfigError(
                f'eval_every: expected at most training_steps ({self.training_steps}), received '
                f'{self.eval_every}; early stop chooses among the evaluations'
            )
        for value in self.export:
            if value not in ('smallest_matching', 'none') and not value.isdecimal():
                raise errors.ConfigError(
                    f'export: expected round numbers, smallest_matching or none, received {value!r}'
                )

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
    return [experiment.seed + replicate for replicate in range(experiment.replicates)]
