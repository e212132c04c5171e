"""Summaries as text: for a terminal, and for Markdown."""

from collections.abc import Sequence

from lth_keras import verdict
from lth_keras.report.summary import TICKET, Measure, Summary, low_to_high, order

MEASURES = ('test_accuracy', 'early_stop_step', 'final_test_accuracy')


def text_table(summaries: Sequence[Summary]) -> str:
    """The table for a terminal: one line per round, one group of columns per control.

    Args:
        summaries: as `summarise` gives them.

    Returns:
        Lines ending in a newline: the table, what ± means, the reasons of the verdicts, notes.

    >>> one = Summary(0, 'ticket', 1, 1, 1.0, Measure.of([0.9812]), Measure.of([4300]),
    ...               Measure.of([0.98]))
    >>> print(text_table([one]))
                    ticket
    round  density  test accuracy  early stop  final accuracy
    -----  -------  -------------  ----------  --------------
        0    1.000         0.9812        4300          0.9800
    <BLANKLINE>
    one replicate: no confidence interval
    <BLANKLINE>
    """
    groups, body = _cells(summaries)
    header = [label for _, labels in groups for label in labels]
    widths = [max(len(line[i]) for line in [header, *body]) for i in range(len(header))]
    top, start = '', 0
    for title, labels in groups:
        # A long control name widens the last column of its own group, not somebody else's.
        stop = start + len(labels)
        width = sum(widths[start:stop]) + 2 * (len(labels) - 1)
        widths[stop - 1] += max(0, len(title) - width)
        top += title.ljust(max(width, len(title)) + 2)
        start = stop
    rule = ['-' * width for width in widths]
    lines = [top, *(_aligned(cells, widths, header) for cells in [header, rule, *body])]
    lines += ['', *footnotes(summaries)]
    return '\n'.join(line.rstrip() for line in lines) + '\n'


def markdown_table(summaries: Sequence[Summary]) -> str:
    """The same table in Markdown (pipes), its footnotes as a list.

    >>> one = Summary(0, 'ticket', 1, 1, 1.0, Measure.of([0.9812]), Measure.of([4300]),
    ...               Measure.of([0.98]))
    >>> print(markdown_table([one]))
    | round | density | test accuracy | early stop | final accuracy |
    | ---: | ---: | ---: | ---: | ---: |
    | 0 | 1.000 | 0.9812 | 4300 | 0.9800 |
    <BLANKLINE>
    - one replicate: no confidence interval
    <BLANKLINE>
    """
    groups, body = _cells(summaries)
    header = []
    for title, labels in groups:
        prefix = f'{title}: ' if title not in ('', TICKET) else ''
        header += [prefix + label for label in labels]
    align = [':---' if label == 'verdict' else '---:' for label in header]
    lines = [_pipes(header), _pipes(align, escape=False), *map(_pipes, body), '']
    return '\n'.join([*lines, *(f'- {note}' for note in footnotes(summaries))]) + '\n'


def footnotes(summaries: Sequence[Summary]) -> list[str]:
    """What stands below a table: what ± means, the reason of each verdict, what is missing."""
    notes = []
    several = [s.replicates for s in summaries if s.replicates > 1]
    if several:
        count = low_to_high(several)
        notes.append(f'± half-width of the 95% t-interval over {count} replicates')
    if any(s.replicates == 1 for s in summaries):
        notes.append(verdict.ONE_REPLICATE)
    return notes + reasons(summaries) + missing(summaries)


def reasons(summaries: Sequence[Summary]) -> list[str]:
    """Each verdict with its reason, once for all rounds that share it."""
    found: dict[str, list[int]] = {}
    for s in summaries:
        said = s.replicates == 1 and s.verdict and s.verdict.reason == verdict.ONE_REPLICATE
        if s.verdict and not said:
            found.setdefault(str(s.verdict), []).append(s.round)
    return [f'{_rounds(rounds)}: {text}' for text, rounds in found.items()]


def missing(summaries: Sequence[Summary]) -> list[str]:
    """What some rounds lack beside the others."""
    found: dict[str, list[int]] = {}
    for s in summaries:
        if s.note:
            found.setdefault(f'{s.variant}: {s.note}', []).append(s.round)
    return [f'{_rounds(rounds)}, {text}' for text, rounds in found.items()]


def show_density(density: float) -> str:
    """A density with three decimals, or with three significant digits below 0.1.

    >>> show_density(1), show_density(0.21134), show_density(0.00378)
    ('1.000', '0.211', '0.00378')
    """
    return f'{density:.3f}' if density >= 0.1 else f'{density:#.3g}'


def _cells(summaries: Sequence[Summary]) -> tuple[list[tuple[str, list[str]]], list[list[str]]]:
    """Column groups [(title, labels)] and one list of cells per round."""
    controls = [v for v in order(s.variant for s in summaries) if v != TICKET]
    judged = any(s.verdict for s in summaries)
    # The verdict stands where it is seen, however many controls follow.
    groups = [('', ['round', 'density', *(['verdict'] if judged else [])])]
    groups.append((TICKET, ['test accuracy', 'early stop', 'final accuracy']))
    groups += [(name, ['test accuracy', 'early stop']) for name in controls]
    by_key = {(s.round, s.variant): s for s in summaries}
    body = []
    for round_ in sorted({s.round for s in summaries}):
        ticket = by_key.get((round_, TICKET))
        first = ticket or next(s for s in summaries if s.round == round_)
        line = [str(round_), show_density(first.density)]
        if judged:
            line.append(ticket.verdict.name if ticket and ticket.verdict else '')
        line += _numbers(ticket, 3)
        for name in controls:
            line += _numbers(by_key.get((round_, name)), 2)
        body.append(line)
    return groups, body


def _numbers(summary: Summary | None, columns: int) -> list[str]:
    if summary is None:
        return [''] * columns
    measures = [(getattr(summary, name), 0 if 'step' in name else 4) for name in MEASURES]
    return [_plus_minus(m, digits) for m, digits in measures[:columns]]


def _plus_minus(measure: Measure, digits: int) -> str:
    mean = f'{measure.mean:.{digits}f}'
    return mean if measure.low is None else f'{mean} ± {measure.half_width:.{digits}f}'


def _rounds(rounds: list[int]) -> str:
    """Rounds in words: 'rounds 1, 2, 4-6'."""
    return ('round ' if len(rounds) == 1 else 'rounds ') + shortened(rounds)


def shortened(numbers: Sequence[int]) -> str:
    """Whole numbers, runs of three and more shortened.

    >>> shortened([1, 2, 4, 5, 6]), shortened([3])
    ('1, 2, 4-6', '3')
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts: list[str] = []
    for run in runs:
        parts += [f'{run[0]}-{run[-1]}'] if len(run) > 2 else map(str, run)
    return ', '.join(parts)


def _aligned(cells: list[str], widths: list[int], header: list[str]) -> str:
    """One line: numbers stand right, words left."""
    padded = [
        cell.ljust(width) if label == 'verdict' else cell.rjust(width)
        for cell, width, label in zip(cells, widths, header, strict=True)
    ]
    return '  '.join(padded)


def _pipes(cells: list[str], escape: bool = True) -> str:
    if escape:
        cells = [cell.replace('|', '\\|') for cell in cells]
    return '| ' + ' | '.join(cells) + ' |'
