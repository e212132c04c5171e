"""Numbers, sizes, ages and tables as text; what comes from outside cannot act on a terminal."""

import math
from collections.abc import Callable, Sequence
from typing import Any

ABSENT = '-'


def clean(text: Any) -> str:
    """The text in one line, each character that does not print replaced by '?'.

    Labels and names of models come from files: an escape sequence in them would reach the terminal.

    >>> clean('net\\x1b[2J\\n'), clean('réseau 1')
    ('net?[2J?', 'réseau 1')
    """
    return ''.join(c if c.isprintable() else '?' for c in str(text))


def said(value: Any) -> str:
    """A text of a record, '-' if it is none.

    >>> said('digits'), said(None), said('')
    ('digits', '-', '-')
    """
    return clean(value) if isinstance(value, str) and value else ABSENT


def number(value: Any) -> float | None:
    """A finite number of a record, None for anything else.

    >>> number(3), number(float('nan')), number('3'), number(True)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def fraction(value: float | None) -> str:
    """A density or an accuracy with four decimals, or three digits below 0.1.

    >>> fraction(0.90909), fraction(0.0037812), fraction(0.0), fraction(None)
    ('0.9091', '0.00378', '0.0000', '-')
    """
    if value is None:
        return ABSENT
    return f'{value:#.3g}' if 0 < value < 0.1 else f'{value:.4f}'


def size(count: int) -> str:
    """Bytes with a decimal unit.

    >>> size(0), size(999), size(1_234_567), size(42_000_000), size(7 * 10**15)
    ('0 B', '999 B', '1.2 MB', '42 MB', '7000 TB')
    """
    value, unit = float(count), 'B'
    for larger in ('kB', 'MB', 'GB', 'TB'):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f'{value:.1f} {unit}' if value < 9.95 and unit != 'B' else f'{value:.0f} {unit}'


def age(seconds: float | None) -> str:
    """A time span in its largest unit.

    >>> age(59), age(3600 * 3.5), age(2 * 86400), age(-5), age(None)
    ('59 s', '3 h', '2 d', '0 s', '-')
    """
    if seconds is None:
        return ABSENT
    for length, unit in ((86400, 'd'), (3600, 'h'), (60, 'min')):
        if seconds >= length:
            return f'{int(seconds // length)} {unit}'
    return f'{max(0, int(seconds))} s'


def counted(count: int, one: str, many: str = '') -> str:
    """A number with its noun.

    >>> counted(1, 'run'), counted(2, 'run'), counted(0, 'directory', 'directories')
    ('1 run', '2 runs', '0 directories')
    """
    return f'{count:,} {one if count == 1 else many or one + "s"}'


def table(header: Sequence[str], lines: Sequence[Sequence[str]], right: Sequence[str]) -> list[str]:
    """Aligned lines below a header and a rule.

    Args:
      header: a label for each column.
      lines: cells of each line.
      right: labels of columns that stand right, as numbers do.

    >>> for line in table(['name', 'size'], [['a', '10 kB'], ['bc', '1 B']], ['size']):
    ...     print(line)
    name   size
    ----  -----
    a     10 kB
    bc      1 B
    """
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    places: list[Callable[..., str]] = [str.rjust if h in right else str.ljust for h in header]
    rows = [header, ['-' * width for width in widths], *lines]
    return [
        '  '.join(place(c, w) for place, c, w in zip(places, row, widths, strict=True)).rstrip()
        for row in rows
    ]
