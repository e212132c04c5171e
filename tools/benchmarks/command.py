"""The command: flags, the parts in turn, tables, the record, the exit status."""

import json
import pathlib
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from absl import app, flags

from tools.benchmarks import contest, growth, machine, search, tables, verdicts
from tools.benchmarks.contestants import CEILING, TRAINING, YARDSTICK, chosen
from tools.benchmarks.networks import NETWORKS, Network

ALL = tuple(one.name for one in TRAINING)
SHORT = ('fit', 'fit_jit', 'library_masked', 'library_fit_masked', YARDSTICK, CEILING)
# What --quick does instead, unless a flag says otherwise: under a minute.
QUICK = {
    'networks': ['lenet'],
    'contestants': list(SHORT),
    'parts': ['contest', 'evaluation'],
    'rounds': 2,
    'seconds': 0.1,
}
QUICK_BATCHES = 100

FLAGS = flags.FLAGS


def define() -> None:
    """Defines the flags."""
    flags.DEFINE_list('networks', list(NETWORKS), f'networks: {", ".join(NETWORKS)}')
    flags.DEFINE_list('contestants', list(ALL), f'training paths: {", ".join(ALL)}')
    flags.DEFINE_list('parts', list(PARTS), f'parts: {", ".join(RUN)}')
    flags.DEFINE_integer('rounds', 9, 'slices per contestant', lower_bound=1)
    flags.DEFINE_float('seconds', 1.5, 'length of a slice, about', lower_bound=0.0)
    flags.DEFINE_boolean('quick', False, 'a smoke run: checks agreement, measures nothing')
    flags.DEFINE_string('out', '', 'file for the record, JSON')
    flags.DEFINE_string('data_dir', '', 'folder of TFDS data sets; made data without')
    known = {'networks': NETWORKS, 'contestants': ALL, 'parts': RUN}
    for name, values in known.items():
        flags.register_validator(
            name,
            lambda given, values=values: all(one in values for one in given),
            f'expected names among {", ".join(values)}',
        )


def measure(options: Mapping[str, Any], say: Any = print) -> dict[str, Any]:
    """Runs the parts; returns their results, and in 'broken' what could not be run."""
    results: dict[str, Any] = {'smoke': options['quick'], 'broken': []}
    for part in options['parts']:
        run = RUN[part]
        places = options['networks'] if part in BY_NETWORK else ['']
        for name in places:
            arguments = (NETWORKS[name], say) if name else (say,)
            try:
                found = run(options, *arguments)
            except (contest.Broken, search.Failed) as error:
                results['broken'].append(f'{part} {name}: {error}')
                continue
            if name:
                results.setdefault(part, []).append(found)
            else:
                results[part] = found
    return results


def _settings(options: Mapping[str, Any], say: Any) -> contest.Settings:
    return contest.Settings(options['seconds'], options['rounds'], options['data_dir'], say)


def _contest(options: Mapping[str, Any], network: Network, say: Any) -> dict[str, Any]:
    batches = min(network.batches, QUICK_BATCHES) if options['quick'] else network.batches
    entries = chosen(options['contestants'], network.name)
    return contest.training(network, entries, _settings(options, say), batches)


def _evaluation(options: Mapping[str, Any], network: Network, say: Any) -> dict[str, Any]:
    return contest.evaluation(network, _settings(options, say), network.quantum)


def _search(options: Mapping[str, Any], say: Any) -> dict[str, Any]:
    names = ['digits', 'mnist'] if options['data_dir'] else ['digits']
    return search.searches(names, options['data_dir'], say)


def _paper(options: Mapping[str, Any], say: Any) -> dict[str, Any]:
    return search.searches(['paper'], options['data_dir'], say)


def _growth(options: Mapping[str, Any], say: Any) -> dict[str, Any]:
    widths = growth.widths(_settings(options, say), QUICK_BATCHES)
    return {'widths': widths, **growth.runs(say)}


RUN: dict[str, Any] = {
    'contest': _contest,
    'evaluation': _evaluation,
    'search': _search,
    'growth': _growth,
    'paper': _paper,
}
BY_NETWORK = ('contest', 'evaluation')
PARTS = ('contest', 'evaluation', 'search', 'growth')  # 'paper' takes long, and needs real data


def options() -> dict[str, Any]:
    """The values of the flags; --quick changes those that were not given."""
    names = ('networks', 'contestants', 'parts', 'rounds', 'seconds', 'quick', 'out', 'data_dir')
    values = {name: FLAGS[name].value for name in names}
    if values['quick']:
        values |= {name: value for name, value in QUICK.items() if not FLAGS[name].present}
    return values


def _portable(argument: str) -> str:
    """The argument as anybody may give it: where data lie differs from machine to machine."""
    if argument.startswith('--data_dir='):
        return '--data_dir=$TFDS_DATA_DIR'
    return shlex.quote(argument)


def main(argv: list[str]) -> int:
    """Exit status: 0 = measured and all agree, 1 = something is refused."""
    if len(argv) > 1:
        raise app.UsageError(f'unexpected argument {argv[1]!r}; flags are written --name=value')
    given = options()
    load = machine.load()
    if load > machine.QUIET and not given['quick']:
        print(f'warning: others use this machine (load {load:.1f})', file=sys.stderr)
    results = measure(given, lambda line: print(line, file=sys.stderr, flush=True))
    record = {
        'format': tables.FORMAT,
        'version': tables.VERSION,
        'command': ' '.join(['tools/benchmark', *map(_portable, sys.argv[1:])]),
        'provenance': machine.provenance(load),
        'results': results,
    }
    print(tables.text(record))
    if given['out']:
        content = json.dumps(record, indent=1, sort_keys=True) + '\n'
        pathlib.Path(given['out']).write_text(content, encoding='utf-8')
    problems = verdicts.problems(results)
    for problem in problems:
        print(f'error: {problem}', file=sys.stderr)
    return int(bool(problems))


def run() -> None:
    """Parses the flags and runs."""
    app.define_help_flags()
    define()
    try:
        sys.exit(main(FLAGS(sys.argv)))
    except (flags.Error, app.UsageError) as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
