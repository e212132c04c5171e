"""The criteria exam: every registered criterion sits it, and known-bad ones must fail it.

A question is a function that raises `Failed`; each has a bad criterion of its own that fails at
this very question, and the exact counts have bad pruners. A new criterion needs no new test here,
only its table of about ten weights in tests/criteria.
"""

import itertools
import json
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lth_keras.allocation import removals, remove
from lth_keras.criteria import CRITERIA, Evidence, criterion
from lth_keras.criteria.base import KINDS_OF_EVIDENCE
from lth_keras.errors import MaskError
from lth_keras.mask import Mask

TABLES = Path(__file__).parents[1] / 'criteria'
SHAPES = {'conv2d/kernel': (3, 3, 2, 4), 'dense/kernel': (12, 7), 'dense_1/kernel': (7, 5)}


class Failed(Exception):
    """The exam is not passed; the text says why."""


def ensure(condition, why):
    if not condition:
        raise Failed(why)


def evidence(kinds=KINDS_OF_EVIDENCE, seed=0, change=lambda path, array: array):
    """Weights of three kernels at each of the moments; read-only, like those of a snapshot."""
    generator = np.random.default_rng(seed)
    given = {
        kind: {p: generator.normal(size=shape).astype(np.float32) for p, shape in SHAPES.items()}
        for kind in KINDS_OF_EVIDENCE
    }
    made = {
        kind: {path: np.ascontiguousarray(change(path, array)) for path, array in arrays.items()}
        for kind, arrays in given.items()
        if kind in kinds
    }
    for array in itertools.chain(*(arrays.values() for arrays in made.values())):
        array.setflags(write=False)
    return Evidence(**made)


def scores(subject, given):
    """What a pruning does: ask for the evidence, then for the scores."""
    given.require(subject.needs, subject.__name__)
    return subject(given)


def pruned(score, rate=0.3):
    mask = Mask.ones({path: np.shape(array) for path, array in score.items()})
    return remove(score, mask, removals(mask.survivors, dict.fromkeys(mask, rate)))


# -- the questions


def what_is_declared_suffices(subject):
    """Called with the declared evidence alone it scores every weight with a finite number."""
    ensure(set(subject.needs) <= set(KINDS_OF_EVIDENCE), f'unknown evidence {subject.needs}')
    ensure(subject.needs, 'it needs no evidence at all')
    try:
        score = scores(subject, evidence(subject.needs))
    except Exception as e:
        raise Failed(f'it needs more than {subject.needs}: {e!r}') from e
    ensure(list(score) == list(SHAPES), 'kernels are missing, new, or in another order')
    for path, array in score.items():
        ensure(isinstance(array, np.ndarray) and array.dtype.kind == 'f', f'{path}: no floats')
        ensure(array.shape == SHAPES[path], f'{path}: another shape')
        ensure(np.isfinite(array).all(), f'{path}: not finite')


def what_is_missing_is_named(subject):
    """Whatever evidence there is: a score, or an error that names criterion and evidence."""
    subsets = itertools.chain.from_iterable(
        itertools.combinations(KINDS_OF_EVIDENCE, n) for n in range(len(KINDS_OF_EVIDENCE) + 1)
    )
    for kinds in subsets:
        missing = [kind for kind in subject.needs if kind not in kinds]
        try:
            scores(subject, evidence(kinds))
        except MaskError as e:
            ensure(missing, f'an error although nothing is missing: {e}')
            ensure(all(kind in str(e) for kind in missing), f'not all of {missing} named: {e}')
            ensure(repr(subject.__name__) in str(e), f'it is not named: {e}')
        except Exception as e:
            raise Failed(f'with {kinds} alone, an unclear error: {e!r}') from e
        else:
            ensure(not missing, f'{missing} is declared but not asked for')


def the_same_twice(subject):
    """Neither the process's generators nor an earlier call nor memory order make a difference."""
    first = scores(subject, evidence())
    random.seed(5)
    np.random.seed(5)
    scores(subject, evidence(seed=1))
    again = scores(subject, evidence())
    fortran = Evidence(
        **{
            kind: {p: np.asfortranarray(a) for p, a in getattr(evidence(), kind).items()}
            for kind in KINDS_OF_EVIDENCE
        }
    )
    for other in (again, scores(subject, fortran)):
        same = all(np.array_equal(first[path], other[path]) for path in SHAPES)
        ensure(same, 'other scores for the same evidence')


