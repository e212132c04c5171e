"""What Frankle & Carbin 2019 claim, by the recipe that measures it."""

import dataclasses

from lth_keras.report.claims import (
    Claim,
    accuracy,
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


LENET = (
    Claim('early stop 38% earlier than dense at 21.1%', 0.2107, 'dense', sooner, share_earlier),
    Claim('test accuracy up by more than 0.3 pp at 13.5%', 0.1352, 'dense', accuracy, points),
    Claim(
        'minimum validation loss 2.51 times sooner than re-initialised at 21.1%',
        *(0.2107, REINIT, sooner, times),
    ),
    Claim('0.5 pp more accurate than re-initialised at 21.1%', 0.2107, REINIT, accuracy, points),
    Claim(
        're-initialised networks need more steps than dense (13.5%)',
        *(0.1352, 'dense', later, times),
        variant=REINIT,
    ),
    Claim(
        're-initialised networks are less accurate than dense (13.5%)',
        *(0.1352, 'dense', accuracy, points),
        variant=REINIT,
        sign=-1,
    ),
    Claim(
        'test accuracy back at the dense level at 3.6%',
        *(0.0358, 'dense', accuracy, points),
        equal=True,
    ),
)


def _beats(control: str, said: str) -> tuple[Claim, ...]:
    return (
        Claim(f'more accurate than {said} (13.5%)', 0.1352, control, accuracy, points),
        Claim(f'earlier stop than {said} (13.5%)', 0.1352, control, sooner, times),
    )


def _same_pattern(of: str) -> tuple[Claim, ...]:
    return (
        Claim(f'{of}: early stop earlier than dense (21.1%)', 0.2107, 'dense', sooner, times),
        Claim(f'{of}: at least as accurate as dense (21.1%)', 0.2107, 'dense', accuracy, points),
        Claim(f'{of}: more accurate than re-initialised (21.1%)', 0.2107, REINIT, accuracy, points),
    )


def _conv(name: str, faster: str, better: str) -> tuple[Claim, ...]:
    return (
        Claim(f'{name}: minimum validation loss up to {faster}', None, 'dense', sooner, times),
        Claim(f'{name}: test accuracy up to {better}', None, 'dense', accuracy, points),
        Claim(f'{name}: more accurate than re-initialised', None, REINIT, accuracy, points),
        Claim(f'{name}: sooner than re-initialised', None, REINIT, sooner, times),
    )


def _deep(name: str, rate: str, finds: bool) -> tuple[Claim, ...]:
    words = 'more accurate than' if finds else 'no more accurate than'
    return (
        Claim(
            f'{name}, {rate}: {words} re-initialised (6.9%)',
            *(_FOURTH, REINIT, accuracy, points),
            equal=not finds,
        ),
        Claim(
            f'{name}, {rate}: {words} dense (26.2%)',
            *(_SECOND, 'dense', accuracy, points),
            sign=1 if finds else -1,
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
            *_beats('random_sparse', 'random sparse networks'),
            *_beats('random_mask', 'random masks on its weights'),
            *_beats('small_dense', 'small dense networks'),
            LENET[-1],
        ),
        'lenet',
        10,
    ),
    Recipe(
        'lenet_one_shot',
        (
            Claim(
                'one-shot: early stop earlier than dense (21.1%)', 0.2107, 'dense', sooner, times
            ),
            Claim('one-shot: as accurate as dense (6.9%)', 0.0695, 'dense', accuracy, points),
            Claim(
                'iterative tickets more accurate than one-shot ones (3.6%)',
                *(0.0358, 'ticket', short_of, points),
                record='lenet_controls',
            ),
            Claim(
                'iterative tickets stop earlier than one-shot ones (3.6%)',
                *(0.0358, 'ticket', later, times),
                record='lenet_controls',
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
            ),
            Claim(
                'resetting every round stops earlier than strategy 2 (3.6%)',
                *(0.0358, 'ticket', later, times),
                record='lenet_controls',
            ),
        ),
        'lenet',
    ),
    Recipe('lenet_sgd', _same_pattern('SGD'), 'lenet'),
    Recipe('lenet_momentum', _same_pattern('momentum'), 'lenet'),
    Recipe('lenet_dropout', _same_pattern('dropout'), 'lenet'),
    Recipe('conv_2_reduced', _conv('Conv-2', '3.5 times sooner', '+3.4 pp'), 'conv_2'),
    Recipe('conv_4_reduced', _conv('Conv-4', '3.5 times sooner', '+3.5 pp'), 'conv_4'),
    Recipe('conv_6_reduced', _conv('Conv-6', '2.5 times sooner', '+3.3 pp'), 'conv_6'),
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
