"""The table of the paper's claims: every recipe has its flagfile, every number a record."""

import pathlib

import pytest

from lth_keras import experiment
from lth_keras.report.recipes import RECIPES, Recipe
from lth_keras.report.reproduction import (
    FLAGFILES,
    flags_of,
    recipes_table,
    reproduction_table,
    smaller,
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
    assert 'earlier than dense (21.1%) | 2.00 times [2.00 times, 2.00 times] | agrees' in lines[0]
    assert '12,000 of 50,000 steps, 2 of 5 trials' in lines[0] and lines[1].endswith('" |')
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
    text = reproduction_table({'conv_2_reduced': {'rows': rows}}, ROOT)
    assert 'up to 3.5 times sooner | 5.00 times at 10.0% (one replicate) | same direction' in text
    assert 'up to +3.4 pp | +3.00 pp at 27.0% (one replicate) | same direction' in text
    assert 'JPEG-re-encoded CIFAR-10' in text


def test_what_is_smaller():
    assert smaller(Recipe('lenet', (), trials=1), [row(0, 0, 1.0, 0.9, 1)], ROOT) == 'no'
    text = smaller(Recipe('conv_4_reduced', (), 'conv_4'), [], ROOT)
    assert '4,000 of 25,000 steps' in text and '0.25 of the width' in text
    assert '10000 training images' in text and '0 of 5 trials' in text


def test_all_recipes_are_listed_with_their_replicates():
    rows = [row(r, 0, 1.0, 0.98, 6000) for r in range(4)]
    table = recipes_table({'lenet': {'rows': rows}, 'lenet_rates-rate-0_1': {'rows': rows}}, ROOT)
    lines = {line.split('`')[1]: line for line in table.split('\n')[2:] if line}
    assert sorted(lines) == NAMES
    assert lines['lenet'].endswith('| 4 |') and lines['lenet_rates'].endswith('| 4 |')
    assert lines['conv_2'].endswith('| 0 |')
