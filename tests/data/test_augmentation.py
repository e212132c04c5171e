"""Augmentation: drawn for each example on its own, the same compiled and not, pixels only moved."""

import numpy as np
import pytest
import tensorflow as tf

from lth_keras.data import augmentation
from lth_keras.data.augmentation import AUGMENTATIONS, drawn, flip_crop, none
from lth_keras.errors import ConfigError

KEY, STEP = 1_234_567, 89
WORD = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
CROPS = (2, 9, 9)


@pytest.fixture(scope='module')
def images():
    """Every pixel of a batch of 200 is another one, and none is zero."""
    return np.arange(1, 200 * 8 * 6 * 3 + 1, dtype=np.float32).reshape(200, 8, 6, 3)


def numbers(key, step, positions, below, compiled=False):
    """`drawn`, run as in training: inside a function, on tensors."""
    function = tf.function(lambda *given: drawn(*given, below), jit_compile=compiled)
    given = tf.constant(key, tf.int64), tf.constant(step, tf.int64), tf.constant(positions)
    return function(*given).numpy()


# -- the numbers


def splitmix64(state):
    """The first output, in Python's own whole numbers."""
    bits = (state + GAMMA) & WORD
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & WORD
    return bits ^ (bits >> 31)


def expected_numbers(key, step, position, below):
    state = splitmix64((splitmix64((splitmix64(key & WORD) + step) & WORD) + position) & WORD)
    bits = [splitmix64((state + number * GAMMA) & WORD) for number in range(len(below))]
    return [((value >> 32) * size) >> 32 for value, size in zip(bits, below, strict=True)]


def test_splitmix64_gives_the_published_numbers():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    states = [(1234567 + number * GAMMA) & WORD for number in range(3)]
    found = augmentation._first(tf.constant(np.array(states, np.uint64)))
    assert found.numpy().tolist() == published == [splitmix64(state) for state in states]


@pytest.mark.parametrize('compiled', [False, True], ids=['plain', 'compiled'])
@pytest.mark.parametrize(
    ('key', 'step'), [(0, 0), (KEY, STEP), (2**31 - 1, 2**31), (2**62, 2**40), (-1, 3)]
)
def test_numbers_are_those_of_the_formula(key, step, compiled):
    below, positions = (2, 9, 9, 1000, 2**31), [0, 1, 2, 127, 10**6]
    found = numbers(key, step, positions, below, compiled)
    assert found.dtype == np.int32
    assert found.tolist() == [expected_numbers(key, step, p, below) for p in positions]


def test_whole_numbers_of_any_type_will_do():
    found = [
        drawn(key, step, positions, CROPS).numpy().tolist()
        for key, step, positions in [
            (7, 3, [0, 5]),
            (np.int64(7), np.int32(3), np.array([0, 5])),
            (tf.constant(7), tf.constant(3, tf.int64), tf.constant([0, 5], tf.int64)),
        ]
    ]
    assert found[0] == found[1] == found[2]


def chi_square(counts):
    expected = counts.sum() / counts.size
    return ((counts - expected) ** 2).sum() / expected


def limit(freedom):
    """Chi-square that a fair source exceeds once in ten thousand times (Wilson and Hilferty)."""
    return freedom * (1 - 2 / (9 * freedom) + 3.719 * np.sqrt(2 / (9 * freedom))) ** 3


