"""The density axis, labelled where there is room; and what is shown where there is too much."""

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

from matplotlib import ticker
from matplotlib.axes import Axes

T = TypeVar('T')

CHARACTER = 5.3  # points that a character of a tick label is wide


def label_positions(densities: Sequence[float], gap: float) -> list[float]:
    """The densities that get a label: none nearer than `gap` decades, the ends before others.

    Args:
        densities: measured densities in (0, 1].
        gap: least distance of two labels in log10(density).

    >>> label_positions([1.0, 0.8, 0.64, 0.512, 0.41], gap=0.15)
    [1.0, 0.64, 0.41]
    """
    ordered = sorted(set(densities), reverse=True)

    def apart(a: float, b: float) -> bool:
        return math.log10(a / b) >= gap - 1e-9

    greedy = ordered[:1]
    for density in ordered[1:]:
        if apart(greedy[-1], density):
            greedy.append(density)
    chosen = greedy
    # Every k-th reads better than the nearest that fits, unless the spacing is too uneven for it.
    for k in range(1, len(ordered) + 1):
        regular = ordered[::k]
        if all(map(apart, regular, regular[1:])):
            chosen = regular if len(regular) >= 0.7 * len(greedy) else greedy
            break
    last = ordered[-1]
    if chosen[-1] == last:
        return chosen
    if len(chosen) > 1 and not apart(chosen[-1], last):
        chosen = chosen[:-1]
    # Without room for two labels the lower end goes unlabelled.
    return [*chosen, last] if apart(chosen[-1], last) else chosen


def show_percent(density: float) -> str:
    """A density as a plain number with three significant digits.

    >>> show_percent(1.0), show_percent(0.64), show_percent(0.00378)
    ('100%', '64.0%', '0.378%')
    """
    return f'{100 * density:#.3g}'.rstrip('.') + '%'


def decades(densities: Iterable[float]) -> float:
    """Width of a range of densities in log10; that of one pruning round if there is one only.

    >>> decades([1.0, 0.01]), decades([0.5])
    (2.0, 0.1)
    """
    found = list(densities)
    return max(math.log10(max(found) / min(found)), 0.1)


def density_axis(axes: Axes, densities: Iterable[float], width: float) -> None:
    """Ticks at the densities; those for which a panel `width` inches wide has room are labelled.

    Args:
        axes: the axes.
        densities: those that are drawn, in (0, 1]; nothing is done without any.
        width: of the panel, its y axis and margins included.
    """
    found = sorted({density for density in densities if density > 0}, reverse=True)
    if not found:
        return
    wide = decades(found)
    axes.set_xscale('log')
    pad = 10 ** (0.04 * wide)
    axes.set_xlim(found[0] * pad, found[-1] / pad)
    points = 72 * max(width - 1.0, 0.5)  # 1 inch for the y axis and the margins
    # 8 points keep two labels apart.
    label = CHARACTER * max(len(show_percent(density)) for density in found) + 8
    labelled = label_positions(found, wide * 1.08 * label / points)
    axes.xaxis.set_major_locator(ticker.FixedLocator(labelled))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: show_percent(x)))
    axes.xaxis.set_minor_locator(ticker.FixedLocator(sorted(set(found) - set(labelled))))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.tick_params(axis='x', labelsize=9)
    axes.set_xlabel('weights kept (density)')


def chosen(values: Sequence[T], count: int) -> list[T]:
    """At most `count` of the values, spread evenly, both ends included.

    >>> chosen([0, 1, 2, 3, 4, 5, 6], 4), chosen([3], 4)
    ([0, 2, 4, 6], [3])
    """
    if len(values) <= count:
        return list(values)
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]
