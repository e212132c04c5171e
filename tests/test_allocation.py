"""How many weights go and which: published counts, and a reference that sorts in plain Python."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_keras import allocation
from lth_keras.allocation import Pool, fraction, removals, remove
from lth_keras.errors import ConfigError, MaskError
from lth_keras.mask import Mask

examples = settings(database=None, deadline=None, derandomize=True)

LENET = {'dense': (784, 300), 'dense_1': (300, 100), 'dense_2': (100, 10)}
RATES = {'dense': 0.2, 'dense_1': 0.2, 'dense_2': 0.1}

# Survivors per layer after rounds 1, 7 and 15. half_even is arithmetic; the other two are what
# the published codes leave (google-research/lottery-ticket-hypothesis drops all that is <= the
# round(p * n)-th value; uber-research/deconstructing-lottery-tickets takes int(n * percent / 100)
# in floating point, which costs one weight of 47,040).
PUBLISHED = {
    'half_even': {
        1: (188_160, 24_000, 900),
        7: (49_325, 6_291, 478),
        15: (8_275, 1_056, 206),
    },
    'lth2019': {
        1: (188_159, 23_999, 899),
        7: (49_321, 6_288, 472),
        15: (8_270, 1_051, 197),
    },
    'dlt': {
        1: (188_161, 24_001, 901),
        7: (49_328, 6_293, 481),
        15: (8_278, 1_059, 210),
    },
}
TOTALS = {
    'half_even': (213_060, 56_094, 9_537),
    'lth2019': (213_057, 56_081, 9_518),
    'dlt': (213_063, 56_102, 9_547),
}


def normal(shapes, seed=0):
    generator = np.random.default_rng(seed)
    return {p: np.abs(generator.normal(size=s)).astype(np.float32) for p, s in shapes.items()}


def searched(shapes, rates, rounds, **options):
    """The masks of some rounds of pruning at random scores."""
    masks = [Mask.ones(shapes)]
    for number in range(rounds):
        pools = removals(masks[-1].survivors, rates, **options)
        masks.append(remove(normal(shapes, number), masks[-1], pools))
    return masks


# -- counts, against what was published


@pytest.mark.parametrize('rounding', PUBLISHED)
def test_survivors_of_lenet_by_layer(rounding):
    masks = searched(LENET, RATES, 15, rounding=rounding)
    for number, expected in PUBLISHED[rounding].items():
        assert tuple(masks[number].survivors.values()) == expected
    assert tuple(masks[r].kept for r in (1, 7, 15)) == TOTALS[rounding]


def test_all_roundings_give_the_densities_of_the_paper():
    for rounding, (_, seventh, fifteenth) in TOTALS.items():
        assert round(100 * seventh / 266_200, 1) == 21.1, rounding
        assert round(100 * fifteenth / 266_200, 1) == 3.6, rounding


def test_open_lth_counts_the_output_layer_that_it_leaves_out():
    shapes = {path: LENET[path] for path in ('dense', 'dense_1')}
    masks = searched(
        shapes,
        dict.fromkeys(shapes, 0.2),
        15,
        scope='global',
        rounding='open_lth',
        outside=1_000,
    )
    assert [masks[r].kept + 1_000 for r in (1, 7, 15)] == [212_959, 55_820, 9_359]
    assert round(100 * 55_820 / 266_200, 2) == 20.97


def test_open_lth_prunes_all_of_resnet_20():
    # 270,896 kernel weights; global counts need no more than the total.
    left = [270_896]
    for _ in range(8):
        (pool,) = removals({'all': left[-1]}, {'all': 0.2}, 'global', 'open_lth')
        left.append(left[-1] - pool.count)
    assert left[1:4] == [216_715, 173_371, 138_695]
    assert left[8] == 45_443
    assert round(100 * left[8] / left[0], 3) == 16.775


def test_global_scope_counts_the_total():
    masks = searched(LENET, dict.fromkeys(LENET, 0.2), 3, scope='global')
    assert [mask.kept for mask in masks] == [266_200, 212_960, 170_368, 136_294]


def test_twenty_percent_of_ten_weights_is_two():
    (pool,) = removals({'a': 10}, {'a': 0.2})
    assert pool == Pool(('a',), 2)
    after = remove({'a': np.arange(10.0)}, Mask.ones({'a': (10,)}), [pool])
    assert np.flatnonzero(~after['a']).tolist() == [0, 1]


def test_the_corners_of_the_published_rule_of_2019():
    assert removals({'a': 10}, {'a': 0.2}, rounding='lth2019')[0].count == 3
    # Theirs leaves nothing of one weight and fails in the next round; the floor holds here.
    assert removals({'a': 1}, {'a': 0.2}, rounding='lth2019')[0].count == 0


@pytest.mark.parametrize(
    ('rate', 'survivors', 'count'),
    [
        (0.1, 5, 0),  # 0.5
        (0.1, 15, 2),  # 1.5
        (0.1, 25, 2),  # 2.5
        (0.5, 5, 2),
        (0.5, 7, 4),
        (0.3, 5, 2),  # 1.5
        (0.35, 10, 4),  # 3.5
        (0.15, 10, 2),  # 1.5
        (0.575, 100, 58),  # 57.5; the floating product is 57.49999999999999
        (0.57, 100, 57),  # int() of the floating product is 56
        (0.29, 100, 29),  # int() of the floating product is 28
    ],
)
def test_ties_go_to_even_in_exact_arithmetic(rate, survivors, count):
    assert removals({'a': survivors}, {'a': rate})[0].count == count


@examples
@given(st.integers(1, 999), st.integers(1, 10**7))
def test_exactly_the_rounded_share(thousandths, survivors):
    whole, rest = divmod(thousandths * survivors, 1000)
    expected = whole + (rest > 500 or (rest == 500 and whole % 2))
    rate = float(f'0.{thousandths:03d}')
    (pool,) = removals({'a': survivors}, {'a': rate})
    assert pool.count == min(expected, survivors - 1)


@examples
@given(st.lists(st.integers(1, 500), min_size=1, max_size=4), st.integers(1, 99))
def test_scopes_agree_on_one_kernel_and_conserve_the_total(sizes, percent):
    survivors = {f'k{i}': n for i, n in enumerate(sizes)}
    rates = dict.fromkeys(survivors, Fraction(percent, 100))
    pools = removals(survivors, rates)
    assert [pool.paths for pool in pools] == [(path,) for path in survivors]
    assert all(pool.count <= survivors[pool.paths[0]] - 1 for pool in pools)
    (together,) = removals(survivors, rates, 'global')
    assert together.paths == tuple(survivors)
    assert together.count == min(
        round(Fraction(percent, 100) * sum(sizes)), sum(sizes) - len(sizes)
    )
    if len(sizes) == 1:
        assert [together] == pools


# -- rates


@pytest.mark.parametrize(
    ('written', 'exact'),
    [
        (0.2, (1, 5)),
        (0.1, (1, 10)),
        ('0.1', (1, 10)),
        ('1/3', (1, 3)),
        (' 0.25 ', (1, 4)),
        ('2e-1', (1, 5)),
        (0, (0, 1)),
        (-0.0, (0, 1)),
        (Fraction(1, 7), (1, 7)),
        (np.float32(0.1), (1, 10)),
        (np.float64(0.2), (1, 5)),
        (1e-3, (1, 1000)),
        (0.9999, (9999, 10000)),
    ],
)
def test_a_rate_is_the_decimal_number_that_was_written(written, exact):
    assert fraction(written) == Fraction(*exact)


@pytest.mark.parametrize(
    'bad',
    [1, 1.0, 1.5, -0.1, 20, '20%', '', 'much', '1/0', None, float('nan'), float('inf'), '-1/2'],
)
def test_anything_else_is_refused_by_name(bad):
    with pytest.raises(MaskError, match=r'conv_rate: expected a share .* in \[0, 1\), received'):
        fraction(bad, 'conv_rate')
    with pytest.raises(MaskError, match=r"rate of 'conv/kernel'"):
        removals({'a': 9, 'conv/kernel': 9}, {'a': 0.2, 'conv/kernel': bad})


def test_strings_and_fractions_count_as_floats_do():
    survivors = {'a': 235_200, 'b': 30_000}
    expected = removals(survivors, {'a': 0.2, 'b': 0.1})
    assert removals(survivors, {'a': '0.2', 'b': Fraction(1, 10)}) == expected
    assert removals(survivors, {'a': Fraction(1, 5), 'b': '1/10'}) == expected


def test_rate_zero_leaves_the_kernel_out_of_pool_and_count():
    survivors = {'a': 100, 'out': 100}
    rates = {'a': 0.2, 'out': 0}
    assert removals(survivors, rates) == [Pool(('a',), 20)]
    assert removals(survivors, rates, 'global') == [Pool(('a',), 20)]
    assert removals(survivors, dict.fromkeys(survivors, 0), 'global') == []


def test_unequal_rates_in_global_scope_are_refused():
    with pytest.raises(MaskError, match=r'one rate .* received 0\.1, 0\.2; set the others to 0'):
        removals({'a': 9, 'b': 9, 'c': 9}, {'a': 0.2, 'b': 0.1, 'c': 0}, 'global')


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(MaskError, match="unknown scope 'layer_wise': did you mean 'layerwise'"):
        removals({'a': 9}, {'a': 0.2}, 'layer_wise')
    with pytest.raises(ConfigError, match="unknown rounding 'lth_2019': did you mean 'lth2019'"):
        removals({'a': 9}, {'a': 0.2}, rounding='lth_2019')


def test_a_kernel_without_rate_is_refused_by_name():
    with pytest.raises(MaskError, match='dense_1'):
        removals({'dense': 9, 'dense_1': 9}, {'dense': 0.2})


def test_a_kernel_too_small_to_lose_a_weight_is_there_with_count_zero():
    pools = removals({'a': 10, 'tiny': 2, 'one': 1}, {'a': 0.2, 'tiny': 0.2, 'one': 0.9})
    assert pools == [Pool(('a',), 2), Pool(('tiny',), 0), Pool(('one',), 0)]
    scores = {'a': np.arange(10.0), 'tiny': np.zeros(2), 'one': np.zeros(1)}
    mask = Mask.ones({path: score.shape for path, score in scores.items()})
    assert remove(scores, mask, pools).survivors == {'a': 8, 'tiny': 2, 'one': 1}


# -- which: a reference in plain Python


def reference(scores, mask, pools):
    """Survivors in the order (score, place) go, unless one is the last of its kernel."""
    kept = {path: array.reshape(-1).tolist() for path, array in mask.items()}
    for pool in pools:
        order = sorted(
            (float(np.asarray(scores[path]).reshape(-1)[index]), place, index)
            for place, path in enumerate(pool.paths)
            for index, alive in enumerate(kept[path])
            if alive
        )
        left = pool.count
        for _, place, index in order:
            path = pool.paths[place]
            if left and sum(kept[path]) > 1:
                kept[path][index] = False
                left -= 1
        assert not left
    return {path: np.reshape(kept[path], mask[path].shape) for path in mask}


@st.composite
def situations(draw, distinct=False):
    """Scores, a mask with at least one survivor per kernel, and a rate."""
    shapes = draw(
        st.lists(
            st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple), min_size=1, max_size=4
        )
    )
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    levels = draw(st.integers(1, 5))
    density = draw(st.sampled_from([0.2, 0.6, 1.0]))
    kind = draw(st.sampled_from([np.float32, np.float64, np.float16, np.int64]))
    scores, masks = {}, {}
    ranks = iter(generator.permutation(sum(int(np.prod(shape)) for shape in shapes)).tolist())
    for number, shape in enumerate(shapes):
        if distinct:
            score = np.array([next(ranks) for _ in range(int(np.prod(shape)))]).reshape(shape)
        else:  # signed, with many ties
            score = generator.integers(-levels, levels, shape)
        scores[f'k{number}'] = score.astype(np.float64 if distinct else kind)
        alive = generator.random(shape) < density
        alive.reshape(-1)[generator.integers(alive.size)] = True
        masks[f'k{number}'] = alive
    # Pruned places hold anything at all: nobody looks.
    for path, alive in masks.items():
        if scores[path].dtype.kind == 'f':
            scores[path][~alive] = generator.choice([np.nan, np.inf, -np.inf, -99])
    rate = Fraction(draw(st.integers(1, 99)), 100)
    return scores, Mask(masks), rate


def nothing_to_do(pools):
    return not sum(pool.count for pool in pools)


@pytest.mark.parametrize('scope', allocation.SCOPES)
@settings(examples, max_examples=300)
@given(situations())
def test_the_mask_is_that_of_the_reference(scope, situation):
    scores, mask, rate = situation
    pools = removals(mask.survivors, dict.fromkeys(mask, rate), scope)
    if nothing_to_do(pools):
        with pytest.raises(MaskError, match='nothing was pruned'):
            remove(scores, mask, pools)
        return
    after = remove(scores, mask, pools)
    expected = reference(scores, mask, pools)
    assert {path: array.tolist() for path, array in after.items()} == {
        path: array.tolist() for path, array in expected.items()
    }
    assert after <= mask, 'a pruned weight came back'
    assert mask.kept - after.kept == sum(pool.count for pool in pools)
    assert min(after.survivors.values()) >= 1


@pytest.mark.parametrize('scope', allocation.SCOPES)
@settings(examples, max_examples=100)
@given(situations())
def test_the_count_is_exact_when_all_scores_tie(scope, situation):
    scores, mask, rate = situation
    scores = {path: np.full(score.shape, 0.5) for path, score in scores.items()}
    pools = removals(mask.survivors, dict.fromkeys(mask, rate), scope)
    if nothing_to_do(pools):
        return
    after = remove(scores, mask, pools)
    assert mask.kept - after.kept == sum(pool.count for pool in pools)
    for path, array in after.items():
        alive = np.flatnonzero(mask[path])
        gone = alive[~array.reshape(-1)[alive]]
        assert gone.tolist() == alive[: gone.size].tolist(), 'ties go by flat index'


@pytest.mark.parametrize('scope', allocation.SCOPES)
@settings(examples, max_examples=100)
@given(situations(distinct=True), st.integers(0, 2**32))
def test_permuting_units_permutes_the_mask(scope, situation, seed):
    scores, mask, rate = situation
    pools = removals(mask.survivors, dict.fromkeys(mask, rate), scope)
    if nothing_to_do(pools):
        return
    generator = np.random.default_rng(seed)
    orders = {path: generator.permutation(array.shape[-1]) for path, array in mask.items()}
    after = remove(scores, mask, pools)
    moved = remove(
        {path: score[..., orders[path]] for path, score in scores.items()},
        Mask({path: array[..., orders[path]] for path, array in mask.items()}),
        pools,
    )
    assert moved == Mask({path: array[..., orders[path]] for path, array in after.items()})


@pytest.mark.parametrize('scope', allocation.SCOPES)
@settings(examples, max_examples=100)
@given(situations())
def test_nothing_that_was_given_is_changed(scope, situation):
    scores, mask, rate = situation
    pools = removals(mask.survivors, dict.fromkeys(mask, rate), scope)
    before = {path: (score.tobytes(), mask[path].tobytes()) for path, score in scores.items()}
    for score in scores.values():
        score.setflags(write=False)
    if not nothing_to_do(pools):
        assert remove(scores, mask, pools) == remove(scores, mask, pools)
    assert before == {p: (score.tobytes(), mask[p].tobytes()) for p, score in scores.items()}


def test_a_million_weights_of_which_most_tie():
    generator = np.random.default_rng(0)
    score = generator.integers(0, 3, (1000, 1000)).astype(np.float32)
    after = remove({'a': score}, Mask.ones({'a': score.shape}), [Pool(('a',), 400_000)])
    order = np.argsort(score.reshape(-1), kind='stable')
    assert np.array_equal(np.flatnonzero(~after['a']), np.sort(order[:400_000]))


def test_the_floor_keeps_the_strongest_and_of_equal_ones_the_last():
    scores = {'a': np.array([3.0, 5.0, 5.0, 1.0])}
    after = remove(scores, Mask.ones({'a': (4,)}), removals({'a': 4}, {'a': 0.99}))
    assert after['a'].tolist() == [False, False, True, False]


def test_the_floor_sends_the_next_lowest_elsewhere_in_global_scope():
    scores = {'weak': np.array([0.1, 0.2, 0.3]), 'strong': np.array([1.0, 4.0, 2.0, 3.0])}
    mask = Mask.ones({path: score.shape for path, score in scores.items()})
    pools = removals(mask.survivors, dict.fromkeys(mask, Fraction(4, 7)), 'global')
    assert pools == [Pool(('weak', 'strong'), 4)]
    after = remove(scores, mask, pools)
    assert after['weak'].tolist() == [False, False, True]
    assert after['strong'].tolist() == [False, True, False, True]
    assert after.kept == 3, 'the total is exact although the floor held a weight'


def test_the_floor_wins_over_any_rate():
    survivors = {'a': 3, 'b': 1, 'c': 2}
    rates = dict.fromkeys(survivors, 0.99)
    scores = {path: np.arange(float(n)) for path, n in survivors.items()}
    mask = Mask.ones({path: (n,) for path, n in survivors.items()})
    for scope in allocation.SCOPES:
        after = remove(scores, mask, removals(survivors, rates, scope))
        assert after.survivors == {'a': 1, 'b': 1, 'c': 1}


def test_weights_that_are_zero_are_survivors_like_others():
    # The mask says what is pruned; a zero does not.
    mask = Mask({'a': [1, 1, 1, 1, 0, 0]})
    assert mask.survivors == {'a': 4}
    after = remove({'a': np.array([0.0, 0.0, 2.0, 3.0, 0.0, 0.0])}, mask, [Pool(('a',), 1)])
    assert after['a'].astype(int).tolist() == [0, 1, 1, 1, 0, 0]


def test_a_kernel_outside_all_pools_is_left_alone():
    mask = Mask({'a': [1, 1, 1], 'out': [1, 0, 1]})
    after = remove({'a': np.arange(3.0), 'out': -np.ones(3)}, mask, [Pool(('a',), 1)])
    assert np.array_equal(after['out'], mask['out'])
    assert list(after) == list(mask)


# -- errors


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('scope', allocation.SCOPES)
def test_scores_that_are_not_finite_name_kernel_and_number(bad, scope):
    scores = {'good': np.ones(4), 'conv/kernel': np.array([1, bad, bad, 2.0])}
    mask = Mask.ones({path: score.shape for path, score in scores.items()})
    pools = removals(mask.survivors, dict.fromkeys(mask, 0.5), scope)
    with pytest.raises(MaskError, match=r"'conv/kernel': expected finite .* received 2 NaN or inf"):
        remove(scores, mask, pools)
    # Pruned places are nobody's business.
    alive = Mask({'good': np.ones(4), 'conv/kernel': [1, 0, 0, 1]})
    assert remove(scores, alive, [Pool(('conv/kernel',), 1)])['conv/kernel'].tolist() == [
        False,
        False,
        False,
        True,
    ]


def test_scores_in_a_kernel_that_is_not_pruned_are_checked_too():
    mask = Mask.ones({'a': (4,), 'out': (2,)})
    scores = {'a': np.ones(4), 'out': np.array([1.0, np.nan])}
    with pytest.raises(MaskError, match="'out'"):
        remove(scores, mask, [Pool(('a',), 1)])


def test_scores_that_are_missing_or_of_another_shape_name_the_kernel():
    mask = Mask.ones({'a': (4,), 'dense/kernel': (2, 3)})
    pools = [Pool(('a',), 1)]
    with pytest.raises(MaskError, match="expected scores for kernel 'dense/kernel'"):
        remove({'a': np.ones(4)}, mask, pools)
    with pytest.raises(
        MaskError, match=r"'dense/kernel': expected shape \(2, 3\), received \(3, 2\)"
    ):
        remove({'a': np.ones(4), 'dense/kernel': np.ones((3, 2))}, mask, pools)


def test_nothing_pruned_is_an_error_that_says_what_is_left():
    mask = Mask({'a': [1, 0, 1], 'b': [1]})
    scores = {'a': np.ones(3), 'b': np.ones(1)}
    for pools in ([], removals(mask.survivors, dict.fromkeys(mask, 0.2))):
        with pytest.raises(MaskError, match=r'nothing was pruned.*a \(2 left\), b \(1 left\)'):
            remove(scores, mask, pools)


def test_something_pruned_is_enough():
    mask = Mask.ones({'a': (10,), 'b': (1,)})
    pools = removals(mask.survivors, dict.fromkeys(mask, 0.2))
    assert remove({'a': np.ones(10), 'b': np.ones(1)}, mask, pools).survivors == {'a': 8, 'b': 1}


@pytest.mark.parametrize('pool', [Pool(('zzz',), 1), Pool(('a',), 5), Pool(('a',), 9)])
def test_a_pool_that_does_not_fit_the_mask_is_refused_by_name(pool):
    with pytest.raises(MaskError, match=pool.paths[0]):
        remove({'a': np.arange(5.0)}, Mask.ones({'a': (5,)}), [pool])
