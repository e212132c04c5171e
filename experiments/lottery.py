"""Finds lottery tickets: trains, prunes, rewinds, repeats; writes tables, plots and tickets.

Example: tools/lottery --dataset=mnist --data_dir=$TFDS_DATA_DIR --training_steps=12000
"""

import pathlib
import sys

from absl import app, flags, logging

from experiments import quiet

with quiet.starting():
    import lth_keras as lth
    from experiments import config_flags
    from lth_keras import plan, session

FLAGFILES = pathlib.Path(__file__).parent / 'flagfiles'

config_flags.define()
config_flags.define_sweep()
flags.adopt_module_key_flags(config_flags)


def main(argv: list[str]) -> None:
    """Runs the search that the flags describe."""
    if len(argv) > 1:
        raise lth.ConfigError(f'unexpected argument {argv[1]!r}; flags are written --name=value')
    searches = config_flags.sweep()
    experiment = searches[0][1]
    part = session.part(experiment.strategy, experiment.dry_run)
    with quiet.starting():
        session.configure(experiment.threads, experiment.strategy, experiment.dry_run)
    for swept, experiment in searches:
        if swept and part.chief:
            session.say('\n== ' + ', '.join(f'{name}={value}' for name, value in swept.items()))
        if experiment.dry_run:
            session.say(plan.describe(experiment))
            continue
        found = lth.find(experiment)
        if part.chief:
            session.say(found.describe(), kept=str(found.directory / 'table.txt'))


def run() -> None:
    """The command: every expected failure is one line on standard error and exit status 2."""
    app.define_help_flags()
    logging.set_verbosity(logging.ERROR)
    try:
        # Not app.run: its hooks start TensorFlow before the number of threads is set.
        main(flags.FLAGS(sys.argv))
    except flags.CantOpenFlagFileError as e:
        known = ', '.join(sorted(path.name for path in FLAGFILES.iterdir()))
        sys.exit(session.failed(lth.ConfigError(f'{e}; experiments/flagfiles/ has {known}')))
    except (lth.LotteryError, flags.Error) as e:
        sys.exit(session.failed(e))
    except KeyboardInterrupt:
        sys.exit(session.interrupted())


if __name__ == '__main__':
    run()
