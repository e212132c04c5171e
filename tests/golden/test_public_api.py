"""The public names and signatures, frozen: any change of the surface is a visible diff.

After a wanted change: `python tests/golden/test_public_api.py > tests/golden/public_api.txt`.
"""

import inspect
from pathlib import Path

import lth_keras as lth

GOLDEN = Path(__file__).with_name('public_api.txt')


def surface() -> str:
    """One line per public name, with its signature and its public members."""
    lines = []
    for name in sorted(lth.__all__):
        thing = getattr(lth, name)
        if inspect.isclass(thing):
            lines.append(f'class {name}{signature(thing)}')
            members = sorted(m for m in vars(thing) if not m.startswith('_'))
            lines += [f'  {name}.{m}{signature(getattr(thing, m))}' for m in members]
        else:
            entries = f' = {list(thing)}' if isinstance(thing, lth.registry.Registry) else ''
            lines.append(f'{name}{entries or signature(thing)}')
    return '\n'.join(lines) + '\n'


def signature(thing) -> str:
    if not callable(thing):
        return ''
    try:
        parameters = inspect.signature(thing).parameters
    except (TypeError, ValueError):
        return '(...)'
    return '(' + ', '.join(parameters) + ')'


def test_the_public_surface_is_the_golden_one():
    assert surface() == GOLDEN.read_text()


def test_every_public_name_has_a_docstring():
    missing = [name for name in lth.__all__ if not (getattr(lth, name).__doc__ or '').strip()]
    assert not missing


if __name__ == '__main__':
    print(surface(), end='')
