"""Finds lottery tickets: trains, prunes, rewinds, repeats; writes tables, plots and tickets.

Example: tools/lottery --dataset=mnist --data_dir=$TFDS_DATA_DIR --training_steps=12000
"""

import sys
from pathlib import Path

from absl import app, flags
from experiments import config_flags

import lth_keras as lth
from lth_keras import plan, session
from lth_keras.laboratory import Laboratory
from lth_keras.store import Store

config_flags.define()
flags.adopt_module_key_flags(config_flags)


def main(argv: list[str]) -> None:
    """Runs the search that the flags describe."""
    if len(argv) > 1:
        raise lth.ConfigError(f'unexpected argument {argv[1]!r}; flags are written --name=value')
    experiment = config_flags.configured()
    session.configure(experiment.threads)
    if experiment.dry_run:
        run = Path(experiment.workdir) / f'{experiment.name()}-{experiment.fingerprint()}'
        print(plan.describe(Laboratory(experiment), Store(experiment.workdir), run))
        return
    found = lth.find(experiment)
    print(found.table())
    print(f'\ntables and plots: {found.directory}')
    for folder in found.exported.values():
        print(f'exported ticket:  {folder}')
    if not found.exported and experiment.export != ('none',):
        print('exported ticket:  none matches the dense network; --export=ROUND exports any round')


def run() -> None:
    """The command: every expected failure is one line on standard error and exit status 2."""
    try:
        app.run(main, flags_parser=lambda argv: flags.FLAGS(argv))
    except (lth.LotteryError, flags.Error) as e:
        sys.exit(session.failed(e))
    except KeyboardInterrupt:
        print('interrupted: the same command goes on from the last finished stage', file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    run()
