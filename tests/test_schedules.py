"""Schedules: the counts of a whole search, before anything is trained."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras import allocation, procedures
from lth_keras.allocation import Pool, removals, remove
from lth_keras.errors import ConfigError, MaskError
from lth_keras.mask import Mask
from lth_keras.schedules import Counting, iterative, one_shot, one_shot_to, rounds_to

examples = settings(database=None, deadline=None, derandomize=True, max_examples=60)

LENET = Counting({'a': 235_200, 'b': 30_000, 'c': 1_000}, {'a': 0.2, 'b': 0.2, 'c': 0.1})


def conv(kernels, first_dense, conv_rate):
    """Conv-n of the paper: convolutions, then 256, 256 and 10 units."""
    sizes = {f'conv{i}': n for i, n in enumerate(kernels)}
    rates = dict.fromkeys(sizes, conv_rate)
    sizes |= {'dense': first_dense * 256, 'dense_1': 256 * 256, 'dense_2': 2_560}
    rates |= {'dense': 0.2, 'dense_1': 0.2, 'dense_2': 0.1}
    return Counting(sizes, rates)


CONVOLUTIONS = [9 * a * b for a, b in [(3, 64), (64, 64), (64, 128), (128, 128)]]
CONVOLUTIONS += [9 * a * b for a, b in [(128, 256), (256, 256)]]
CONV_2 = conv(CONVOLUTIONS[:2], 16_384, 0.1)
CONV_4 = conv(CONVOLUTIONS[:4], 8_192, 0.1)
CONV_6 = conv(CONVOLUTIONS, 4_096, 0.15)

# Percent of weights remaining after a round, to the digits of the papers.
REMAINING = [
    (LENET, 266_200, {3: 51.28, 7: 21.07, 9: 13.5, 12: 6.95, 15: 3.58, 18: 1.85}),
    (CONV_2, 4_300_992, {11: 8.81, 14: 4.57}),
    (CONV_4, 2_425_024, {11: 11.06, 12: 9.18}),
    (CONV_6, 2_261_184, {7: 26.61, 10: 15.29}),
]


@pytest.mark.parametrize(
    ('counting', 'size', 'remaining'), REMAINING, ids=['lenet', 'conv2', 'conv4', 'conv6']
)
def test_densities_of_the_papers(counting, size, remaining):
    plans = iterative(counting, max(remaining))
    assert {plan.size for plan in plans} == {size}
    for number, percent in remaining.items():
        digits = len(str(percent).split('.')[1])
        assert round(100 * plans[number - 1].density, digits) == percent


@pytest.mark.parametrize(
    ('rounding', 'kept'),
    [
        ('half_even', (213_060, 56_094, 9_537)),
        ('lth2019', (213_057, 56_081, 9_518)),
        ('dlt', (213_063, 56_102, 9_547)),
    ],
)
def test_totals_of_lenet_under_each_rounding(rounding, kept):
    plans = iterative(Counting(LENET.sizes, LENET.rates, rounding=rounding), 15)
    assert tuple(plans[r - 1].kept for r in (1, 7, 15)) == kept


def test_open_lth_leaves_the_output_layer_out():
    sizes = {'a': 235_200, 'b': 30_000}
    counting = Counting(sizes, dict.fromkeys(sizes, 0.2), 'global', 'open_lth', 1_000)
    plans = iterative(counting, 15)
    assert [plans[r - 1].kept + 1_000 for r in (1, 7, 15)] == [212_959, 55_820, 9_359]


def test_the_plan_of_a_round_names_its_source():
    assert [(p.round, p.source) for p in iterative(LENET, 3)] == [(1, 0), (2, 1), (3, 2)]
    assert [(p.round, p.source) for p in one_shot(LENET, 3)] == [(1, 0), (2, 0), (3, 0)]
    assert iterative(LENET, 0) == one_shot(LENET, 0) == []


def test_the_first_round_is_what_allocation_counts():
    (plan,) = iterative(LENET, 1)
    assert list(plan.pools) == removals(LENET.sizes, LENET.rates)


@st.composite
def countings(draw):
    """Kernels large enough for some rounds."""
    sizes = draw(st.lists(st.integers(30, 3000), min_size=1, max_size=4))
    scope = draw(st.sampled_from(allocation.SCOPES))
    rate = draw(st.integers(10, 60))
    rates = [rate if scope == 'global' else draw(st.integers(10, 60)) for _ in sizes]
    paths = [f'k{i}' for i in range(len(sizes))]
    rounding = draw(st.sampled_from(['half_even', 'lth2019', 'dlt']))
    return Counting(
        dict(zip(paths, sizes, strict=True)),
        {path: Fraction(rate, 100) for path, rate in zip(paths, rates, strict=True)},
        scope,
        rounding,
    )


def pruned(counting, plans, seed):
    """The masks that the plans give at random scores."""
    generator = np.random.default_rng(seed)
    masks = {0: Mask.ones({path: (n,) for path, n in counting.sizes.items()})}
    for plan in plans:
        scores = {path: generator.random(n) for path, n in counting.sizes.items()}
        masks[plan.round] = remove(scores, masks[plan.source], plan.pools)
    return masks


@examples
@given(countings(), st.integers(1, 4), st.integers(0, 2**32))
def test_the_plan_is_what_happens(counting, rounds, seed):
    plans = iterative(counting, rounds)
    masks = pruned(counting, plans, seed)
    for plan in plans:
        assert masks[plan.round].kept == plan.kept
        assert masks[plan.round] <= masks[plan.source]
        # Planned ahead or counted from the survivors, it is the same.
        now = removals(
            masks[plan.source].survivors, counting.rates, counting.scope, counting.rounding
        )
        assert list(plan.pools) == now


@examples
@given(countings(), st.integers(1, 4), st.integers(0, 2**32))
def test_one_shot_has_the_counts_of_the_iterations(counting, rounds, seed):
    plans, at_once = iterative(counting, rounds), one_shot(counting, rounds)
    assert [plan.kept for plan in plans] == [plan.kept for plan in at_once]
    masks = pruned(counting, plans, seed)
    for plan, mask in pruned(counting, at_once, seed).items():
        assert mask.kept == masks[plan].kept
        if counting.scope == 'layerwise':
            assert mask.survivors == masks[plan].survivors


def test_one_shot_removes_one_minus_the_kept_share_to_the_power_of_the_rounds():
    counting = Counting({'a': 10**9}, {'a': 0.2})
    (pool,) = one_shot(counting, 5)[-1].pools
    assert pool.count == 10**9 - 10**9 * 4**5 // 5**5


def test_rate_zero_leaves_the_kernel_out_in_both_scopes():
    for scope in allocation.SCOPES:
        counting = Counting({'a': 100, 'out': 100}, {'a': 0.2, 'out': 0}, scope)
        (plan,) = iterative(counting, 1)
        assert plan.pools == (Pool(('a',), 20),), scope
        assert (plan.kept, plan.size) == (180, 200)


@pytest.mark.parametrize('scope', allocation.SCOPES)
def test_the_floor_ends_the_search_with_the_last_possible_round(scope):
    counting = Counting({'a': 8, 'b': 8}, dict.fromkeys('ab', 0.5), scope)
    possible = iterative(counting, 3)
    assert [plan.kept for plan in possible] == [8, 4, 2]
    with pytest.raises(ConfigError, match=r'round 4: nothing left .* 2 of 16 .* at most 3 rounds'):
        iterative(counting, 4)
    with pytest.raises(ConfigError, match='at most 3 rounds'):
        one_shot(counting, 4)


@pytest.mark.parametrize('scope', allocation.SCOPES)
def test_rates_of_zero_prune_nothing_and_say_so(scope):
    with pytest.raises(ConfigError, match='round 1: nothing left to prune'):
        iterative(Counting({'a': 8, 'b': 8}, dict.fromkeys('ab', 0), scope), 1)


def test_unequal_rates_in_global_scope_are_refused():
    with pytest.raises(MaskError, match='one rate'):
        iterative(Counting({'a': 8, 'b': 8}, {'a': 0.1, 'b': 0.2}, 'global'), 1)


# -- target densities


@pytest.mark.parametrize(
    ('target', 'rounds'), [(0.9, 1), (0.2108, 7), (0.2107, 8), (0.2, 8), (0.036, 15), (0.0186, 18)]
)
def test_rounds_to_a_density_of_lenet(target, rounds):
    assert rounds_to(LENET, target) == rounds


def test_a_density_that_is_met_exactly_takes_no_further_round():
    halves = Counting({'a': 1024}, {'a': 0.5})
    assert [rounds_to(halves, 2.0**-r) for r in range(1, 11)] == list(range(1, 11))
    # 0.64 is not a binary fraction; compared as the number that was written it is met.
    assert rounds_to(Counting({'a': 100}, {'a': 0.2}), 0.64) == 2
    assert rounds_to(Counting({'a': 100}, {'a': 0.2}), 0.6399) == 3


@examples
@given(countings(), st.integers(1, 99))
def test_rounds_to_is_the_first_round_at_or_below(counting, percent):
    try:
        found = rounds_to(counting, percent / 100)
    except ConfigError:
        return  # kernels too small for this density
    plans = iterative(counting, found)
    target = Fraction(percent, 100)
    assert Fraction(plans[-1].kept, plans[-1].size) <= target
    assert all(Fraction(plan.kept, plan.size) > target for plan in plans[:-1])


def test_a_density_that_cannot_be_reached_is_named():
    with pytest.raises(ConfigError, match=r'(?s)density.*1e-06|1e-06.*density'):
        rounds_to(LENET, 1e-6)


@pytest.mark.parametrize('target', [0, 1, 1.5, -0.1, 3.6, float('nan'), float('inf'), 'much', None])
@pytest.mark.parametrize('find', [rounds_to, one_shot_to])
def test_a_density_outside_its_range_is_refused(find, target):
    with pytest.raises(ConfigError, match=r'target density: expected a kept share in \(0, 1\)'):
        find(LENET, target)


@settings(examples, max_examples=150)
@given(countings(), st.integers(5, 95))
def test_one_shot_to_keeps_exactly_the_target(counting, percent):
    size = sum(counting.sizes.values())
    (plan,) = one_shot_to(counting, percent / 100)
    assert (plan.round, plan.source, plan.size) == (1, 0, size)
    assert plan.kept == round(Fraction(percent, 100) * size)
    assert size - sum(pool.count for pool in plan.pools) == plan.kept
    for pool in plan.pools:
        assert 0 <= pool.count <= sum(counting.sizes[path] - 1 for path in pool.paths)
    assert pruned(counting, [plan], 0)[1].kept == plan.kept


def test_one_shot_to_shares_the_loss_as_the_iterations_do():
    plans = iterative(LENET, 7)
    (plan,) = one_shot_to(LENET, plans[-1].density)
    assert plan.kept == plans[-1].kept
    # Whole numbers of rounds differ from the one real exponent by roundings only.
    for pool, expected in zip(plan.pools, one_shot(LENET, 7)[-1].pools, strict=True):
        assert pool.paths == expected.paths
        assert abs(pool.count - expected.count) <= 7


def test_one_shot_to_gives_whole_weights_to_the_largest_remainders():
    # 11 of 21 at equal rates: shares of 5.24 and 5.76 weights.
    for sizes in ({'a': 10, 'b': 11}, {'b': 11, 'a': 10}):
        (plan,) = one_shot_to(Counting(sizes, dict.fromkeys('ab', 0.2)), 0.524)
        kept = {
            path: n - p.count for p in plan.pools for path, n in sizes.items() if path in p.paths
        }
        assert kept == {'a': 5, 'b': 6}


def test_one_shot_to_holds_the_floor_and_what_is_left_out():
    counting = Counting({'a': 1000, 'tiny': 2, 'out': 50}, {'a': 0.2, 'tiny': 0.9, 'out': 0})
    (plan,) = one_shot_to(counting, Fraction(60, 1052))
    assert {pool.paths: pool.count for pool in plan.pools} == {('a',): 991, ('tiny',): 1}
    assert plan.kept == 60


@pytest.mark.parametrize('scope', allocation.SCOPES)
def test_one_shot_to_less_than_the_floor_is_refused_with_both_numbers(scope):
    counting = Counting({'a': 100, 'b': 100, 'out': 50}, {'a': 0.2, 'b': 0.2, 'out': 0}, scope)
    with pytest.raises(ConfigError, match='at least 52 of 250 weights .* a target of 25'):
        one_shot_to(counting, 0.1)


@pytest.mark.parametrize('scope', allocation.SCOPES)
def test_one_shot_to_a_density_that_removes_nothing_is_refused_before_training(scope):
    with pytest.raises(ConfigError):
        one_shot_to(Counting({'a': 10}, {'a': 0.2}, scope), 0.99)


# -- procedures


def test_procedures_take_rounds_or_a_target():
    resetting = procedures.PROCEDURES.get('resetting')
    assert resetting(LENET, 3, None) == iterative(LENET, 3)
    assert resetting(LENET, 3, 0.2) == iterative(LENET, 8)
    at_once = procedures.PROCEDURES.get('one_shot')
    assert at_once(LENET, 3, None) == one_shot(LENET, 3)
    assert at_once(LENET, 3, 0.2) == one_shot_to(LENET, 0.2)
    assert set(procedures.PROCEDURES) >= {'resetting', 'one_shot'}


@pytest.mark.parametrize('name', procedures.PROCEDURES)
def test_every_procedure_counts_rounds_from_one_and_never_grows(name):
    for rounds, target in [(5, None), (5, 0.3)]:
        plans = procedures.PROCEDURES.get(name)(LENET, rounds, target)
        assert [plan.round for plan in plans] == list(range(1, len(plans) + 1))
        assert all(plan.source < plan.round for plan in plans)
        kept = [plan.size for plan in plans[:1]] + [plan.kept for plan in plans]
        assert kept == sorted(kept, reverse=True)
        assert len(set(kept)) == len(kept)
