"""Imports go down only: parses the tree, and names every import that goes up, around, or elsewhere.

Run as `python -m tools.layers`; `tools/check` does. The import graph that it reads is also what
`tools/bazel.py` writes BUILD from.
"""

import argparse
import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# From low to high. A module of lth_keras is placed by its first name below the package:
# lth_keras/pruning/wrapper.py is `pruning`.
LAYERS = {
    'words': [
        *['errors', 'registry', 'mask', 'steps', 'seeds', 'files', 'digests', 'artefact'],
        *['fields', '_compat'],
    ],
    'decide': ['criteria', 'allocation', 'schedules', 'verdict', 'procedures', 'stopping'],
    'model': [
        *['graph', 'architecture', 'pruning', 'rewind', 'training', 'initial', 'data', 'models'],
        *['ticket', 'engine', 'slots', 'optimizers', 'strategies', 'draws', 'program', 'loop'],
        *['precisions', 'batches', 'fitting', 'behaviour', 'products', 'initializers'],
        *['learning_rates', 'pacing', 'trained'],
    ],
    'run': [
        *['experiment', 'laboratory', 'rounds', 'controls', 'store', 'runs', 'progress'],
        *['plan', 'probing', 'records', 'session', 'workers', 'settings', 'consistency'],
        *['making', 'keys', 'stages', 'transfer', 'watching', 'curve', 'board', 'outcome'],
    ],
    'use': [
        *['report', 'reporting', 'exporting', 'choosing', 'finding', 'tuning', 'analysis'],
        'inventory',
    ],
}
# lth_keras/__init__.py and the experiments lie above all of these, in this order.
FACADE, DRIVE = 'facade', 'drive'
ORDER = [*LAYERS, FACADE, DRIVE]
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names}

PACKAGES = ('lth_keras', 'experiments')
COMPAT = 'lth_keras._compat'
ONLY_IN_COMPAT = ('keras', 'tf_keras', 'tensorflow_model_optimization', 'tensorflow.keras')
WITHOUT_TENSORFLOW = ('words', 'decide')
ONLY_IN_EXPERIMENTS = ('absl.app', 'absl.flags')


@dataclass(frozen=True)
class Import:
    """One imported thing: its full dotted name, where, and whether only a type checker sees it."""

    name: str
    line: int
    typing_only: bool = False


@dataclass(frozen=True)
class Module:
    """A parsed file of the tree."""

    name: str
    path: Path
    imports: tuple[Import, ...]


@dataclass(frozen=True, order=True)
class Violation:
    """Something that may not be; prints as `file:line: text`."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f'{self.path.as_posix()}:{self.line}: {self.text}'


class _Visitor(ast.NodeVisitor):
    """Collects the imports of one file, those in functions and by `import_module('...')` too."""

    def __init__(self, module: str, is_package: bool):
        self.found: list[Import] = []
        self._parents = module.split('.') if is_package else module.split('.')[:-1]
        self._typing_only = False
        self._tensorflow = {'tensorflow'}

    def _add(self, name: str, node: ast.AST) -> None:
        self.found.append(Import(name, node.lineno, self._typing_only))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node)
            if alias.name == 'tensorflow':
                self._tensorflow.add(alias.asname or alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self._parents[: len(self._parents) - node.level + 1] if node.level else []
        origin = '.'.join([*base, *([node.module] if node.module else [])])
        for alias in node.names:
            self._add(origin if alias.name == '*' else f'{origin}.{alias.name}', node)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        outside = self._typing_only
        self._typing_only = outside or ast.unparse(node.test).split('.')[-1] == 'TYPE_CHECKING'
        for child in node.body:
            self.visit(child)
        self._typing_only = outside
        for child in node.orelse:
            self.visit(child)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Finds `tf.keras`, which is an import of Keras in disguise."""
        if node.attr == 'keras' and getattr(node.value, 'id', None) in self._tensorflow:
            self._add('tensorflow.keras', node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func).split('.')[-1]
        argument = node.args[0] if node.args else None
        if called in ('import_module', '__import__') and isinstance(argument, ast.Constant):
            if isinstance(argument.value, str) and not argument.value.startswith('.'):
                self._add(argument.value, node)
        self.generic_visit(node)


def parse(source: str, name: str, path: Path) -> Module:
    """The module `name` with its imports.

    >>> parse('from lth_keras import mask', 'lth_keras.steps', Path('steps.py')).imports
    (Import(name='lth_keras.mask', line=1, typing_only=False),)
    """
    visitor = _Visitor(name, path.name == '__init__.py')
    visitor.visit(ast.parse(source, filename=str(path)))
    return Module(name, path, tuple(visitor.found))


