"""Run as `python -m tools.benchmarks`; `tools/benchmark` does."""

from tools.benchmarks import command

if __name__ == '__main__':
    command.run()
