"""Two tickets side by side: settings, results, layers, and how far their masks agree."""

from pathlib import Path
from typing import Any

from lth_keras import digests, errors
from lth_keras.analysis.overlap import overlap
from lth_keras.inventory import scanning, text
from lth_keras.inventory.showing import Opened, opened

# Not what was set, but what came of it, and how it came to be before a transfer.
_RESULTS = ('result', 'found')


def compare(workdir: str | Path, first: str, second: str) -> str:
    """Where two tickets differ.

    Args:
      workdir: the work directory.
      first: RUN/NAME, a part of it that no other has, or a path.
      second: the same.

    Raises:
      LotteryError: no such ticket, or a broken one.
    """
    work = scanning.scan(workdir)
    one, other = (opened(work, name) for name in (first, second))
    lines = [f'A  {text.clean(one.name)}', f'B  {text.clean(other.name)}', '']
    lines += [*settings(one, other), '', *_results(one, other), '', *_layers(one, other)]
    return '\n'.join(lines)


def settings(one: Opened, other: Opened) -> list[str]:
    """A line for each setting, digest, version or seed in which they differ."""
    a, b = ({k: v for k, v in it.provenance.items() if k not in _RESULTS} for it in (one, other))
    found = digests.differences(a, b, now='B')
    if not found:
        return ['settings: none differs']
    # The one text for both kinds of record says 'recorded' of the first.
    lines = [line.replace(': recorded ', ': A ', 1) for line in found]
    return ['settings that differ:', *(f'  {text.clean(line)}' for line in lines)]


def _results(one: Opened, other: Opened) -> list[str]:
    """Density, accuracies and early stop, and B - A."""
    densities = [t.ticket.density for t in (one, other)]
    lines = [['density', *map(text.fraction, densities), f'{densities[1] - densities[0]:+.4f}']]
    for label, key in (
        ('test accuracy', 'test_accuracy'),
        ('validation accuracy', 'validation_accuracy'),
        ('final test accuracy', 'final_test_accuracy'),
        ('early stop', 'early_stop_step'),
    ):
        a, b = (text.number(t.result.get(key)) for t in (one, other))
        whole = key == 'early_stop_step'
        cells = [
            text.ABSENT if v is None else f'{v:.0f}' if whole else text.fraction(v) for v in (a, b)
        ]
        gap = '' if a is None or b is None else f'{b - a:+.0f}' if whole else f'{b - a:+.4f}'
        lines.append([label, *cells, gap or text.ABSENT])
    verdicts = [t.verdict.split(':')[0] for t in (one, other)]
    lines.append(['verdict', *verdicts, ''])
    return text.table(['', 'A', 'B', 'B - A'], lines, ['A', 'B', 'B - A'])


def _layers(one: Opened, other: Opened) -> list[str]:
    """The density of each kernel, and how far the masks agree there, beside what chance gives."""
    masks = one.ticket.mask, other.ticket.mask
    try:
        shared: dict[str, dict[str, Any]] = overlap(*masks)
        below = ['Jaccard: kept by both / kept by either; chance: of masks drawn at random']
    except errors.MaskError as e:
        shared = {}
        below = [text.clean(f'the masks cannot be laid over each other: {e}')]
    lines = []
    for path in dict.fromkeys([*masks[0], *masks[1]]):
        cells = [text.fraction(float(m[path].mean())) if path in m else '-' for m in masks]
        lines.append([text.clean(path), *cells, *_agreement(shared.get(path))])
    whole = [text.fraction(mask.density) for mask in masks]
    lines.append(['all', *whole, *_agreement(shared.get('all'))])
    header = ['kernel', 'density A', 'density B', 'Jaccard', 'chance']
    return [*text.table(header, lines, header[1:]), '', *below]


def _agreement(row: dict[str, Any] | None) -> list[str]:
    if row is None:
        return [text.ABSENT, text.ABSENT]
    return [f'{row["jaccard"]:.4f}', f'{row["expected_jaccard"]:.4f}']