def evidence_is_left_alone(subject):
    """It does not write to the weights that it was given."""
    given = evidence()
    before = {k: {p: a.copy() for p, a in getattr(given, k).items()} for k in KINDS_OF_EVIDENCE}
    for kind in KINDS_OF_EVIDENCE:
        for array in getattr(given, kind).values():
            array.setflags(write=True)
    scores(subject, given)
    for kind, arrays in before.items():
        for path, array in arrays.items():
            ensure(np.array_equal(array, getattr(given, kind)[path]), f'it changed {kind} {path}')


def signs_do_not_matter(subject):
    """The negative of a network has the same mask: a sign is no magnitude."""
    negated = evidence(change=lambda path, array: -array)
    same = pruned(scores(subject, evidence())) == pruned(scores(subject, negated))
    ensure(same, 'the negated network has another mask')


def scale_of_a_layer_does_not_matter(subject):
    """A layer that is scaled (by powers of two: exactly) keeps its layer-wise mask."""
    before = pruned(scores(subject, evidence()))
    for factor in (2.0**-12, 0.5, 2.0**12):
        scaled = evidence(
            change=lambda path, array, c=factor: array * c if path == 'dense/kernel' else array
        )
        ensure(pruned(scores(subject, scaled)) == before, f'another mask at scale {factor}')


def the_place_does_not_matter(subject):
    """Units in another order have the same masks in that order (all scores are distinct)."""
    order = {p: np.random.default_rng(1).permutation(shape[-1]) for p, shape in SHAPES.items()}
    before = pruned(scores(subject, evidence()))
    moved = pruned(scores(subject, evidence(change=lambda path, array: array[..., order[path]])))
    expected = Mask({path: array[..., order[path]] for path, array in before.items()})
    ensure(moved == expected, 'the mask depends on where a weight lies')


def higher_is_kept(subject, name=None):
    """The weights that its table says go are those with the lowest scores."""
    path = TABLES / f'{name or subject.__name__}.json'
    ensure(path.is_file(), f'there is no hand-worked table {path.name} in tests/criteria')
    table = json.loads(path.read_text())
    given = dict(zip(table['columns'], np.array(table['rows']).T, strict=True))
    found = scores(subject, Evidence(**{kind: {'a': given[kind]} for kind in subject.needs}))['a']
    removed = given['kept'] == 0
    ensure(found[removed].max() <= found[~removed].min(), 'the table removes higher scores')
    ensure(found[removed].mean() < found[~removed].mean(), 'the table decides nothing')


QUESTIONS = [
    what_is_declared_suffices,
    what_is_missing_is_named,
    the_same_twice,
    evidence_is_left_alone,
    signs_do_not_matter,
    scale_of_a_layer_does_not_matter,
    the_place_does_not_matter,
    higher_is_kept,
]


@pytest.mark.parametrize('question', QUESTIONS, ids=lambda question: question.__name__)
@pytest.mark.parametrize('name', CRITERIA)
def test_registered(name, question):
    question(CRITERIA[name])


# -- known to be bad


@criterion('final')
def reads_more_than_it_declares(evidence):
    return {path: np.abs(w) - np.abs(evidence.initial[path]) for path, w in evidence.final.items()}


@criterion()
def declares_nothing(evidence):
    return {path: np.abs(w) for path, w in evidence.final.items()}


@criterion('final')
def draws_from_the_process(evidence):
    return {path: np.random.random(w.shape) for path, w in evidence.final.items()}


@criterion('final')
def works_in_place(evidence):
    return {
        path: np.abs(w, out=w if w.flags.writeable else None) for path, w in evidence.final.items()
    }


@criterion('final')
def signed_value(evidence):
    return dict(evidence.final)


@criterion('final')
def saturates(evidence):
    return {path: np.minimum(np.abs(w), 0.5) for path, w in evidence.final.items()}


@criterion('final')
def prefers_later_ones(evidence):
    return {
        path: np.abs(w) * np.arange(1, w.size + 1).reshape(w.shape)
        for path, w in evidence.final.items()
    }


@criterion('final')
def small_final(evidence):
    return {path: -np.abs(w) for path, w in evidence.final.items()}


def small_final_is_no_large_final(subject):
    higher_is_kept(subject, 'large_final')


