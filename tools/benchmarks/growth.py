"""How cost grows: steps with width, searches with rounds and replicates."""

from typing import Any

from tools.benchmarks import contest, search
from tools.benchmarks.contestants import YARDSTICK, chosen
from tools.benchmarks.networks import NETWORKS

WIDTHS = (1, 2, 4, 8)
ROUNDS = (1, 2, 4, 8)
REPLICATES = (1, 2, 4)
SMALL = {
    **{'model': 'lenet_300_100', 'dataset': 'digits', 'training_steps': 500, 'eval_every': 100},
    **{'controls': 'none', 'export': 'none'},
}


def widths(settings: contest.Settings, batches: int) -> list[dict[str, Any]]:
    """Steps per second of the library and by hand, for LeNet with wider hidden layers."""
    entries = chosen(['fit_jit', 'library_masked', YARDSTICK], 'lenet')
    networks = [NETWORKS['lenet'].wider(width) for width in WIDTHS]
    return [contest.training(network, entries, settings, batches) for network in networks]


def runs(say: Any = print) -> dict[str, list[dict[str, Any]]]:
    """Whole small searches with more rounds, and with more replicates."""
    found: dict[str, list[dict[str, Any]]] = {'rounds': [], 'replicates': []}
    for count in ROUNDS:
        say(f'search of {count} rounds')
        found['rounds'].append(search.run({**SMALL, 'rounds': count, 'replicates': 1}))
    for count in REPLICATES:
        say(f'search of {count} replicates')
        found['replicates'].append(search.run({**SMALL, 'rounds': 1, 'replicates': count}))
    return found
