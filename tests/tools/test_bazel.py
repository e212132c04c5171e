"""BUILD is compared with the import graph, here and in small trees with a fault each."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import bazel

ROOT = Path(__file__).resolve().parents[2]

SETUP = '[options]\ninstall_requires =\n    numpy>=2\n    absl-py\n'
SETUP += '[options.extras_require]\ndev =\n    pytest>=9\n'


@pytest.fixture
def tree(tmp_path):
    files = {
        'setup.cfg': SETUP,
        'lth_keras/__init__.py': 'from lth_keras.mask import Mask\n',
        'lth_keras/mask.py': 'import os\nimport numpy as np\nfrom lth_keras import errors\n',
        'lth_keras/errors.py': 'if TYPE_CHECKING:\n    from lth_keras import mask\n',
        'experiments/lottery.py': "from absl import flags\nif __name__ == '__main__':\n    pass\n",
        'tests/conftest.py': 'import pytest\n',
        'tests/mask/test_mask.py': 'import lth_keras as lth\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / 'BUILD').write_text(bazel.render(bazel.targets(tmp_path)))
    return tmp_path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_targets_follow_the_imports(tree):
    assert not bazel.check(tree)
    deps = {t.name: (t.rule, t.deps) for t in bazel.parse((tree / 'BUILD').read_text())}
    assert deps == {
        'lth_keras': ('py_library', (':lth_keras.mask',)),
        'lth_keras.mask': ('py_library', (':lth_keras.errors', '@pypi//numpy')),
        'lth_keras.errors': ('py_library', ()),
        'experiments.lottery': ('py_library', ('@pypi//absl_py',)),
        'lottery': ('py_binary', (':experiments.lottery',)),
        'tests.conftest': ('py_library', ('@pypi//pytest',)),
        'tests.mask.test_mask': (
            'py_test',
            (':lth_keras', ':tests.conftest', '@pypi//pytest'),
        ),
    }


def test_missing_dep_is_named_with_its_import(tree):
    edit(tree / 'BUILD', '        ":lth_keras.errors",\n', '')
    (found,) = bazel.check(tree)
    assert re.fullmatch(
        r'BUILD:\d+: lth_keras\.mask lacks the dep :lth_keras\.errors, '
        r'imported at lth_keras/mask\.py:3',
        found,
    )


def test_superfluous_dep_is_named(tree):
    edit(tree / 'lth_keras/mask.py', 'import numpy as np\n', '')
    (found,) = bazel.check(tree)
    assert found.endswith('lth_keras.mask has the superfluous dep @pypi//numpy')


def test_new_and_removed_files_are_named(tree):
    (tree / 'lth_keras/errors.py').rename(tree / 'lth_keras/faults.py')
    edit(tree / 'lth_keras/mask.py', 'errors', 'faults')
    found = '\n'.join(bazel.check(tree))
    assert 'py_library lth_keras.faults is missing, for lth_keras/faults.py' in found
    assert 'py_library lth_keras.errors is superfluous, no such file' in found
    assert 'lth_keras.mask lacks the dep :lth_keras.faults' in found
    assert 'lth_keras.mask has the superfluous dep :lth_keras.errors' in found


def test_changed_attribute_is_named(tree):
    edit(tree / 'BUILD', 'main_module = "pytest"', 'main_module = "unittest"')
    (found,) = bazel.check(tree)
    assert 'tests.mask.test_mask is not the py_test it should be' in found


def test_other_layout_is_named(tree):
    edit(tree / 'BUILD', '    deps = [":lth_keras.mask"],', '    deps = [ ":lth_keras.mask" ],')
    assert bazel.check(tree) == [
        'BUILD:1: is laid out or ordered otherwise than it would be written'
    ]


def test_broken_and_absent_files_are_named(tree):
    (tree / 'BUILD').write_text('py_library(\n')
    assert 'cannot be read' in bazel.check(tree)[0]
    (tree / 'BUILD').unlink()
    assert bazel.check(tree) == ['BUILD:1: there is no such file']


def test_import_that_nothing_requires_is_an_error(tree):
    edit(tree / 'lth_keras/mask.py', 'import os\n', 'import pandas\n')
    assert bazel.check(tree) == [
        'lth_keras/mask.py:1: imports pandas, which setup.cfg does not require'
    ]


def test_file_that_a_module_names_is_its_data(tree):
    (tree / 'lth_keras/page.html').write_text('')
    edit(tree / 'lth_keras/mask.py', 'import os\n', "PAGE = 'page.html'\n")
    target = next(t for t in bazel.targets(tree) if t.name == 'lth_keras.mask')
    assert target.values['data'] == ['lth_keras/page.html']


def test_command_writes_what_it_checks(tree):
    (tree / 'BUILD').unlink()
    command = [sys.executable, str(ROOT / 'tools/bazel.py'), '--root', str(tree)]
    assert subprocess.run([*command, '--check'], cwd=tree, capture_output=True).returncode == 1
    assert subprocess.run([*command, '--write'], cwd=tree, capture_output=True).returncode == 0
    assert subprocess.run([*command, '--check'], cwd=tree, capture_output=True).returncode == 0


def test_this_repository():
    assert not bazel.check(ROOT)


def test_lock_has_what_setup_requires_in_range():
    lock = (ROOT / 'requirements_lock.txt').read_text().splitlines()
    pins = [Requirement(line) for line in lock if line and not line.startswith('#')]
    versions = {bazel._label(pin.name): next(iter(pin.specifier)).version for pin in pins}
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / 'setup.cfg')
    texts = [config['options']['install_requires'], *config['options.extras_require'].values()]
    required = [Requirement(line) for text in texts for line in text.split('\n') if line]
    assert required
    for requirement in required:
        version = versions[bazel._label(requirement.name)]
        assert requirement.specifier.contains(version), f'{requirement}, locked: {version}'


def test_every_folder_of_the_package_is_in_the_wheel():
    """setuptools finds packages by their __init__.py, and leaves out what has none."""
    folders = {file.parent for file in (ROOT / 'lth_keras').rglob('*.py')}
    assert folders
    assert not [folder for folder in folders if not (folder / '__init__.py').exists()]
