"""The contestants by name: what they are, what they are compared with, where they are made."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Contestant:
    """One row of the tables.

    Args:
      name: value of `--contestants`.
      title: what the row is, in the tables.
      make: 'module:function' that makes it, in `tools.benchmarks`.
      masked: whether the masks are held; decides whose weights it must have.
      agrees: whether its weights must be those of plain `fit`.
      only: networks that it exists for; all if empty.
    """

    name: str
    title: str
    make: str
    masked: bool = False
    agrees: bool = True
    only: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """Whose weights it must have."""
        return 'fit_held' if self.masked else 'fit'


FITS = ('fit', 'fit_many', 'fit_jit')  # plain fit, compiled and not
YARDSTICK, CEILING = 'by_hand', 'ceiling'
LENET = ('lenet',)

TRAINING = (
    Contestant('fit', 'plain `fit`', 'fitting:fit'),
    Contestant('fit_many', '`fit`, 100 steps per execution', 'fitting:fit_many'),
    Contestant('fit_jit', '`fit`, 100 steps per execution, XLA', 'fitting:fit_jit'),
    Contestant('fit_held', 'plain `fit`, masks by a constraint', 'fitting:fit_held', masked=True),
    Contestant('tfmot', 'tfmot + `fit`, masks of ones', 'fitting:tfmot_idle'),
    Contestant(
        'tfmot_stock', 'tfmot + `fit`, masks of its own', 'fitting:tfmot_stock', agrees=False
    ),
    Contestant('library_dense', 'search path, dense', 'library:library_dense'),
    Contestant('library_masked', 'search path, masked', 'library:library_masked', masked=True),
    Contestant(
        *('library_plain', 'search path, masked, not compiled', 'library:library_plain'),
        masked=True,
        only=LENET,
    ),
    Contestant(
        *('library_mirrored', 'search path, masked, two replicas', 'library:library_mirrored'),
        masked=True,
        only=LENET,
    ),
    Contestant(
        *('library_bfloat16', 'search path, masked, bfloat16', 'library:library_bfloat16'),
        agrees=False,
        only=('conv_2', 'resnet_20'),
    ),
    Contestant('library_fit_dense', '`Batches` in `fit`, dense', 'library:library_fit_dense'),
    Contestant(
        *('library_fit_masked', '`Batches` in `fit`, masked', 'library:library_fit_masked'),
        masked=True,
    ),
    Contestant(*(YARDSTICK, 'written by hand, masked', 'by_hand:by_hand'), masked=True, only=LENET),
    Contestant(CEILING, 'best matrix product', 'ceiling:ceiling', agrees=False),
)

EVALUATION = (
    Contestant('evaluation', "the library's evaluation", 'evaluation:evaluation'),
    Contestant('forward_plain', 'bare forward pass', 'evaluation:forward_plain'),
    Contestant('forward_compiled', 'bare forward pass, XLA', 'evaluation:forward_compiled'),
)

# (masked, dense): what holding a mask costs.
PAIRS = (
    ('library_masked', 'library_dense'),
    ('library_fit_masked', 'library_fit_dense'),
)


def chosen(names: Sequence[str], network: str) -> list[Contestant]:
    """The named contestants that exist for a network, and those that they are judged by.

    >>> [one.name for one in chosen(['library_masked', 'by_hand'], 'lenet')]
    ['fit_held', 'library_masked', 'by_hand', 'ceiling']
    >>> [one.name for one in chosen(['fit_jit', 'by_hand'], 'conv_2')]
    ['fit', 'fit_jit']
    """
    known = {one.name: one for one in TRAINING}
    wanted = {name for name in names if not known[name].only or network in known[name].only}
    needed = {known[name].reference for name in wanted if known[name].agrees}
    if YARDSTICK in wanted:
        needed.add(CEILING)
    return [one for one in TRAINING if one.name in wanted | needed]
