"""Evidence: what is there, what is missing, and how a criterion declares what it needs."""

import dataclasses
import inspect

import numpy as np
import pytest

from lth_keras.criteria import Evidence, criterion
from lth_keras.criteria.base import KINDS_OF_EVIDENCE
from lth_keras.errors import MaskError

SOME = {'a': np.ones(2)}


def test_every_kind_of_evidence_has_a_field():
    assert tuple(item.name for item in dataclasses.fields(Evidence)) == KINDS_OF_EVIDENCE


def test_evidence_that_is_there_passes():
    Evidence().require((), 'constant')
    Evidence(final=SOME).require(('final',), 'large_final')
    # No kernels is not the same as no evidence.
    Evidence(final={}).require(('final',), 'large_final')


def test_missing_evidence_names_the_criterion_all_kinds_and_what_to_do():
    with pytest.raises(MaskError) as raised:
        Evidence(final=SOME).require(('initial', 'rewind', 'final'), 'movement')
    text = str(raised.value)
    assert "criterion 'movement' needs the initial and the rewind weights, received none" in text
    assert 'final' not in text
    assert 'rewind callback' in text


def test_a_criterion_is_the_function_itself_with_its_needs():
    def score(evidence):
        """Says nothing."""
        return evidence.final

    marked = criterion('initial', 'final')(score)
    assert marked is score
    assert marked.needs == ('initial', 'final')
    assert list(inspect.signature(marked).parameters) == ['evidence']


def test_an_unknown_kind_of_evidence_is_refused_where_it_is_declared():
    with pytest.raises(ValueError, match='expected evidence among .* received .*finale'):
        criterion('final', 'finale')


def test_evidence_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Evidence().final = SOME