def read(root: Path, folders: Iterable[str] = PACKAGES) -> dict[str, Module]:
    """All modules below the given folders of the tree, by dotted name."""
    modules = {}
    for folder in folders:
        for file in sorted((root / folder).rglob('*.py')):
            path = file.relative_to(root)
            parts = path.with_suffix('').parts
            name = '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)
            modules[name] = parse(file.read_text(encoding='utf-8'), name, path)
    return modules


def resolve(name: str, modules: Iterable[str]) -> str | None:
    """The module of the tree that an imported name belongs to; None if it comes from elsewhere.

    >>> resolve('lth_keras.mask.Mask', {'lth_keras', 'lth_keras.mask'})
    'lth_keras.mask'
    >>> resolve('numpy.linalg', {'lth_keras'}) is None
    True
    """
    while name:
        if name in modules:
            return name
        name = name.rpartition('.')[0]
    return None


def layer(module: str) -> str | None:
    """The layer of a module, or None if no layer names it.

    >>> layer('lth_keras.pruning.wrapper'), layer('lth_keras'), layer('experiments.lottery')
    ('model', 'facade', 'drive')
    """
    package, _, rest = module.partition('.')
    if package == 'experiments':
        return DRIVE
    return LAYER_OF.get(rest.split('.')[0]) if rest else FACADE


def _is_in(name: str, parents: Iterable[str]) -> str | None:
    return next((p for p in parents if name == p or name.startswith(p + '.')), None)


def _forbidden(module: Module, own: str, imported: Import) -> str | None:
    """Why the layer `own` may not import this name from outside the two packages, if so."""
    name = imported.name
    if module.name != COMPAT:
        found = _is_in(name, ONLY_IN_COMPAT)
        if found:
            return f'imports {found}: only {COMPAT} may, import it from there'
        if own in WITHOUT_TENSORFLOW and _is_in(name, ['tensorflow']):
            return f'imports tensorflow: the layer {own} works on arrays alone'
        if own in WITHOUT_TENSORFLOW and _is_in(name, [COMPAT]):
            return f'imports {COMPAT}, and with it Keras: the layer {own} works on arrays alone'
    found = _is_in(name, ONLY_IN_EXPERIMENTS)
    if found and own != DRIVE:
        return f'imports {found}: flags are read in experiments/ alone'
    found = _is_in(name, ['tests', 'tools'])
    if found:
        return f'imports {found}: it is not part of what runs'
    return None


def directions(modules: dict[str, Module]) -> Iterator[Violation]:
    """Modules in no layer, imports that go up, and imports of what a layer may not have."""
    for module in modules.values():
        own = layer(module.name)
        if own is None:
            text = f'{module.name} is in no layer: add it to LAYERS in tools/layers.py'
            yield Violation(module.path, 1, text)
            continue
        for imported in module.imports:
            text = _forbidden(module, own, imported)
            if text:
                yield Violation(module.path, imported.line, text)
            target = resolve(imported.name, modules)
            other = layer(target) if target else None
            if other and ORDER.index(other) > ORDER.index(own):
                text = f'imports {target} ({other}) from {own}: imports go down only'
                yield Violation(module.path, imported.line, text)


def graph(modules: dict[str, Module]) -> dict[str, dict[str, int]]:
    """Module -> the modules it imports at run time -> the line where it first does."""
    edges: dict[str, dict[str, int]] = {name: {} for name in modules}
    for name, module in modules.items():
        for imported in module.imports:
            target = resolve(imported.name, modules)
            if target and not imported.typing_only:
                edges[name].setdefault(target, imported.line)
    return edges


def cycles(modules: dict[str, Module]) -> Iterator[Violation]:
    """One violation for each shortest way from a module back to itself, each cycle once."""
    edges = graph(modules)
    seen = set()
    for start in sorted(edges):
        way = _way_back(start, edges)
        if way and frozenset(way) not in seen:
            seen.add(frozenset(way))
            text = 'import cycle: ' + ' -> '.join([*way, start])
            yield Violation(modules[start].path, edges[start][[*way, start][1]], text)


def _way_back(start: str, edges: dict[str, dict[str, int]]) -> list[str] | None:
    """The modules on a shortest cycle through `start`, beginning with it."""
    came_from: dict[str, str] = {}
    queue = [start]
    for name in queue:
        for target in sorted(edges[name]):
            if target == start:
                way = [name]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if target not in came_from:
                came_from[target] = name
                queue.append(target)
    return None


def check(root: Path) -> list[Violation]:
    """All violations of the tree, by file and line."""
    modules = read(root)
    return sorted({*directions(modules), *cycles(modules)})


def main() -> int:
    """Prints the violations; the exit status is 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--root', type=Path, default=Path(__file__).resolve().parents[1])
    root = parser.parse_args().root
    violations = check(root)
    print('\n'.join(map(str, violations)) or f'{len(read(root))} modules: imports go down only')
    return bool(violations)


if __name__ == '__main__':
    sys.exit(main())
