"""What is registered explains itself: help texts, docs rows and reports are made of docstrings.

A folder's file that is not in its table is forgotten; a table that this exam does not know would
escape it. Both fail here.
"""

import inspect
import re
from pathlib import Path

import pytest

import lth_keras
from lth_keras.allocation import ROUNDINGS
from lth_keras.analysis import ANALYSES
from lth_keras.controls import CONTROLS
from lth_keras.criteria import CRITERIA
from lth_keras.data import DATASETS
from lth_keras.data.augmentation import AUGMENTATIONS
from lth_keras.data.changes import LABEL_NOISES, NORMALISATIONS
from lth_keras.exporting import FORMATS
from lth_keras.initializers import INITIALIZERS
from lth_keras.learning_rates import LEARNING_RATES
from lth_keras.models import MODELS
from lth_keras.optimizers import OPTIMIZERS
from lth_keras.procedures import PROCEDURES
from lth_keras.registry import Registry
from lth_keras.report.figures import FIGURES
from lth_keras.stopping import STOP_RULES
from lth_keras.strategies import STRATEGIES

PACKAGE = Path(lth_keras.__file__).parent
SOURCE, EXAMPLE = 'source', 'example'

# What a docstring holds beside its summary. Science names its source; what is arrays in and
# arrays out, or costs nothing to build, has an example with numbers.
REGISTRIES = {
    'CRITERIA': (CRITERIA, {SOURCE, EXAMPLE}),
    'MODELS': (MODELS, {SOURCE, EXAMPLE}),
    'CONTROLS': (CONTROLS, {SOURCE}),
    'DATASETS': (DATASETS, {SOURCE}),
    'AUGMENTATIONS': (AUGMENTATIONS, {EXAMPLE}),
    'PROCEDURES': (PROCEDURES, {SOURCE}),
    'ROUNDINGS': (ROUNDINGS, set()),
    'OPTIMIZERS': (OPTIMIZERS, set()),
    'STRATEGIES': (STRATEGIES, set()),
    'INITIALIZERS': (INITIALIZERS, {SOURCE, EXAMPLE}),
    'LEARNING_RATES': (LEARNING_RATES, set()),
    'LABEL_NOISES': (LABEL_NOISES, {EXAMPLE}),
    'NORMALISATIONS': (NORMALISATIONS, set()),
    'STOP_RULES': (STOP_RULES, set()),
    'ANALYSES': (ANALYSES, set()),
    'FIGURES': (FIGURES, set()),
    'FORMATS': (FORMATS, set()),
}
FOLDERS = {
    'criteria': [CRITERIA],
    'controls': [CONTROLS],
    'data': [DATASETS, AUGMENTATIONS, LABEL_NOISES, NORMALISATIONS],
    'models': [MODELS],
}
MEMBERS = [
    pytest.param(registry, name, wanted, id=f'{registry.kind}-{name}')
    for registry, wanted in REGISTRIES.values()
    for name in registry
]


def shortcomings(registry, name, wanted):
    """What is wrong with the docstring of an entry, in words."""
    text, summary = registry[name].__doc__ or '', registry.summary(name)
    found = []
    if not 10 <= len(summary) <= 100:
        found.append(f'a summary of {len(summary)} characters')
    if not summary.endswith('.'):
        found.append('a summary that is no sentence on one line')
    if '%' in text and '3.6%' not in text:
        found.append('percent: fractions lie in [0, 1]')
    if [registry.summary(other) for other in registry].count(summary) > 1:
        found.append('the summary of another entry')
    paragraphs = [inspect.cleandoc(part) for part in inspect.cleandoc(text).split('\n\n')]
    examples = [part for part in paragraphs if '>>> ' in part]
    if EXAMPLE in wanted and not any(re.search(r'\d', part.splitlines()[-1]) for part in examples):
        found.append('no example with numbers')
    sources = [part for part in paragraphs if part.startswith('Source: ')]
    if SOURCE in wanted and not any(re.search(r'\b(19|20)\d\d\b', part) for part in sources):
        found.append('no line "Source: authors, title, year"')
    return found


def unregistered(folder, registries):
    """Files of a folder that no entry of its tables comes from."""
    entries = [entry for registry in registries for entry in registry.values()]
    homes = {entry.__module__.split('.')[-1] for entry in entries}
    return {path.stem for path in folder.glob('*.py')} - {'__init__', 'base'} - homes


@pytest.mark.parametrize(('registry', 'name', 'wanted'), MEMBERS)
def test_registered(registry, name, wanted):
    assert shortcomings(registry, name, wanted) == []


@pytest.mark.parametrize(('registry', 'name', 'wanted'), MEMBERS)
def test_names_can_be_typed_as_a_flag(registry, name, wanted):
    assert re.fullmatch(r'[a-z][a-z0-9_]*', name)


@pytest.mark.parametrize('folder', FOLDERS)
def test_every_file_of_a_folder_is_registered(folder):
    assert unregistered(PACKAGE / folder, FOLDERS[folder]) == set()


def test_every_registry_of_the_package_sits_this_exam():
    found = set()
    for path in PACKAGE.rglob('*.py'):
        found |= set(re.findall(r'^(\w+)\b.* = (?:registry\.)?Registry\(', path.read_text(), re.M))
    assert found == set(REGISTRIES)


@pytest.mark.parametrize('table', REGISTRIES)
def test_no_registry_is_empty(table):
    assert len(REGISTRIES[table][0])


# -- known to be bad


def silent():
    pass


def wordy():
    """Keeps the weights that end training far from zero, unless something else was said about it
    on the next line.

    >>> 1 + 1
    2

    Source: Frankle & Carbin 2019.
    """


def without_numbers():
    """Keeps the large ones.

    >>> None

    Source: Frankle & Carbin 2019.
    """


def without_source():
    """Keeps the larger ones.

    >>> 1 + 1
    2

    The source is a paper of 2019.
    """


def in_percent():
    """Keeps the largest 20%.

    >>> 1 + 1
    2

    Source: Frankle & Carbin 2019.
    """


def good():
    """Keeps the weights that end training far from zero.

    >>> 1 + 1
    2

    Source: Frankle & Carbin, The Lottery Ticket Hypothesis,
    2019.
    """


@pytest.mark.parametrize(
    ('entry', 'expected'),
    [
        (silent, 4),
        (wordy, 1),
        (without_numbers, 1),
        (without_source, 1),
        (in_percent, 1),
        (good, 0),
    ],
)
def test_known_bad_docstrings_fail(entry, expected):
    registry = Registry('thing', [entry])
    assert len(shortcomings(registry, entry.__name__, {SOURCE, EXAMPLE})) == expected


def test_two_entries_of_one_summary_fail():
    def other():
        pass

    other.__doc__ = good.__doc__
    registry = Registry('thing', [good, other])
    assert shortcomings(registry, 'good', set()) == ['the summary of another entry']


def test_a_forgotten_file_fails(tmp_path):
    for name in ('__init__', 'base', 'large_final', 'snip'):
        (tmp_path / f'{name}.py').touch()
    assert unregistered(tmp_path, [CRITERIA]) == {'snip'}
