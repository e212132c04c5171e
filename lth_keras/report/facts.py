"""What a report says in words: what was run, by which rule it is judged, what the words mean."""

from lth_keras import verdict
from lth_keras.report.book import Book
from lth_keras.report.evidence import TEST
from lth_keras.report.table import shortened


def facts(book: Book) -> list[tuple[str, str]]:
    """What was run, on what, with which seeds: only what is recorded."""
    identity, record, provenance = book.record.get('identity', {}), book.record, book.provenance
    seeds = sorted({row['seed'] for row in book.rows if 'seed' in row})
    versions = identity.get('versions', {})
    commits = record.get('commits') or ({'all': record['commit']} if 'commit' in record else {})
    found = {
        'fingerprint': book.settings.get('fingerprint'),
        'replicates': shortened(book.replicates),
        'seeds': shortened(seeds),
        'trainings': f'{len(book.rows)}' + (f' of {book.planned}' if book.planned else ''),
        'engine': identity.get('engine'),
        'device': identity.get('device'),
        'threads': identity.get('threads'),
        'versions': ', '.join(f'{name} {number}' for name, number in sorted(versions.items())),
        'data digest': str(identity.get('digests', {}).get('data', ''))[:16],
        'network digest': str(identity.get('digests', {}).get('model', ''))[:16],
        'commits': ', '.join(f'{c} (replicate {r})' for r, c in sorted(commits.items())),
        'note': record.get('note'),
        'started': provenance.get('started'),
        'ended': provenance.get('ended'),
    }
    return [(name, str(value)) for name, value in found.items() if value not in (None, '')]


def rule(book: Book) -> str:
    """The rule behind the verdicts, and the test, in words."""
    margin = 100 * book.margin
    return (
        f'Intervals: {TEST}. Winning: the interval of (ticket − dense) lies above −{margin:g} pp, '
        'early stop comes no later on average, and accuracy or steps beat random '
        're-initialisation with an interval clear of 0. Not winning: an interval contradicts one '
        'of these. Else undecided, always so with one replicate, or without random '
        're-initialisation at that density. Each density is judged by itself: among many, some '
        'verdicts come by chance.'
        + ('' if len(book.replicates) > 1 else ' One replicate: there are no intervals.')
    )


GLOSSARY = (
    ('density', 'Share of the prunable weights that is kept.'),
    ('early stop', 'The step of minimum validation loss; accuracies are taken there.'),
    ('ticket', 'A sparse subnetwork, rewound to its (early) initial weights, and trained.'),
    ('dense network', 'The same network, unpruned: round 0.'),
    ('reinit', "The ticket's mask with new random initial weights: the control of the verdict."),
    ('± and [ , ]', 'Ends of a 95% t-interval over replicates; there is none with one.'),
    ('n', 'Number of replicates: seeds of initialisation and data order.'),
    (
        'dense / ticket',
        'Ratio of early-stop iterations, geometric mean: above 1 the ticket is sooner.',
    ),
    ('cut off', 'The early stop lies in the last tenth of training: it may lie beyond its end.'),
    (
        'continued',
        'The network that is pruned and trains on without rewinding (--procedure=continued): what '
        'the masks come from, no control.',
    ),
    (verdict.UNDECIDED, 'The evidence is not enough for either verdict; the reason says why.'),
)
