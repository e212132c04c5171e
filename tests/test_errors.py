"""One family of errors, and the hint that finds the name that was meant."""

import inspect

import pytest

from lth_keras import errors

FAMILY = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize('kind', FAMILY, ids=lambda kind: kind.__name__)
def test_each_error_is_of_the_family_and_says_what_it_is_for(kind):
    assert issubclass(kind, errors.LotteryError)
    assert kind.__doc__.strip().endswith('.')
    with pytest.raises(errors.LotteryError, match='expected 1, received 2'):
        raise kind('expected 1, received 2; do 3')


def test_no_error_of_the_family_is_caught_as_a_plain_one():
    # `except ValueError` around a library call must not swallow ours.
    assert not any(issubclass(kind, ValueError | KeyError | OSError) for kind in FAMILY)


@pytest.mark.parametrize(
    ('typo', 'meant'),
    [
        ('mnsit', 'mnist'),
        ('digit', 'digits'),
        ('fashion_mnits', 'fashion_mnist'),
        ('cifar_10', 'cifar10'),
    ],
)
def test_the_nearest_name_comes_first(typo, meant):
    names = ['digits', 'mnist', 'fashion_mnist', 'cifar10', 'cifar100']
    hint = errors.did_you_mean(typo, names)
    assert hint.startswith(f"did you mean '{meant}'? ")
    assert hint.endswith('Known: cifar10, cifar100, digits, fashion_mnist, mnist.')


def test_without_a_near_name_all_are_listed_and_none_is_guessed():
    assert errors.did_you_mean('???', ['b', 'a']) == 'known: a, b.'


def test_a_long_list_is_cut_but_the_nearest_is_still_named():
    names = [f'block_{i:03d}/kernel' for i in range(200)]
    hint = errors.did_you_mean('block_199/kernal', names)
    assert hint.startswith("did you mean 'block_199/kernel'?")
    assert hint.endswith('block_039/kernel, ....')
    assert hint.count('/kernel') == 41


def test_names_may_come_from_an_iterator():
    assert errors.did_you_mean('mnsit', iter(['mnist'])) == "did you mean 'mnist'? Known: mnist."
