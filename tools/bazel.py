"""BUILD from the import graph: writes it, or says where it is not true.

Run as `python -m tools.bazel --check` or `--write`; `tools/check` and `tools/check --fix` do.
There is one library per file, with what the file imports as its deps, a binary for each file of
experiments/ that can be run, and a test per test file. Imports that only a type checker follows
are no deps.
"""

import argparse
import ast
import configparser
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == '__main__':  # found from anywhere, as a file too
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools import layers

FOLDERS = ('lth_keras', 'experiments', 'tests', 'tools')
# Import name -> distribution, where they differ.
DISTRIBUTIONS = {
    'absl': 'absl-py',
    'pkg_resources': 'setuptools',
    'sklearn': 'scikit-learn',
}
HEADER = """\
# Written by tools/bazel.py from the import graph; `tools/check --fix` writes it again.

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

package(default_visibility = ["//visibility:public"])

exports_files(["requirements_lock.txt"])

# What tests read besides modules: settings, goldens, records.
filegroup(
    name = "data",
    testonly = True,
    srcs = glob(
        [
            "*.cfg",
            "*.md",
            "*.toml",
            "docs/**",
            "experiments/**",
            "lth_keras/**",
            "tests/**",
        ],
        allow_empty = True,
        exclude = ["**/*.py"],
    ),
)

# What the tests of the tools look at: the checkout itself.
filegroup(
    name = "checkout",
    testonly = True,
    srcs = [
        "BUILD",
        "MODULE.bazel",
        "requirements_lock.txt",
    ] + glob(
        [
            ".ci/*",
            "experiments/**",
            "lth_keras/**",
            "tests/**",
            "tools/**",
        ],
        allow_empty = True,
    ),
)
"""


class NotDeclared(Exception):
    """An import that no requirement in setup.cfg provides."""


@dataclass(frozen=True)
class Target:
    """One rule of BUILD. `origin` says, for each dep, where it is imported."""

    rule: str
    name: str
    values: dict[str, Any]
    deps: tuple[str, ...]
    origin: dict[str, str] = field(default_factory=dict, compare=False)
    line: int = field(default=0, compare=False)


def declared(root: Path) -> set[str]:
    """The normalised names of all distributions that setup.cfg requires, extras included."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(root / 'setup.cfg', encoding='utf-8')
    lists = [config.get('options', 'install_requires', fallback='')]
    if config.has_section('options.extras_require'):
        lists += [text for _, text in config.items('options.extras_require')]
    lines = (line.strip() for text in lists for line in text.splitlines())
    return {_label(re.split(r'[<>=!~;\[ ]', line)[0]) for line in lines if line}


def _label(distribution: str) -> str:
    """The name under which rules_python knows a distribution.

    >>> _label('scikit-learn')
    'scikit_learn'
    """
    return re.sub(r'[-_.]+', '_', distribution).lower()


def _deps(module: layers.Module, modules: dict[str, layers.Module], known: set[str]) -> dict:
    """Label of each dep of a module -> where it is imported first."""
    origin: dict[str, str] = {}
    for imported in module.imports:
        place = f'{module.path.as_posix()}:{imported.line}'
        target = layers.resolve(imported.name, modules)
        top = imported.name.partition('.')[0]
        if imported.typing_only or target == module.name:
            continue
        if target is None and (top in sys.stdlib_module_names or top in FOLDERS):
            continue
        if target is not None:
            label = f':{target}'
        else:
            package = _label(DISTRIBUTIONS.get(top, top))
            if package not in known:
                raise NotDeclared(f'{place}: imports {top}, which setup.cfg does not require')
            label = f'@pypi//{package}'
        origin.setdefault(label, place)
    return origin


def _conftests(path: Path, modules: dict[str, layers.Module]) -> list[str]:
    """The conftest modules that pytest loads for a test file."""
    names = ('.'.join([*folder.parts, 'conftest']) for folder in path.parents)
    return [name for name in names if name in modules]


def targets(root: Path) -> list[Target]:
    """All targets that the tree asks for, by name."""
    modules = layers.read(root, FOLDERS)
    known = declared(root)
    found = []
    for module in modules.values():
        path = module.path.as_posix()
        origin = _deps(module, modules, known)
        values: dict[str, Any] = {'srcs': [path]}
        if path.startswith('tests/'):
            values = {'testonly': True, **values}
        elif data := _data(root, module.path):
            values['data'] = data
        if module.path.name.startswith('test_'):
            # pytest is what runs, and it loads the conftest files by itself.
            for name in _conftests(module.path, modules):
                origin.setdefault(f':{name}', path)
            origin.setdefault('@pypi//pytest', path)
            data = [':data'] + ([':checkout'] if path.startswith('tests/tools/') else [])
            values = {
                'srcs': [path],
                'args': [path],
                'data': data,
                'main_module': 'pytest',
            }
            found.append(Target('py_test', module.name, values, _sorted(origin), origin))
            continue
        found.append(Target('py_library', module.name, values, _sorted(origin), origin))
        if module.name.startswith('experiments.') and _is_run(root / path):
            values = {
                'srcs': [path],
                'env': {'TF_USE_LEGACY_KERAS': '1'},
                'main': path,
            }
            deps = {f':{module.name}': path}
            found.append(Target('py_binary', module.path.stem, values, tuple(deps), deps))
    return sorted(found, key=lambda target: (target.rule == 'py_test', target.name))


def _data(root: Path, path: Path) -> list[str]:
    """The other files in a module's folder that its source names: what it reads when it runs."""
    if path.parts[0] == 'tools':
        return []
    source = (root / path).read_text(encoding='utf-8')
    siblings = (f for f in (root / path).parent.iterdir() if f.is_file() and f.suffix != '.py')
    return sorted(f.relative_to(root).as_posix() for f in siblings if f.name in source)


