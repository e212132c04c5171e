"""From the settings of an experiment to what they name: data, network builder, optimizer."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from lth_keras import data, errors, models, optimizers, steps
from lth_keras._compat import Model
from lth_keras.data import Data, changes
from lth_keras.experiment import Experiment
from lth_keras.initializers import initializer
from lth_keras.learning_rates import LearningRate


def loaded(experiment: Experiment) -> Data:
    """The data set that the experiment names, split."""
    source = experiment.dataset, experiment.data_dir, experiment.download
    return data.load(*source, experiment.split_seed, experiment.validation_examples)


def changed(given: Data, experiment: Experiment) -> Data:
    """The data as the experiment wants them: a subset, then noisy labels, then normalised; once."""
    if given.prepared:
        return given
    seed = experiment.split_seed
    made = changes.subset(given, experiment.train_examples, experiment.test_examples, seed)
    made = changes.noisy(made, experiment.label_noise, experiment.label_noise_kind, seed)
    made = changes.NORMALISATIONS.get(experiment.normalisation)(made)
    return dataclasses.replace(made, prepared=True)


def per_epoch(experiment: Experiment, made: Data) -> int:
    """Optimizer steps of one epoch."""
    examples = len(made.train[1])
    return steps.Epochs(examples, experiment.batch_size, 0, experiment.drop_remainder).per_epoch


def builder(experiment: Experiment, made: Data, factor: float = 1.0) -> Callable[[], Model]:
    """A builder of the network for such data, its width multiplied by `factor`.

    Raises:
      ConfigError: an option that the network does not have.
    """
    width = experiment.width * factor
    wanted = {
        'hidden': experiment.hidden or None,
        'depth': experiment.depth,
        'dropout': experiment.dropout or None,
        'initializer': _initializer(experiment),
        'width': None if width == 1.0 else width,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    return models.builder(experiment.model, made.input_shape, made.classes, **given)


def _initializer(experiment: Experiment) -> str | dict[str, Any] | None:
    """What kernels are drawn from; None leaves it to the network."""
    name, scale = experiment.initializer, experiment.initializer_scale
    if name == 'own' and scale == 1.0:
        return None
    if name == 'own':
        taken = inspect.signature(models.MODELS.resolve(experiment.model)).parameters
        name = getattr(taken.get('initializer'), 'default', None)
        if not isinstance(name, str):
            raise errors.ConfigError(
                f'initializer_scale: expected --initializer beside it, since {experiment.model!r} '
                'does not name its own'
            )
    return initializer(name, scale)


def optimizer(experiment: Experiment) -> Any:
    """A new optimizer with its learning rate: a number, or a schedule over the steps."""
    e = experiment
    rate: Any = e.learning_rate
    if e.learning_rate_schedule != 'constant' or e.warmup_steps:
        rate = LearningRate(
            e.learning_rate,
            e.learning_rate_schedule,
            e.training_steps,
            e.learning_rate_boundaries,
            e.learning_rate_decay,
            e.warmup_steps,
        )
    decay = e.weight_decay if optimizers.decouples(e.optimizer) else None
    return optimizers.make(e.optimizer, rate, {'momentum': e.momentum, 'weight_decay': decay})


def coupled_decay(experiment: Experiment) -> float:
    """The weight decay that enters gradients: all of it unless the optimizer has its own."""
    if optimizers.decouples(experiment.optimizer):
        return 0.0
    return experiment.weight_decay or 0.0
