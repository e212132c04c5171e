"""State of a Keras optimizer: slots of a weight, a fresh start, the position of its schedule."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lth_keras import errors
from lth_keras._compat import legacy_key, tf_keras


def inner(optimizer: Any) -> Any:
    """The optimizer below a loss-scaling one, or the optimizer itself."""
    return getattr(optimizer, 'inner_optimizer', optimizer)


def slots(optimizer: Any, variables: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """(model variable, optimizer variable that belongs to it), momentum and averages alike."""
    optimizer = inner(optimizer)
    if hasattr(optimizer, 'get_slot_names'):  # tf_keras.optimizers.legacy
        for variable in variables:
            for name in optimizer.get_slot_names():
                if name in optimizer._slots.get(legacy_key(variable), {}):
                    yield variable, optimizer.get_slot(variable, name)
        return
    index = getattr(optimizer, '_index_dict', None) or {}
    lists = [
        value
        for value in vars(optimizer).values()
        if isinstance(value, list) and len(value) == len(index) and value is not index
    ]
    for variable in variables:
        position = index.get(optimizer._var_key(variable))
        for slot_list in lists if position is not None else []:
            if hasattr(slot_list[position], 'assign'):
                yield variable, slot_list[position]


def clear(optimizer: Any, variables: Sequence[Any], kept: Mapping[int, np.ndarray]) -> None:
    """Sets the slot entries of pruned weights as before a first update: no momentum is left.

    An average of weights becomes 0.0, as the weight is.

    Args:
      optimizer: a built optimizer.
      variables: the model variables that it trains, all of them.
      kept: id(variable) -> mask, for the variables that have one.
    """
    if not built(optimizer):
        return
    # Not zeros: FTRL divides by its accumulators.
    new = dict(zip(map(id, state(optimizer)), fresh(optimizer, variables), strict=True))
    averages = getattr(inner(optimizer), '_model_variables_moving_average', [])
    new.update({id(average): np.zeros((), average.numpy().dtype) for average in averages})
    for variable, slot in slots(optimizer, variables):
        mask = kept.get(id(variable))
        if mask is not None and tuple(slot.shape) == mask.shape:
            slot.assign(np.where(mask, slot.numpy(), new[id(slot)]))


def check_rewindable(optimizer: Any) -> None:
    """Refuses, by name, an optimizer that cannot be started again.

    Raises:
      ConfigError: Nadam, which counts updates in Python while it is traced.
    """
    if isinstance(inner(optimizer), tf_keras.optimizers.Nadam):
        raise errors.ConfigError(
            'Nadam cannot be rewound: Keras keeps part of its state outside of variables; use Adam'
        )


def built(optimizer: Any) -> bool:
    """Whether the optimizer has its variables; Keras makes them in the first update."""
    low = inner(optimizer)
    return bool(getattr(low, '_built', False) or getattr(low, '_slots', None))


def fresh(optimizer: Any, variables: Sequence[Any]) -> list[np.ndarray]:
    """The values that all variables of such an optimizer have before its first update.

    Not simply zeros: Adagrad's accumulators and Nadam's products start elsewhere, and weight
    averages start at the weights, so call this when `variables` hold what training starts from.
    """
    rate = learning_rate(optimizer)
    try:
        # A schedule of the user's own may have no configuration; the twin never reads it.
        set_learning_rate(optimizer, 0.0)
        twin = type(optimizer).from_config(optimizer.get_config())
    finally:
        set_learning_rate(optimizer, rate)
    build(twin, variables)
    return [variable.numpy() for variable in state(twin)]


def build(optimizer: Any, variables: Sequence[Any]) -> None:
    """Creates the optimizer's variables, which Keras otherwise does in the first update."""
    with tf.init_scope():
        if hasattr(inner(optimizer), '_create_all_weights'):
            inner(optimizer)._create_all_weights(list(variables))
        elif hasattr(optimizer, 'build'):
            optimizer.build(list(variables))


def state(optimizer: Any) -> list[Any]:
    """Every variable of the optimizer but the learning rate, in a fixed order, counter included."""
    low = inner(optimizer)
    known = low.variables
    result = list(known() if callable(known) and not isinstance(known, list) else known)
    seen = {id(variable) for variable in result}
    # Some stand outside the list; the loss scale is kept by the wrapper.
    others = [v for name, v in vars(low).items() if 'learning_rate' not in name]
    others += list(getattr(getattr(optimizer, '_loss_scale', None), '_weights', {}).values())
    return result + [v for v in others if isinstance(v, tf.Variable) and id(v) not in seen]


def learning_rate(optimizer: Any) -> Any:
    """The schedule object, or the variable or number that is the learning rate."""
    low = inner(optimizer)
    return low._learning_rate if hasattr(low, '_learning_rate') else low._hyper['learning_rate']


def set_learning_rate(optimizer: Any, rate: Any) -> None:
    """Puts a schedule, variable or number in the place of the learning rate, as it is."""
    low = inner(optimizer)
    if hasattr(low, '_learning_rate'):
        low._learning_rate = rate
    else:
        low._hyper['learning_rate'] = rate


def shifted(optimizer: Any) -> 'ShiftedSchedule | None':
    """The optimizer's learning-rate schedule, made one that can be shifted; None if it has none."""
    rate = learning_rate(optimizer)
    if isinstance(rate, ShiftedSchedule):
        return rate
    if not isinstance(rate, tf_keras.optimizers.schedules.LearningRateSchedule):
        return None
    made = ShiftedSchedule(rate)
    set_learning_rate(optimizer, made)
    return made


@tf_keras.utils.register_keras_serializable('lth_keras')
class ShiftedSchedule(tf_keras.optimizers.schedules.LearningRateSchedule):
    """A learning-rate schedule read `offset` steps later: lr(step) = schedule(step + offset).

    The optimizer's own counter starts at 0 after a rewind, since Adam's bias correction reads it
    too; the schedule goes on at the rewind point.

    >>> linear = tf_keras.optimizers.schedules.PolynomialDecay(1.0, 100, 0.0)
    >>> shifted = ShiftedSchedule(linear)
    >>> shifted.offset.assign(50) is not None, float(shifted(0)), float(shifted(25))
    (True, 0.5, 0.25)
    """

    def __init__(self, schedule: Any, offset: int = 0):
        self.schedule = schedule
        with tf.init_scope():
            self.offset = tf.Variable(offset, dtype=tf.int64, trainable=False, name='offset')

    def __call__(self, step: Any) -> Any:
        return self.schedule(tf.cast(step, tf.int64) + self.offset)

    def get_config(self) -> dict[str, Any]:
        return {
            'schedule': tf_keras.optimizers.schedules.serialize(self.schedule),
            'offset': int(self.offset.numpy()),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> 'ShiftedSchedule':
        schedule = tf_keras.optimizers.schedules.deserialize(config['schedule'])
        return cls(schedule, config['offset'])
