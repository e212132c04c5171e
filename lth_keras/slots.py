"""State of a Keras optimizer: slots of a weight, a fresh start, the position of its schedule."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

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
    """Zeroes the slot entries of pruned weights; `kept` maps id(variable) to its mask."""
    for variable, slot in slots(optimizer, variables):
        mask = kept.get(id(variable))
        if mask is not None and tuple(slot.shape) == mask.shape:
            slot.assign(np.where(mask, slot.numpy(), np.zeros((), slot.numpy().dtype)))


def fresh(optimizer: Any, variables: Sequence[Any]) -> list[np.ndarray]:
    """The values that all variables of such an optimizer have before its first update.

    Not simply zeros: Adagrad's accumulators and Nadam's products start elsewhere, and weight
    averages start at the weights, so call this when `variables` hold what training starts from.
    """
    twin = type(optimizer).from_config(optimizer.get_config())
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
    """Every variable of the optimizer, its counter included, in a fixed order."""
    variables = optimizer.variables
    return list(
        variables() if callable(variables) and not isinstance(variables, list) else variables
    )


def learning_rate(optimizer: Any) -> Any:
    """The schedule object, or the variable that holds the learning rate."""
    low = inner(optimizer)
    return getattr(low, '_learning_rate', None) or low._hyper['learning_rate']


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
