"""SVG drawings put into a page: identifiers of their own, and colours that follow the theme."""

import colorsys
import re

_COLOUR = re.compile(r'#[0-9a-fA-F]{6}\b')
_IDENTIFIERS = re.compile(r'(\bid="|href="#|url\(#)')


def inline(svg: str, prefix: str, label: str) -> tuple[str, set[str]]:
    """The drawing as an element of a page.

    Args:
        svg: a file by matplotlib.
        prefix: makes identifiers unique in the page.
        label: what it shows, for those who do not see it; already escaped for an attribute.

    Returns:
        The element, and the colours in it ('1f77b4'), each now a variable `--c1f77b4` of CSS.

    >>> inline('<svg a="1"><g id="x" style="fill: #FF0000"/></svg>', 'f1-', 'A')
    ('<svg role="img" aria-label="A" a="1"><g id="f1-x" style="fill: var(--cff0000)"/></svg>', \
{'ff0000'})
    """
    body = svg[svg.index('<svg') :]
    body = re.sub(r'\s*<metadata>.*?</metadata>', '', body, flags=re.DOTALL)
    # Points mean nothing on a screen: the page decides the size, the viewBox the shape.
    head, rest = body.split('>', 1)
    head = re.sub(r'\s(width|height)="[^"]*"', '', head)
    body = f'{head}>{rest}'
    body = _IDENTIFIERS.sub(rf'\g<1>{prefix}', body)
    body = body.replace('<svg', f'<svg role="img" aria-label="{label}"', 1)
    colours = {colour.lower()[1:] for colour in _COLOUR.findall(body)}
    body = _COLOUR.sub(lambda match: f'var(--c{match[0].lower()[1:]})', body)
    return body.strip(), colours


def dark(colour: str) -> str:
    """The colour that takes this one's place on a dark page; of grey, the reverse.

    >>> dark('ffffff'), dark('000000'), dark('0072b2')
    ('#17191e', '#ebebeb', '#36b7ff')
    """
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    if colour == 'ffffff':
        return '#17191e'
    if saturation < 0.15:
        light = 0.92 - 0.78 * light
    else:
        light = max(light, 0.605)
    found = colorsys.hls_to_rgb(hue, light, saturation)
    return '#' + ''.join(f'{round(255 * part):02x}' for part in found)


def variables(colours: set[str]) -> tuple[str, str]:
    """The CSS variables of these colours, for a light and for a dark page.

    >>> variables({'ff0000'})
    ('--cff0000:#ff0000', '--cff0000:#ff3636')
    """
    ordered = sorted(colours)
    return (
        ';'.join(f'--c{colour}:#{colour}' for colour in ordered),
        ';'.join(f'--c{colour}:{dark(colour)}' for colour in ordered),
    )
