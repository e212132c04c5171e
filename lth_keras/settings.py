"""The fields of an experiment, by what they are about."""

import dataclasses

from lth_keras import allocation, engine
from lth_keras.controls import CONTROLS
from lth_keras.criteria import CRITERIA
from lth_keras.data import DATASETS
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.data.changes import LABEL_NOISES, NORMALISATIONS
from lth_keras.fields import field
from lth_keras.initializers import INITIALIZERS
from lth_keras.learning_rates import LEARNING_RATES
from lth_keras.models import MODELS
from lth_keras.optimizers import OPTIMIZERS
from lth_keras.precisions import PRECISIONS
from lth_keras.procedures import PARTS, PROCEDURES
from lth_keras.stopping import STOP_RULES
from lth_keras.strategies import STRATEGIES


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
    """What is trained."""

    model: str = field('lenet_300_100', 'network', MODELS, own=True)
    hidden: tuple[int, ...] = field((), 'units of each hidden layer of mlp', low=1)
    depth: int | None = field(None, 'layers of resnet, 6 n + 2', low=1)
    width: float = field(
        1.0, 'factor on filters and hidden units of the network', low=0, open_ends=True
    )
    dropout: float = field(0.0, 'share of hidden units that dropout drops', low=0, high=1)
    initializer: str = field('own', "initial weights; own: the network's", ['own', *INITIALIZERS])
    initializer_scale: float = field(
        1.0, 'factor on the deviation of the initial weights', low=0, open_ends=True
    )


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """What it is trained on."""

    dataset: str = field('digits', 'data set', DATASETS, own=True)
    data_dir: str = field('', 'folder of prepared TFDS data sets', bits=False)
    download: bool = field(False, 'fetch a data set that is not in data_dir', bits=False)
    split_seed: int = field(0, 'seed of the train / validation split', low=0)
    train_examples: int | None = field(None, 'training examples; all if not given', low=1)
    validation_examples: int | None = field(
        None, "examples held out for validation; the data set's own number if not given", low=1
    )
    test_examples: int | None = field(None, 'test examples; all if not given', low=1)
    normalisation: str = field('none', 'fixed change of the inputs', NORMALISATIONS)
    augmentation: str = field('none', 'random changes of the training inputs', AUGMENTATIONS)
    label_noise: float = field(0.0, 'share of training labels with noise', low=0, high=1)
    label_noise_kind: str = field('redraw', 'what noise does to a label', LABEL_NOISES)
    transfer_from: str = field(
        'none',
        'data set on which the tickets are found, if they are trained on another',
        ['none', *DATASETS],
    )


@dataclasses.dataclass(frozen=True)
class PruningSettings:
    """What is pruned between rounds, and where survivors return to."""

    procedure: str = field('resetting', 'what happens between rounds', PROCEDURES)
    rounds: int = field(9, 'number of prunings; rounds + 1 networks are trained', bits=False, low=0)
    only_rounds: tuple[int, ...] = field(
        (),
        'of one_shot: rounds that are trained; all if not given',
        bits=False,
        low=1,
    )
    target_density: float | None = field(
        None,
        'kept share to reach, instead of --rounds',
        bits=False,
        low=0,
        high=1,
        open_ends=True,
    )
    stop_rule: str = field('never', 'when a replicate stops before that', STOP_RULES, bits=False)
    stop_floor: float = field(
        0.0, 'of accuracy_floor: validation accuracy to keep', bits=False, low=0, high=1
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
    rewind_step: int = field(
        0, 'step (or epochs) whose weights survivors return to; 0 = initial', low=0, duration=True
    )
    rewound: tuple[str, ...] = field(
        PARTS, 'what returns to the rewind step; the rest stays as at the end of training', PARTS
    )


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How one network is trained."""

    training_steps: int = field(
        2000,
        "optimizer steps (or epochs, '3ep') from initialisation to the end",
        low=1,
        duration=True,
    )
    batch_size: int = field(60, 'examples per step', low=1)
    drop_remainder: bool = field(False, 'leave out the smaller last batch of an epoch')
    optimizer: str = field('adam', 'optimizer', OPTIMIZERS)
    learning_rate: float = field(1.2e-3, 'learning rate', low=0, open_ends=True)
    learning_rate_schedule: str = field('constant', 'learning rate over steps', LEARNING_RATES)
    learning_rate_boundaries: tuple[int, ...] = field(
        (), 'of piecewise: steps (or epochs) at which it falls', low=1, duration=True
    )
    learning_rate_decay: float = field(
        0.1, 'of piecewise: factor at each boundary', low=0, high=1, open_ends=True
    )
    warmup_steps: int = field(
        0, 'steps (or epochs) over which the learning rate rises from 0', low=0, duration=True
    )
    momentum: float | None = field(None, 'of momentum, nesterov and rmsprop', low=0, high=1)
    weight_decay: float | None = field(
        None, 'times the weight, added to its gradient (adamw: beside it)', low=0
    )
    eval_every: int = field(
        100, 'steps (or epochs) between evaluations on the validation part', low=1, duration=True
    )
    test_curve: bool = field(
        False,
        'evaluate the test part each time too, for the curves of the report; nothing is chosen by '
        'it; about doubles the time of evaluation',
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


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """How many networks, beside which controls, and where results go."""

    replicates: int = field(3, 'number of seeds', bits=False, low=1)
    first_replicate: int = field(0, 'number of the first of them', bits=False, low=0)
    seed: int = field(0, 'seed of replicate 0; the next ones count up', low=0)
    controls: tuple[str, ...] = field(
        ('reinit',), 'controls beside the ticket', CONTROLS, bits=False
    )
    control_rounds: tuple[int, ...] = field(
        (), 'rounds with controls; every pruned round if not given', bits=False, low=1
    )
    control_draws: int = field(1, 'how often each control is drawn per ticket', bits=False, low=1)
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
    tensorboard: bool = field(
        False,
        'write summaries for TensorBoard while it runs; needs pip install "lth_keras[tensorboard]"',
        bits=False,
    )
    report: bool = field(True, 'write the HTML report when the search ends', bits=False)
    dry_run: bool = field(False, 'print the plan and stop', bits=False)
