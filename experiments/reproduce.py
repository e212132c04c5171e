"""Runs one replicate of a recipe of a paper, adds it to the committed records, refreshes the docs.

Usage: tools/reproduce NAME [--replicate=R] [--data_dir=FOLDER] [flags of tools/lottery]; NAME is a
file of experiments/flagfiles/frankle2019. Without --replicate it is the first one that is missing.
`tools/reproduce list` shows the recipes, and how many replicates of each are recorded.
"""

import dataclasses
import pathlib
import subprocess
import sys
from typing import Any

from absl import app, flags, logging

from experiments import quiet

with quiet.starting():
    import lth_keras as lth
    from experiments import config_flags
    from lth_keras import errors, session
    from lth_keras.report import markdown

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECIPES = ROOT / 'experiments' / 'flagfiles' / 'frankle2019'
RECORDS = ROOT / 'docs' / 'records'

config_flags.define()
config_flags.define_sweep()
flags.adopt_module_key_flags(config_flags)
flags.DEFINE_integer(
    'replicate', None, 'number of the replicate; the first missing if not given', lower_bound=0
)
flags.DEFINE_string('note', '', 'what a reader of the record must know, such as other data')


def recorded(name: str) -> set[int]:
    """The replicates that the committed record of this name has."""
    path = RECORDS / name / 'records.json'
    return (
        {row['replicate'] for row in markdown.load_record(path)['rows']} if path.exists() else set()
    )


def missing(name: str) -> int:
    """The first replicate that is not recorded.

    >>> missing('no-such-recipe')
    0
    """
    found = recorded(name)
    return next(number for number in range(len(found) + 1) if number not in found)


def listing() -> str:
    """A line per recipe: its name, what it is, and how many replicates are recorded."""
    lines = []
    for path in sorted(RECIPES.glob('*.txt')):
        first = path.read_text().split('\n')[0].removeprefix('# ')
        swept = sorted(RECORDS.glob(f'{path.stem}-*/records.json'))
        names = [path.stem, *(found.parent.name for found in swept)]
        count = max(len(recorded(name)) for name in names)
        lines.append(f'{path.stem:<26} {count:>2} recorded  {first}')
    return '\n'.join(lines)


def arguments(argv: list[str]) -> tuple[str, list[str]]:
    """The recipe's name, and the command line with its flags before those given.

    Raises:
      ConfigError: no recipe, or an unknown one.
    """
    names = [path.stem for path in sorted(RECIPES.glob('*.txt'))]
    given = [a for a in argv[1:] if not a.startswith('-')]
    if len(given) == 2 and given[1].isdigit():
        raise lth.ConfigError(f'flags are written --name=value, received {given[1]!r} alone')
    if len(given) != 1:
        raise lth.ConfigError(
            f'expected the name of one recipe, received {", ".join(given) or "none"}; known: '
            + ', '.join(names)
        )
    name = given[0]
    if name not in (*names, 'list'):
        raise lth.ConfigError(f'unknown recipe {name!r}: {errors.did_you_mean(name, names)}')
    flagfile = [] if name == 'list' else [f'--flagfile={RECIPES / name}.txt']
    return name, [argv[0], *flagfile, *(a for a in argv[1:] if a.startswith('-'))]


def record_name(name: str, swept: dict[str, Any]) -> str:
    """The record of one search of a recipe.

    >>> record_name('lenet_rates', {'rate': 0.4})
    'lenet_rates-rate-0_4'
    """
    parts = [f'{key}-{value}' for key, value in swept.items()]
    return '-'.join([name, *parts]).replace('.', '_')


def main(argv: list[str]) -> None:
    """Runs the recipe and records it."""
    name, line = arguments(argv)
    flags.FLAGS(line)
    if name == 'list':
        session.say(listing())
        return
    searches = config_flags.sweep()
    with quiet.starting():
        session.configure(searches[0][1].threads, searches[0][1].strategy)
    for swept, experiment in searches:
        target = record_name(name, swept)
        number = flags.FLAGS.replicate
        number = missing(target) if number is None else number
        # A label of its own: a search that another recipe shares stays apart, stages do not.
        one = dataclasses.replace(
            experiment, first_replicate=number, replicates=1, label=experiment.label or target
        )
        found = lth.find(one)
        session.say(found.describe())
        record(found.directory, target)


def record(run: pathlib.Path, name: str) -> None:
    """Adds the run's rows to the committed record, and writes the pages anew."""
    note = [f'--note={flags.FLAGS.note}'] if flags.FLAGS.note else []
    command = [sys.executable, str(ROOT / 'tools' / 'record'), str(run), name, *note]
    subprocess.run(command, check=True)


def run() -> None:
    """The command: every expected failure is one line on standard error and exit status 2."""
    app.define_help_flags()
    logging.set_verbosity(logging.ERROR)
    try:
        main(sys.argv)
    except (lth.LotteryError, flags.Error) as e:
        sys.exit(session.failed(e))
    except subprocess.CalledProcessError as e:
        sys.exit(e.returncode)
    except KeyboardInterrupt:
        sys.exit(session.interrupted())


if __name__ == '__main__':
    run()
