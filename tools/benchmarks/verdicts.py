"""From what was measured to what may be said: ratios per round, and what is refused."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tools.benchmarks import judging
from tools.benchmarks.contestants import CEILING, FITS, PAIRS, YARDSTICK
from tools.benchmarks.networks import Product, forward_flops, step_flops

# Loss and accuracy of an evaluation that only rounding tells apart; absolute.
SAME_EVALUATION = 1e-4


@dataclasses.dataclass(frozen=True)
class Compared:
    """What follows from the contest of one network.

    Args:
      flops: arithmetic of one step.
      share: the yardstick's rate over that of the best matrix product, per round; empty if one
        of them did not run.
      best_fit: the fastest variant of plain `fit`, or None.
      by_hand: name -> ratios to the hand-written loop, per round.
      to_fit: name -> ratios to the best `fit`.
      pairs: name of a masked contestant -> ratios to its dense twin.
      problems: why some are missing.
    """

    flops: int
    share: list[float]
    best_fit: str | None
    by_hand: dict[str, list[float]]
    to_fit: dict[str, list[float]]
    pairs: dict[str, list[float]]
    problems: list[str]


def training(result: Mapping[str, Any], judges_speed: bool = True) -> Compared:
    """The ratios of one network's contest.

    A contestant that disagrees has no ratio and serves nobody as a reference. Nor does the
    hand-written loop if it is too slow.

    Args:
      result: as `contest.training` gives it.
      judges_speed: False leaves out the rule about the yardstick: the slices of a smoke run are
        too short for it.
    """
    rows = result['contestants']
    refused = {name: row['refused'] for name, row in rows.items() if row.get('refused')}
    found = {**result['broken'], **refused}
    problems = [f'{result["network"]}, {name}: {why}' for name, why in found.items()]
    rates = {n: r['rates'] for n, r in rows.items() if n not in refused and n != CEILING}
    flops = step_flops([Product(*p) for p in result['products']], result['batch_size'])
    share: list[float] = []
    yardstick = rates.get(YARDSTICK)
    if yardstick and CEILING in rows:
        possible = [rate / flops for rate in rows[CEILING]['rates']]
        share = judging.ratios(yardstick, possible)
        why = judging.dishonest(share) if judges_speed else ''
        if why:
            problems.append(f'{result["network"]}: {why}; nothing is compared with it')
            yardstick = None
    best_fit = judging.best(rates, FITS)

    def all_over(reference: list[float] | None) -> dict[str, list[float]]:
        if reference is None:
            return {}
        return {name: judging.ratios(own, reference) for name, own in rates.items()}

    return Compared(
        flops,
        share,
        best_fit,
        all_over(yardstick),
        all_over(rates[best_fit] if best_fit else None),
        {a: judging.ratios(rates[a], rates[b]) for a, b in PAIRS if a in rates and b in rates},
        problems,
    )


def evaluation(result: Mapping[str, Any]) -> tuple[str, list[float], list[str]]:
    """The forward pass on the library's path, the library's time over its time, problems."""
    rows = result['contestants']
    own = rows['evaluation']
    bare = f'forward_{own["engine"]}'
    problems = []
    for key in ('loss', 'accuracy'):
        apart = abs(own['found'][key] - rows[bare]['found'][key])
        if not apart <= SAME_EVALUATION:
            problems.append(
                f'{result["network"]}, evaluation: the {key} differs by {apart:.2g} from that of '
                f'the forward pass, expected at most {SAME_EVALUATION:g}'
            )
    times = [] if problems else judging.ratios(rows[bare]['rates'], own['rates'])
    return bare, times, problems


def evaluation_flops(result: Mapping[str, Any]) -> int:
    """Arithmetic of one forward pass over the validation part."""
    return forward_flops([Product(*p) for p in result['products']], result['validation'])


def problems(results: Mapping[str, Any]) -> list[str]:
    """All that makes a run of the benchmark fail."""
    found: list[str] = list(results.get('broken', []))
    growth = results.get('growth', {})
    for result in [*results.get('contest', []), *growth.get('widths', [])]:
        judges_speed = not results['smoke'] and result in results.get('contest', [])
        found += training(result, judges_speed).problems
    for result in results.get('evaluation', []):
        found += evaluation(result)[2]
    return found