BAD = [
    (what_is_declared_suffices, reads_more_than_it_declares),
    (what_is_declared_suffices, declares_nothing),
    (what_is_missing_is_named, declares_nothing),
    (the_same_twice, draws_from_the_process),
    (evidence_is_left_alone, works_in_place),
    (signs_do_not_matter, signed_value),
    (scale_of_a_layer_does_not_matter, saturates),
    (the_place_does_not_matter, prefers_later_ones),
    (higher_is_kept, small_final),  # has no table
    (small_final_is_no_large_final, small_final),
]


@pytest.mark.parametrize(('question', 'subject'), BAD, ids=lambda f: f.__name__)
def test_known_bad_criteria_fail(question, subject):
    with pytest.raises(Failed):
        question(subject)


def test_every_question_can_be_failed():
    assert {question for question, _ in BAD} >= set(QUESTIONS)


# -- exact counts, whatever the scores: the exam of what prunes


def by_counting(score, mask, rate):
    return remove(score, mask, removals(mask.survivors, dict.fromkeys(mask, rate)))


def by_threshold(score, mask, rate):
    """Known to be bad: keeps what is above the quantile, so all that ties goes (or stays)."""
    return Mask(
        {p: kept & (score[p] > np.quantile(score[p][kept], rate)) for p, kept in mask.items()}
    )


def by_inclusive_threshold(score, mask, rate):
    """Known to be bad: what equals the threshold stays."""
    return Mask(
        {p: kept & (score[p] >= np.quantile(score[p][kept], rate)) for p, kept in mask.items()}
    )


def by_truncation(score, mask, rate):
    """Known to be bad: int() of a floating product is one short."""
    after = {}
    for path, kept in mask.items():
        alive = np.flatnonzero(kept)
        order = np.argsort(score[path].reshape(-1)[alive], kind='stable')
        flat = kept.reshape(-1).copy()
        flat[alive[order[: int(rate * alive.size)]]] = False
        after[path] = flat.reshape(kept.shape)
    return Mask(after)


def by_current_weights(score, mask, rate):
    """Known to be bad: chooses anew among all weights, so that pruned ones come back."""
    number = {p: kept.sum() - round(kept.sum() * rate) for p, kept in mask.items()}
    ranks = {p: np.argsort(np.argsort(-s, axis=None, kind='stable')) for p, s in score.items()}
    return Mask({p: (ranks[p] < number[p]).reshape(mask[p].shape) for p in mask})


def counts_are_exact(prune, score):
    mask = Mask.ones({path: array.shape for path, array in score.items()})
    for number in range(3):
        after = prune(score, mask, 0.29)
        for path, had in mask.survivors.items():
            lost, expected = had - after.survivors[path], round(Fraction(29, 100) * had)
            ensure(lost == expected, f'{path}: {lost} of {had} went, not {expected}')
        ensure(after <= mask, f'a pruned weight came back in round {number + 1}')
        mask, score = after, {path: array[..., ::-1] for path, array in score.items()}


KINDS_OF_SCORES = {
    'all_tie': {'a': np.full((10, 10), 0.5), 'b': np.full(200, 2.0)},
    'signed_constants': {'a': np.abs(np.resize([0.25, -0.25], (10, 10))), 'b': np.ones(200)},
    'distinct': {
        'a': np.random.default_rng(0).permutation(100).reshape(10, 10) / 7,
        'b': np.random.default_rng(1).permutation(200) / 7,
    },
}


@pytest.mark.parametrize('kind', KINDS_OF_SCORES)
def test_counting_is_exact(kind):
    counts_are_exact(by_counting, KINDS_OF_SCORES[kind])


@pytest.mark.parametrize(
    ('prune', 'kind'),
    [
        (by_threshold, 'all_tie'),
        (by_threshold, 'signed_constants'),
        (by_inclusive_threshold, 'all_tie'),
        (by_truncation, 'distinct'),
        (by_current_weights, 'distinct'),
    ],
    ids=lambda value: getattr(value, '__name__', value),
)
def test_known_bad_pruners_fail(prune, kind):
    with pytest.raises(Failed):
        counts_are_exact(prune, KINDS_OF_SCORES[kind])


@pytest.mark.parametrize('name', CRITERIA)
@pytest.mark.parametrize('constant', [0.0, 0.25, -0.25])
def test_registered_criteria_meet_the_count_when_all_weights_are_equal(name, constant):
    given = evidence(change=lambda path, array: np.full_like(array, constant))
    after = pruned(scores(CRITERIA[name], given))
    assert after.survivors == {p: n - round(n * 0.3) for p, n in after.sizes.items()}
