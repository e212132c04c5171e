"""Which round prunes what: the whole search as counts, before anything is trained."""

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction

from lth_keras import errors
from lth_keras.allocation import Pool, Rate, fraction, removals

MOST_ROUNDS = 1000


@dataclasses.dataclass(frozen=True)
class RoundPlan:
    """Round r: prune the mask of round `source` by the weights that `pools` count."""

    round: int
    source: int
    pools: tuple[Pool, ...]
    kept: int
    size: int

    @property
    def density(self) -> float:
        """Share of the weights that this round trains, in [0, 1]."""
        return self.kept / self.size if self.size else 1.0


@dataclasses.dataclass(frozen=True)
class Counting:
    """How one round counts: rates per kernel, scope and rounding (see `allocation.removals`)."""

    sizes: Mapping[str, int]
    rates: Mapping[str, Rate]
    scope: str = 'layerwise'
    rounding: str = 'half_even'
    outside: int = 0

    def after(self, survivors: Mapping[str, int] | int) -> tuple[tuple[Pool, ...], int]:
        """The pools of one more round and the number of weights kept after it."""
        if isinstance(survivors, int):
            # Global counts need totals only: which kernel loses them is known after training.
            paths = tuple(p for p in self.sizes if fraction(self.rates[p]) > 0)
            if not paths:
                return (), survivors
            fixed = sum(size for path, size in self.sizes.items() if path not in paths)
            left = {'*': survivors - fixed}
            rate = {'*': self.rates[paths[0]]}
            found = removals(left, rate, 'global', self.rounding, self.outside + fixed)
            lost = max(0, min(sum(p.count for p in found), survivors - fixed - len(paths)))
            return (Pool(paths, lost),), survivors - lost
        pools = tuple(removals(survivors, self.rates, self.scope, self.rounding, self.outside))
        return pools, sum(survivors.values()) - sum(pool.count for pool in pools)


def iterative(counting: Counting, rounds: int) -> list[RoundPlan]:
    """Every round removes the same share of the survivors of the round before.

    >>> lenet = Counting({'a': 235200, 'b': 30000, 'c': 1000}, {'a': 0.2, 'b': 0.2, 'c': 0.1})
    >>> [plan.kept for plan in iterative(lenet, 7)]
    [213060, 170538, 136511, 109282, 87490, 70051, 56094]

    Source: Frankle & Carbin 2019, section 2.
    """
    if counting.scope == 'global':
        removals(counting.sizes, counting.rates, 'global', counting.rounding)  # equal rates?
    left = dict(counting.sizes)
    plans: list[RoundPlan] = []
    size = sum(counting.sizes.values())
    total = size
    for number in range(1, rounds + 1):
        if counting.scope == 'global':
            pools, total = counting.after(total)
        else:
            pools, total = counting.after(left)
            for pool in pools:
                left[pool.paths[0]] -= pool.count
        if not sum(pool.count for pool in pools):
            raise errors.ConfigError(
                f'round {number}: nothing left to prune, {total} of {size} weights remain and '
                f'the rates round to 0; ask for at most {number - 1} rounds'
            )
        plans.append(RoundPlan(number, number - 1, pools, total, size))
    return plans


def one_shot(counting: Counting, rounds: int) -> list[RoundPlan]:
    """Round r prunes the dense network at once to the counts of r iterative rounds.

    >>> lenet = Counting({'a': 235200, 'b': 30000, 'c': 1000}, {'a': 0.2, 'b': 0.2, 'c': 0.1})
    >>> one_shot(lenet, 7)[-1].kept, [pool.count for pool in one_shot(lenet, 7)[-1].pools]
    (56094, [185875, 23709, 522])

    Source: Frankle & Carbin 2019, appendix on one-shot pruning: 1 - (1 - p)^r in one step.
    """
    plans: list[RoundPlan] = []
    lost: dict[tuple[str, ...], int] = {}
    for plan in iterative(counting, rounds):
        for pool in plan.pools:
            lost[pool.paths] = lost.get(pool.paths, 0) + pool.count
        pools = tuple(Pool(paths, count) for paths, count in lost.items())
        plans.append(dataclasses.replace(plan, source=0, pools=pools))
    return plans