# 131,072 draws each, of what changes while training: the position, the step, the replicate.
MANY, BATCH = 2**17, 128
SERIES = {
    'positions': lambda draw: [draw(KEY, STEP, first) for first in range(0, MANY, BATCH)],
    'steps': lambda draw: [draw(KEY, step, 0) for step in range(MANY // BATCH)],
    'keys': lambda draw: [draw(key, 0, 0) for key in range(MANY // BATCH)],
}


@pytest.fixture(scope='module', params=SERIES)
def series(request):
    """Numbers (2**17, 3) of one kind of series, in its order."""
    function = tf.function(
        lambda key, step, first: drawn(key, step, first + tf.range(BATCH), CROPS)
    )
    return np.concatenate(
        SERIES[request.param](lambda *given: function(*map(tf.constant, given)).numpy())
    )


def test_each_number_is_uniform(series):
    for column, size in zip(series.T, CROPS, strict=True):
        counts = np.bincount(column, minlength=size)
        assert len(counts) == size
        assert chi_square(counts) < limit(size - 1)


def test_the_numbers_of_an_example_are_independent(series):
    joint = np.zeros(CROPS, int)
    np.add.at(joint, tuple(series.T), 1)
    assert joint.min() > 0, 'an outcome that never comes'
    assert chi_square(joint) < limit(joint.size - 1)


@pytest.mark.parametrize('distance', [1, 2, 128, 4096])
def test_examples_are_independent_of_each_other(series, distance):
    # Mirrored and left of the one, mirrored and top of the other.
    one, other = series[:-distance], series[distance:]
    pairs = np.zeros((2, 9, 2, 9), int)
    np.add.at(pairs, (one[:, 0], one[:, 2], other[:, 0], other[:, 1]), 1)
    assert chi_square(pairs) < limit(pairs.size - 1)


@pytest.mark.parametrize(
    'poor',
    [
        # One number in three places; uniform each, but never apart.
        lambda p: np.stack([p % 2, p % 9, p % 9], axis=1),
        # A multiplicative hash: uniform, and the neighbour follows.
        lambda p: np.stack([p % 2, p * 5 % 9, p * 7 // 3 % 9], axis=1),
    ],
)
def test_poor_sources_are_found_out(poor):
    poor = poor(np.arange(MANY))
    test_each_number_is_uniform(poor)
    with pytest.raises(AssertionError):
        test_the_numbers_of_an_example_are_independent(poor)
        test_examples_are_independent_of_each_other(poor, 1)


# -- what holds for each augmentation


@pytest.mark.parametrize('name', AUGMENTATIONS)
@pytest.mark.parametrize('kind', ['float32', 'float16', 'bfloat16', 'uint8'])
def test_shape_and_type_stay(name, kind, images):
    given = tf.cast(images[:5] % 255, kind)
    found = AUGMENTATIONS[name](given, KEY, STEP, tf.range(5))
    assert (found.shape, found.dtype) == (given.shape, given.dtype)


@pytest.mark.parametrize('name', AUGMENTATIONS)
def test_an_example_does_not_care_which_batch_or_replica_it_is_in(name, images):
    augment, images = AUGMENTATIONS[name], tf.constant(images)
    whole = augment(images, KEY, STEP, np.arange(200)).numpy()
    for start, stop in [(0, 1), (0, 100), (100, 200), (67, 133), (199, 200)]:
        part = augment(images[start:stop], KEY, STEP, np.arange(start, stop)).numpy()
        assert np.array_equal(part, whole[start:stop])
    order = np.random.default_rng(0).permutation(200)
    mixed = augment(tf.gather(images, order), KEY, STEP, order).numpy()
    assert np.array_equal(mixed, whole[order])


@pytest.mark.parametrize('name', AUGMENTATIONS)
def test_the_same_draws_whatever_was_drawn_before(name, images):
    augment, images = AUGMENTATIONS[name], tf.constant(images)
    first = augment(images, KEY, STEP, np.arange(200)).numpy()
    tf.random.set_seed(99)
    tf.random.uniform((3,))
    augment(images, KEY, STEP + 1, np.arange(200))
    assert np.array_equal(augment(images, KEY, STEP, np.arange(200)).numpy(), first)


@pytest.mark.parametrize('name', AUGMENTATIONS)
@pytest.mark.parametrize('kind', ['float32', 'float16', 'bfloat16'])
def test_compiled_and_plain_are_bit_equal(name, kind, images):
    def training(x, key, first):
        steps = [AUGMENTATIONS[name](x, key, first + i, tf.range(200)) for i in range(3)]
        return tf.stack(steps)

    given = tf.cast(images, kind), tf.constant(KEY, tf.int64), tf.constant(STEP, tf.int64)
    plain = tf.function(training)(*given)
    compiled = tf.function(training, jit_compile=True)(*given)
    eager = training(*given)
    bits = [np.asarray(tensor).view(np.uint8) for tensor in (plain, compiled, eager)]
    assert np.array_equal(bits[0], bits[1])
    assert np.array_equal(bits[0], bits[2])


# -- none


def test_none_is_nothing_at_all(images):
    given = tf.constant(images)
    assert none(given, KEY, STEP, tf.range(200)) is given


def test_none_takes_inputs_that_are_no_images():
    given = tf.zeros((3, 5))
    assert none(given, KEY, STEP, tf.range(3)) is given


# -- flip_crop


def one_by_one(images, key, step, positions):
    """The reference: each image on its own, in numpy, as the docstring says it."""
    _, height, width, _ = images.shape
    results = []
    for image, position in zip(images, positions, strict=True):
        mirrored, top, left = expected_numbers(key, step, int(position), CROPS)
        if mirrored:
            image = image[:, ::-1]
        padded = np.pad(image, [(4, 4), (4, 4), (0, 0)])
        results.append(padded[top : top + height, left : left + width])
    return np.stack(results)


@pytest.mark.parametrize('shape', [(8, 6, 3), (32, 32, 3), (28, 28, 1), (3, 3, 2), (1, 1, 1)])
def test_flip_crop_is_the_reference(shape):
    given = np.random.default_rng(1).standard_normal((64, *shape)).astype(np.float32)
    positions = np.arange(10, 74)
    found = flip_crop(given, KEY, STEP, positions).numpy()
    assert np.array_equal(found, one_by_one(given, KEY, STEP, positions))


def test_pixels_are_moved_with_all_their_bits():
    given = np.zeros((64, 5, 5, 1), np.float32)
    given[:, 2, 2, 0], given[:, 1, 2, 0], given[:, 3, 2, 0] = -0.0, np.nan, np.inf
    found = flip_crop(given, KEY, STEP, np.arange(64)).numpy()
    expected = one_by_one(given, KEY, STEP, np.arange(64))
    assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))


def test_all_outcomes_come(images):
    many = 4000
    given = np.repeat(images[:1, :, :, :1], many, axis=0)
    found = flip_crop(given, KEY, STEP, np.arange(many)).numpy()
    assert len({image.tobytes() for image in found}) == 2 * 9 * 9


@pytest.mark.parametrize('changed', [(KEY + 1, STEP, 0), (KEY, STEP + 1, 0), (KEY, STEP, 200)])
def test_another_key_step_or_position_draws_anew(changed, images):
    key, step, moved = changed
    first = flip_crop(images, KEY, STEP, np.arange(200)).numpy()
    other = flip_crop(images, key, step, np.arange(200) + moved).numpy()
    same = sum(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert same < 12, f'{same} of 200 alike; 200 / 162 are by chance'


def test_what_was_given_stays(images):
    before = images.copy()
    flip_crop(images, KEY, STEP, np.arange(200))
    assert np.array_equal(images, before)


@pytest.mark.parametrize('shape', [(4, 784), (4, 28, 28), (4, 2, 8, 8, 3)])
def test_inputs_that_are_no_images_are_refused(shape):
    with pytest.raises(ConfigError, match=r'flip_crop: expected images .* received inputs of'):
        flip_crop(np.zeros(shape, np.float32), KEY, STEP, np.arange(4))


def test_a_batch_of_unknown_size_will_do(images):
    function = tf.function(
        flip_crop,
        input_signature=[
            tf.TensorSpec((None, 8, 6, 3)),
            tf.TensorSpec((), tf.int64),
            tf.TensorSpec((), tf.int64),
            tf.TensorSpec((None,), tf.int32),
        ],
    )
    for count in (7, 3):
        positions = np.arange(count)
        found = function(images[:count], KEY, STEP, positions).numpy()
        assert np.array_equal(found, one_by_one(images[:count], KEY, STEP, positions))
