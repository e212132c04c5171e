"""The table of the paper's claims: every recipe has its flagfile, every number a record."""

import pathlib

import pytest

from lth_keras import experiment
from lth_keras.report.recipes import RECIPES, Recipe
from lth_keras.report.reproduction import (
    FLAGFILES,
    differences,
    flags_of,
    recipes_table,
    reproduction_table,
)

ROOT = pathlib.Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / FLAGFILES).glob('*.txt'))
FIELDS = {f.name: f for f in experiment.dataclasses.fields(experiment.Experiment)}


def row(replicate, number, density, accuracy, step, variant='ticket'):
    return {
        **{'replicate': replicate, 'round': number, 'variant': variant, 'density': density},
        **{'test_accuracy': accuracy, 'early_stop_step': step},
    }


@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_and_its_original_is_a_flagfile(recipe):
    assert recipe.name in NAMES
    assert (recipe.paper or recipe.name) in NAMES
    assert all(claim.record in ('', *(r.name for r in RECIPES)) for claim in recipe.claims)


@pytest.mark.parametrize('name', NAMES)
def test_a_flagfile_says_what_it_is_and_names_flags_only(name):
    first = (ROOT / FLAGFILES / f'{name}.txt').read_text().split('\n')[0]
    assert first.startswith('# ') and len(first) > 20
    for flag in flags_of(name, ROOT):
        assert flag in (*FIELDS, 'sweep'), flag


def test_claims_lie_at_densities_that_the_recipe_trains():
    lenet = [0.8, 0.2107, 0.1352, 0.0695, 0.0358]
    for recipe in RECIPES[:3]:
        assert {claim.density for claim in recipe.claims} <= set(lenet)


def test_a_row_per_claim_and_the_first_says_how_small_it_is():
    rows = [row(r, 0, 1.0, 0.98, 6000) for r in range(2)]
    rows += [row(r, 7, 0.2107, 0.985 + r / 1e4, 3000) for r in range(2)]
    text = reproduction_table({'lenet_sgd': {'rows': rows}}, ROOT)
    lines = [line for line in text.split('\n') if '`lenet_sgd`' in line]
    assert '| paper (secondary) | 2.00 times [2.00 times, 2.00 times] | agrees' in lines[0]
    assert 'training_steps 12000 (paper 50000), 2 of 5 trials' in lines[0]
    assert lines[1].endswith('" |')
    assert 'not run' in lines[2]
    assert text.count('\n') == 2 + sum(len(recipe.claims) for recipe in RECIPES)


def test_one_record_against_another_is_paired_by_seed_and_density():
    one = [row(r, 15, 0.0358, 0.970 + r / 1000, 9000) for r in range(3)]
    other = [row(r, 15, 0.0359, 0.975 + r / 1000, 6000) for r in (2, 0, 1)]
    both = {'lenet_one_shot': {'rows': one}, 'lenet_controls': {'rows': other}}
    lines = reproduction_table(both, ROOT).split('\n')
    found = next(line for line in lines if 'iterative tickets more accurate' in line)
    assert '+0.50 pp [+0.50 pp, +0.50 pp] | agrees' in found
    lone = reproduction_table({'lenet_one_shot': {'rows': one}}, ROOT).split('\n')
    assert 'not run' in next(line for line in lone if 'iterative tickets more accurate' in line)


def test_the_best_round_is_named():
    rows = [row(0, 0, 1.0, 0.60, 5000), row(0, 3, 0.27, 0.63, 2500), row(0, 5, 0.1, 0.62, 1000)]
    record = {'rows': rows, 'note': 'other data'}
    text = reproduction_table({'conv_2_reduced': record}, ROOT)
    assert '| 5.00 times (one replicate) at 10.0%, best of 2 rounds | same direction' in text
    assert '| +3.00 pp (one replicate) at 27.0%, best of 2 rounds | same direction' in text
    assert 'other data' in text


def test_how_a_recipe_differs_from_the_paper():
    rows = [row(0, 0, 1.0, 0.9, 1)]
    assert differences(Recipe('lenet', (), trials=1), {'rows': rows}, ROOT) == 'no'
    text = differences(Recipe('conv_4_reduced', (), 'conv_4'), {}, ROOT)
    assert 'training_steps 4000 (paper 25000), width 0.25 (paper 1), train_examples 10000' in text
    assert text.endswith('0 of 5 trials')


def test_what_was_recorded_counts_and_not_the_flagfile():
    record = {'rows': [], 'configuration': {'training_steps': 200, 'width': 1.0, 'depth': None}}
    text = differences(Recipe('lenet_reduced', (), 'lenet'), record, ROOT)
    assert text == 'training_steps 200 (paper 50000), 0 of 5 trials'


def test_all_recipes_are_listed_with_their_replicates():
    rows = [row(r, 0, 1.0, 0.98, 6000) for r in range(4)]
    table = recipes_table({'lenet': {'rows': rows}, 'lenet_rates-rate-0_1': {'rows': rows}}, ROOT)
    lines = {line.split('`')[1]: line for line in table.split('\n')[2:] if line}
    assert sorted(lines) == NAMES
    assert lines['lenet'].endswith('| 4 |') and lines['lenet_rates'].endswith('| 4 |')
    assert lines['conv_2'].endswith('| 0 |')
