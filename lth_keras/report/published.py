"""Numbers that papers publish for a network and data set, and how sure each of them is."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lth_keras.report.claims import Claim
from lth_keras.report.recipes import RECIPES

PAPER, SECONDARY, UNVERIFIED = 'paper', 'secondary', 'unverified'
SURE = {
    PAPER: "the paper's own words",
    SECONDARY: 'another public text about it',
    UNVERIFIED: 'not confirmed by a text that could be read',
}
GAIN, SPEEDUP = 'gain', 'speedup'
FRANKLE = 'Frankle & Carbin 2019'


@dataclasses.dataclass(frozen=True)
class Point:
    """One published number.

    Attributes:
        measure: 'gain' = ticket - dense test accuracy in percentage points; 'speedup' = early-stop
            iteration of the dense network / of the ticket.
        density: in (0, 1].
        value: of the measure.
        sure: 'paper', 'secondary' or 'unverified'.
        note: what the text says where it is not a point, such as 'more than'.
        source: the paper.
    """

    measure: str
    density: float
    value: float
    sure: str
    note: str = ''
    source: str = FRANKLE


_LENET = (
    Point(GAIN, 0.1352, 0.3, PAPER, 'more than'),
    Point(GAIN, 0.0358, 0.0, SECONDARY, 'back at the dense level'),
    Point(SPEEDUP, 0.2107, 1 / (1 - 0.38), PAPER, '38% earlier'),
)
_CONV = {
    'conv_2': (
        Point(GAIN, 0.046, 3.4, UNVERIFIED, 'best'),
        Point(SPEEDUP, 0.088, 3.5, UNVERIFIED, 'best'),
    ),
    'conv_4': (
        Point(GAIN, 0.111, 3.5, UNVERIFIED, 'best'),
        Point(SPEEDUP, 0.092, 3.5, UNVERIFIED, 'best'),
    ),
    'conv_6': (
        Point(GAIN, 0.264, 3.3, UNVERIFIED, 'best'),
        Point(SPEEDUP, 0.151, 2.5, UNVERIFIED, 'best'),
    ),
}
# Network and data set, as the settings name them.
POINTS: Mapping[tuple[str, str], tuple[Point, ...]] = {
    ('lenet_300_100', 'mnist'): _LENET,
    **{(model, 'cifar10'): points for model, points in _CONV.items()},
}


_LENET_ON = ('lenet_300_100', 'mnist')
# What a recipe trains, by the beginning of its name; the others train LeNet on MNIST.
NETWORKS: Mapping[str, tuple[str, str]] = {
    **{name: (name, 'cifar10') for name in _CONV},
    **{f'resnet_18_{rate}': ('resnet_20', 'cifar10') for rate in ('high', 'low', 'warmup')},
    **{f'vgg_19_{rate}': ('vgg_19', 'cifar10') for rate in ('high', 'low', 'warmup')},
}


def points_of(settings: Mapping[str, Any]) -> tuple[Point, ...]:
    """What is published for the network and data set of a run; none for others.

    Only for tickets that are rewound and pruned by magnitude in rounds, as in the paper.

    >>> [p.value for p in points_of({'model': 'lenet_300_100', 'dataset': 'mnist'})][:2]
    [0.3, 0.0]
    >>> points_of({'model': 'lenet_300_100', 'dataset': 'mnist', 'procedure': 'fine_tune'})
    ()
    """
    usual = (
        settings.get('procedure', 'resetting') == 'resetting'
        and settings.get('criterion', 'large_final') == 'large_final'
        and settings.get('transfer_from', 'none') == 'none'
        and settings.get('optimizer', 'adam') == 'adam'
    )
    key = str(settings.get('model')), str(settings.get('dataset'))
    return POINTS.get(key, ()) if usual else ()


def claims_of(settings: Mapping[str, Any], name: str) -> tuple[Claim, ...]:
    """What the paper claims of a run: of the recipe of its name, or of its network.

    Claims that compare with another record are left out.

    Args:
        settings: of the run.
        name: of its directory or label.
    """
    label = name.rpartition('-')[0] if '-' in name else name
    here = settings.get('model'), settings.get('dataset')
    mine = [r for r in RECIPES if NETWORKS.get(r.name.partition('_reduced')[0], _LENET_ON) == here]
    found = next((r.claims for r in mine if r.name in (label, name)), None)
    if found is None:
        usual = [r for r in mine if r.name in ('lenet', f'{settings.get("model")}_reduced')]
        found = usual[0].claims if usual and points_of(settings) else ()
    return tuple(claim for claim in found if not claim.record)