def rounds_to(counting: Counting, target: float) -> int:
    """The first number of rounds after which the density is at most `target`.

    >>> lenet = Counting({'a': 235200, 'b': 30000, 'c': 1000}, {'a': 0.2, 'b': 0.2, 'c': 0.1})
    >>> rounds_to(lenet, 0.036), rounds_to(lenet, 0.2)
    (15, 8)
    """
    goal = _target(target)
    for number in range(1, MOST_ROUNDS + 1):
        try:
            plan = iterative(counting, number)[-1]
        except errors.ConfigError as e:
            least = iterative(counting, number - 1)[-1].density if number > 1 else 1.0
            raise errors.ConfigError(
                f'target density {target} is not reached: these rates stop at {least:.2g}, after '
                f'{number - 1} rounds; ask for a density above it'
            ) from e
        if Fraction(plan.kept, plan.size) <= goal:
            return number
    raise errors.ConfigError(
        f'target density {target} is not reached within {MOST_ROUNDS} rounds; raise the rates'
    )


def one_shot_to(counting: Counting, target: float) -> list[RoundPlan]:
    """One pruning of the dense network that keeps exactly round(target * size) weights.

    Rates of unequal kernels keep their proportion in the logarithm: kernel i keeps a share
    (1 - rate_i)^t with the one real t that meets the total; whole counts by largest remainder.

    >>> lenet = Counting({'a': 235200, 'b': 30000, 'c': 1000}, {'a': 0.2, 'b': 0.2, 'c': 0.1})
    >>> one_shot_to(lenet, 0.05)[0].kept == round(0.05 * 266200)
    True
    """
    goal = _target(target)
    size = sum(counting.sizes.values())
    kept = round(goal * size)
    rates = {path: float(fraction(counting.rates[path])) for path in counting.sizes}
    paths = [path for path, rate in rates.items() if rate > 0]
    fixed = sum(n for path, n in counting.sizes.items() if path not in paths)
    if kept == size:
        raise errors.ConfigError(
            f'target density {target}: expected at least one of {size} weights to go, received a '
            'target that keeps them all; ask for a smaller density'
        )
    if kept < fixed + len(paths):
        raise errors.ConfigError(
            f'target density {target}: expected at least {fixed + len(paths)} of {size} weights '
            f'to stay (one per kernel, and kernels of rate 0), received a target of {kept}'
        )
    if counting.scope == 'global':
        return [RoundPlan(1, 0, (Pool(tuple(paths), size - kept),), kept, size)]
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        share = sum(counting.sizes[p] * (1 - rates[p]) ** middle for p in paths)
        low, high = (middle, high) if share > kept - fixed else (low, middle)
    exact = {p: counting.sizes[p] * (1 - rates[p]) ** low for p in paths}
    whole = {p: max(1, int(x)) for p, x in exact.items()}
    order: Sequence[str] = sorted(paths, key=lambda p: int(exact[p]) - exact[p])
    missing = kept - fixed - sum(whole.values())
    for path in list(order) * (abs(missing) + 1):
        if not missing:
            break
        step = 1 if missing > 0 else -1
        if 1 <= whole[path] + step <= counting.sizes[path]:
            whole[path] += step
            missing -= step
    pools = tuple(Pool((p,), counting.sizes[p] - whole[p]) for p in paths)
    return [RoundPlan(1, 0, pools, kept, size)]


def _target(target: float) -> Fraction:
    try:
        exact = Fraction(str(target))
    except ValueError:
        exact = Fraction(0)
    if not 0 < exact < 1:
        raise errors.ConfigError(
            f'target density: expected a kept share in (0, 1), received {target}; 0.036 keeps 3.6%'
        )
    return exact