def _sorted(labels: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted(labels, key=lambda label: (label.startswith('@'), label)))


def _is_run(file: Path) -> bool:
    tests = (node.test for node in ast.parse(file.read_text()).body if isinstance(node, ast.If))
    return any(ast.unparse(test) == "__name__ == '__main__'" for test in tests)


def _value(value: Any) -> str:
    """A value as buildifier would lay it out.

    >>> print(_value(['a', 'b']))
    [
            "a",
            "b",
        ]
    """
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return '{' + ', '.join(f'"{k}": "{v}"' for k, v in value.items()) + '}'
    if isinstance(value, list | tuple):
        if len(value) == 1:
            return f'[{_value(value[0])}]'
        return '[\n' + ''.join(f'        {_value(item)},\n' for item in value) + '    ]'
    return repr(value)


def render(wanted: list[Target]) -> str:
    """The text of BUILD."""
    blocks = [HEADER]
    for target in wanted:
        values = {'name': target.name, **target.values}
        if target.deps:
            values['deps'] = target.deps
        lines = [f'    {key} = {_value(value)},\n' for key, value in values.items()]
        blocks.append(f'{target.rule}(\n{"".join(lines)})\n')
    return '\n'.join(blocks)


def parse(text: str) -> list[Target]:
    """The py_* targets of a BUILD file, whose syntax is a part of Python's."""
    found = []
    for node in ast.parse(text).body:
        call = getattr(node, 'value', None)
        if not isinstance(call, ast.Call) or not ast.unparse(call.func).startswith('py_'):
            continue
        values = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg}
        name, deps = values.pop('name'), tuple(values.pop('deps', ()))
        found.append(Target(ast.unparse(call.func), name, values, deps, line=node.lineno))
    return found


def differences(text: str, wanted: list[Target]) -> Iterator[str]:
    """What a BUILD text has too little, too much or otherwise, each as `BUILD:line: text`."""
    try:
        present = {target.name: target for target in parse(text)}
    except (SyntaxError, ValueError, KeyError) as error:
        yield f'BUILD:{getattr(error, "lineno", None) or 1}: cannot be read: {error}'
        return
    for target in wanted:
        has = present.pop(target.name, None)
        if has is None:
            yield f'BUILD:1: {target.rule} {target.name} is missing, for {target.values["srcs"][0]}'
            continue
        place = f'BUILD:{has.line}: {has.name}'
        for label in target.deps:
            if label not in has.deps:
                yield f'{place} lacks the dep {label}, imported at {target.origin[label]}'
        for label in has.deps:
            if label not in target.deps:
                yield f'{place} has the superfluous dep {label}'
        if (has.rule, has.values) != (target.rule, target.values):
            yield f'{place} is not the {target.rule} it should be: expected {target.values}'
    for has in present.values():
        yield f'BUILD:{has.line}: {has.rule} {has.name} is superfluous, no such file'


def check(root: Path) -> list[str]:
    """What is wrong with BUILD; empty if it is what the import graph asks for."""
    try:
        wanted = targets(root)
    except NotDeclared as error:
        return [str(error)]
    build = root / 'BUILD'
    if not build.exists():
        return ['BUILD:1: there is no such file']
    text = build.read_text(encoding='utf-8')
    found = list(differences(text, wanted))
    if not found and text != render(wanted):
        found = ['BUILD:1: is laid out or ordered otherwise than it would be written']
    return found


def main() -> int:
    """Writes or checks; the exit status is 1 if BUILD is not true."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument('--write', action='store_true', help='write BUILD')
    mode.add_argument('--check', action='store_true', help='compare BUILD with the import graph')
    parser.add_argument('--root', type=Path, default=Path(__file__).resolve().parents[1])
    arguments = parser.parse_args()
    if arguments.write:
        try:
            text = render(targets(arguments.root))
        except NotDeclared as error:
            print(error)
            return 1
        (arguments.root / 'BUILD').write_text(text, encoding='utf-8')
        return 0
    found = check(arguments.root)
    print('\n'.join(found) or 'BUILD is true to the import graph')
    return bool(found)


if __name__ == '__main__':
    sys.exit(main())
