"""What Frankle & Carbin 2019 claim, by the recipe that measures it."""

import dataclasses

from lth_keras.report.claims import (
    ABOVE,
    EQUAL,
    NOT_ABOVE,
    NOT_BELOW,
    OURS,
    Claim,
    accuracy,
    final_accuracy,
    final_short_of,
    later,
    points,
    share_earlier,
    short_of,
    sooner,
    times,
)
from lth_keras.report.summary import REINIT


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One experiment of the paper, or a smaller one that stands for it.

    Args:
      name: of its flagfile, and of its record.
      claims: what the paper says of it.
      paper: the flagfile of the paper's own size, if this is a smaller one.
      trials: number of trials in the paper.
    """

    name: str
    claims: tuple[Claim, ...]
    paper: str = ''
    trials: int = 5


SECONDARY = 'paper (secondary)'

LENET = (
    Claim(
        'early stop earlier than dense at 21.1% (paper: 38%)',
        *(0.2107, 'dense', sooner, share_earlier),
    ),
    Claim(
        'test accuracy above dense at 13.5% (paper: by more than 0.3 pp)',
        *(0.1352, 'dense', accuracy, points),
    ),
    Claim(
        'minimum validation loss sooner than re-initialised at 21.1% (paper: 2.51 times)',
        *(0.2107, REINIT, sooner, times),
    ),
    Claim(
        'more accurate than re-initialised at 21.1% (paper: 0.5 pp)',
        *(0.2107, REINIT, accuracy, points),
    ),
    Claim(
        're-initialised networks need more steps than dense (13.5%)',
        *(0.1352, 'dense', later, times),
        variant=REINIT,
    ),
    Claim(
        're-initialised networks are less accurate than dense (13.5%)',
        *(0.1352, 'dense', short_of, points),
        variant=REINIT,
    ),
    Claim(
        'test accuracy back at the dense level at 3.6%',
        *(0.0358, 'dense', accuracy, points),
        kind=EQUAL,
        source=SECONDARY,
    ),
)


def _beats(control: str, said: str, source: str) -> tuple[Claim, ...]:
    return (
        Claim(
            f'more accurate than {said} (13.5%)',
            *(0.1352, control, accuracy, points),
            source=source,
        ),
        Claim(
            f'earlier stop than {said} (13.5%)', *(0.1352, control, sooner, times), source=source
        ),
    )


def _same_pattern(of: str, source: str) -> tuple[Claim, ...]:
    return (
        Claim(
            f'{of}: early stop earlier than dense (21.1%)',
            *(0.2107, 'dense', sooner, times),
            source=source,
        ),
        Claim(
            f'{of}: at least as accurate as dense (21.1%)',
            *(0.2107, 'dense', accuracy, points),
            kind=NOT_BELOW,
            source=source,
        ),
        Claim(
            f'{of}: more accurate than re-initialised (21.1%)',
            *(0.2107, REINIT, accuracy, points),
            source=source,
        ),
    )


def _conv(name: str, faster: str, better: str, density: float) -> tuple[Claim, ...]:
    at = f'({100 * density:.1f}%)'
    return (
        Claim(
            f'{name}: minimum validation loss sooner than dense (paper: up to {faster} times)',
            *(None, 'dense', sooner, times),
            source=SECONDARY,
        ),
        Claim(
            f'{name}: test accuracy above dense (paper: up to {better} pp)',
            *(None, 'dense', accuracy, points),
            source=SECONDARY,
        ),
        Claim(
            f'{name}: more accurate than re-initialised {at}',
            *(density, REINIT, accuracy, points),
            source=SECONDARY,
        ),
        Claim(
            f'{name}: sooner than re-initialised {at}',
            *(density, REINIT, sooner, times),
            source=SECONDARY,
        ),
    )


def _deep(name: str, rate: str, finds: bool) -> tuple[Claim, ...]:
    """The paper says where tickets are found; at which densities we look is ours."""
    words, kind = ('more accurate', ABOVE) if finds else ('no more accurate', NOT_ABOVE)
    return (
        Claim(
            f'{name}, {rate}: tickets {words} than re-initialised at the end (6.9%)',
            *(_FOURTH, REINIT, final_accuracy, points),
            kind=kind,
            source=SECONDARY,
        ),
        Claim(
            f'{name}, {rate}: tickets {"match" if finds else "below"} dense at the end (26.2%)',
            *(_SECOND, 'dense', final_accuracy if finds else final_short_of, points),
            kind=NOT_BELOW if finds else ABOVE,
            source=SECONDARY,
        ),
    )


# Densities of prunable weights after two and four rounds of 0.488.
_SECOND, _FOURTH = 0.512**2, 0.512**4

RECIPES = (
    Recipe('lenet', LENET),
    Recipe('lenet_reduced', LENET[:-1], 'lenet'),
    Recipe(
        'lenet_controls',
        (
            *_beats('random_sparse', 'random sparse networks', SECONDARY),
            *_beats('random_mask', 'random masks on its weights', OURS),
            *_beats('small_dense', 'small dense networks', OURS),
            LENET[-1],
        ),
        'lenet',
    ),
    Recipe(
        'lenet_one_shot',
        (
            Claim(
                'one-shot: early stop earlier than dense (21.1%)',
                *(0.2107, 'dense', sooner, times),
                source=SECONDARY,
            ),
            Claim(
                'one-shot: at least as accurate as dense (6.9%)',
                *(0.0695, 'dense', accuracy, points),
                kind=NOT_BELOW,
                source=SECONDARY,
            ),
            Claim(
                'iterative tickets more accurate than one-shot ones (3.6%)',
                *(0.0358, 'ticket', short_of, points),
                record='lenet_controls',
                source=SECONDARY,
            ),
            Claim(
                'iterative tickets stop earlier than one-shot ones (3.6%)',
                *(0.0358, 'ticket', later, times),
                record='lenet_controls',
                source=SECONDARY,
            ),
        ),
        'lenet',
    ),
    Recipe(
        'lenet_continued',
        (
            Claim(
                'resetting every round keeps accuracy to smaller sizes than strategy 2 (3.6%)',
                *(0.0358, 'ticket', short_of, points),
                record='lenet_controls',
                source=SECONDARY,
            ),
            Claim(
                'resetting every round stops earlier than strategy 2 (3.6%)',
                *(0.0358, 'ticket', later, times),
                record='lenet_controls',
                source=SECONDARY,
            ),
        ),
        'lenet',
    ),
    Recipe('lenet_sgd', _same_pattern('SGD', SECONDARY), 'lenet'),
    Recipe('lenet_momentum', _same_pattern('momentum', OURS), 'lenet'),
    Recipe('lenet_dropout', _same_pattern('dropout', OURS), 'lenet'),
    Recipe('conv_2_reduced', _conv('Conv-2', '3.5', '+3.4', 0.1098), 'conv_2'),
    Recipe('conv_4_reduced', _conv('Conv-4', '3.5', '+3.5', 0.1974), 'conv_4'),
    Recipe('conv_6_reduced', _conv('Conv-6', '2.5', '+3.3', 0.2219), 'conv_6'),
    Recipe('resnet_18_high_reduced', _deep('ResNet-18', 'rate 0.1', False), 'resnet_18_high', 3),
    Recipe('resnet_18_low_reduced', _deep('ResNet-18', 'rate 0.01', True), 'resnet_18_low', 3),
    Recipe(
        'resnet_18_warmup_reduced',
        _deep('ResNet-18', 'rate 0.03, warm-up', True),
        *('resnet_18_warmup', 3),
    ),
    Recipe('vgg_19_high_reduced', _deep('VGG-19', 'rate 0.1', False), 'vgg_19_high', 3),
    Recipe('vgg_19_low_reduced', _deep('VGG-19', 'rate 0.01', True), 'vgg_19_low', 3),
    Recipe('vgg_19_warmup_reduced', _deep('VGG-19', 'rate 0.1, warm-up', True), 'vgg_19_warmup', 3),
)
