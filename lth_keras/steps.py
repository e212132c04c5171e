"""Steps of training as plain numbers: durations, marks, epochs, and the batches between them."""

import dataclasses
import functools
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from lth_keras import errors, seeds

# A length of training: whole steps, or epochs as text ('3ep').
Duration = int | str
_EPOCHS = re.compile(r'(\d+(?:\.\d*)?|\.\d+)\s*ep')


def duration(value: Any) -> Duration:
    """A length of training in its one form: whole steps, or epochs with the unit `ep`.

    >>> duration('500'), duration('3ep'), duration('1.50 ep'), duration('0ep')
    (500, '3ep', '1.5ep', 0)

    Raises:
      ConfigError: neither of the two.
    """
    text = str(value).strip()
    if not isinstance(value, bool) and re.fullmatch(r'-?\d+', text):
        return int(text)
    epochs = _EPOCHS.fullmatch(text)
    if epochs is None:
        raise errors.ConfigError(
            f"expected a whole number of steps, or epochs such as '3ep', received {value!r}"
        )
    number = Decimal(epochs[1])
    return f'{number.normalize():f}ep' if number else 0


def in_steps(value: Duration, per_epoch: int) -> int:
    """A duration in optimizer steps; parts of an epoch are rounded, ties to even.

    >>> in_steps('3ep', 917), in_steps('0.5ep', 917), in_steps(500, 917)
    (2751, 458, 500)
    """
    value = duration(value)
    return value if isinstance(value, int) else round(Fraction(value[:-2]) * per_epoch)


def shorter(one: Duration, other: Duration) -> bool | None:
    """Whether `one` is shorter than `other`; None if only the data set can tell.

    Steps and epochs are never compared as numbers: 500 steps may be more than 3 epochs, or less.

    >>> shorter(500, 600), shorter('2ep', '1.5ep'), shorter(500, '3ep'), shorter(0, '3ep')
    (True, False, None, True)
    """
    one, other = duration(one), duration(other)
    if 0 in (one, other):
        return one == 0 and other != 0
    if isinstance(one, int) != isinstance(other, int):
        return None
    return in_steps(one, 10**6) < in_steps(other, 10**6)


def marks(start: int, stop: int, every: int, extra: Sequence[int] = ()) -> list[int]:
    """Steps at which training pauses to be looked at: multiples of `every`, the ends, `extra`.

    >>> marks(0, 250, 100, extra=[30])
    [0, 30, 100, 200, 250]
    """
    regular = range(-(-start // every) * every, stop + 1, every)
    return sorted({start, stop, *regular, *(s for s in extra if start <= s <= stop)})


@dataclasses.dataclass(frozen=True)
class Epochs:
    """Seeded batches without replacement, each epoch in an order of its own.

    Step s (0-based) uses batch s mod `per_epoch` of epoch s div `per_epoch`. The last batch of an
    epoch is smaller if the batch size does not divide the number of examples, or left out with
    `drop_remainder`. The order depends on (seed, epoch) alone, so a training that starts at step
    k meets the batches that training from 0 would meet there. Without a seed the order is that of
    the examples.

    >>> epochs = Epochs(examples=5, batch_size=2, seed=0)
    >>> epochs.per_epoch, [batch.tolist() for batch in epochs.blocks(0, 4)]
    (3, [[[1, 3], [2, 0]], [[4]], [[3, 0]]])
    """

    examples: int
    batch_size: int
    seed: int | None
    drop_remainder: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.batch_size <= self.examples:
            raise errors.ConfigError(
                f'batch size: expected between 1 and the {self.examples} training examples, '
                f'received {self.batch_size}'
            )

    @property
    def per_epoch(self) -> int:
        """Number of steps in an epoch."""
        full = self.examples // self.batch_size
        return full if self.drop_remainder else -(-self.examples // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the examples in one epoch, int32."""
        return _order(self.examples, self.seed, epoch)

    def blocks(self, start: int, stop: int, most: int = 1 << 30) -> Iterator[np.ndarray]:
        """Index blocks (steps, batch) that cover the steps [start, stop), at most `most` long.

        A block never mixes full batches with a smaller last one, nor two epochs.
        """
        full = self.examples // self.batch_size
        order, known = np.empty(0, np.int32), -1
        while start < stop:
            epoch, batch = divmod(start, self.per_epoch)
            if epoch != known:
                order, known = self.order(epoch), epoch
            if batch == full:
                yield order[full * self.batch_size :][np.newaxis]
                start += 1
                continue
            count = min(stop - start, full - batch, most)
            first = batch * self.batch_size
            yield order[first : first + count * self.batch_size].reshape(count, self.batch_size)
            start += count


@functools.lru_cache(maxsize=2)  # asked for at every pause of training, with a new epoch seldom
def _order(examples: int, seed: int | None, epoch: int) -> np.ndarray:
    if seed is None:
        order = np.arange(examples, dtype=np.int32)
    else:
        order = seeds.permutation(examples, seeds.derive(seed, 'order', epoch))
    order.flags.writeable = False
    return order
