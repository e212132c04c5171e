"""Synthetic records: a small experiment whose numbers follow from a formula."""

import math

import pytest


def make_rows(replicates=3, rounds=10, controls=None, draws=1, rate=0.2, size=266200):
    """Rows of tickets in rounds 0..rounds and of `controls` ({name: rounds}).

    Tickets hold their accuracy and learn faster; controls get worse and slower with the round.
    """
    kept, rows = size, []
    for round_ in range(rounds + 1):
        variants = ['ticket', *(n for n, at in (controls or {}).items() if round_ in at)]
        for replicate in range(replicates):
            for variant in variants:
                for draw in range(1 if variant == 'ticket' else draws):
                    # Fixed irrational steps scatter the values without a random generator.
                    wiggle = math.sin(2.4 * replicate + 78.233 * round_ + draw + len(set(variant)))
                    loss = 0.0 if variant == 'ticket' else 0.004 * round_ + 0.002 * len(variant)
                    accuracy = round(0.981 + 0.0006 * wiggle - loss, 4)
                    step = (
                        max(1000, 4300 - 120 * round_)
                        if variant == 'ticket'
                        else 4300 + 420 * round_
                    )
                    rows.append(
                        {
                            'replicate': replicate,
                            'round': round_,
                            'variant': variant,
                            'draw': draw,
                            'density': kept / size,
                            'model_density': (kept + 410) / (size + 410),
                            'layers': {'dense/kernel': {'kept': kept, 'size': size}},
                            'early_stop_step': step + 100 * round(2 * wiggle),
                            'validation_loss': round(0.07 + loss - 0.001 * wiggle, 5),
                            'validation_accuracy': round(accuracy - 0.001, 4),
                            'test_loss': round(0.06 + loss, 5),
                            'test_accuracy': accuracy,
                            'final_validation_loss': 0.09,
                            'final_validation_accuracy': round(accuracy - 0.002, 4),
                            'final_test_loss': 0.08,
                            'final_test_accuracy': round(accuracy - 0.0015, 4),
                            'training_steps': 12000,
                            'eval_every': 100,
                            'stage': f'train-{round_:08x}{replicate:04x}{draw:04x}',
                        }
                    )
        kept -= round(rate * kept)
    return rows


@pytest.fixture(name='make_rows')
def _make_rows():
    return make_rows


@pytest.fixture
def rows():
    return make_rows(controls={'reinit': [3, 7, 9]})
