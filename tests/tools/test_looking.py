"""The measurement of what looking costs: its large run is one, its sentence says its numbers."""

from lth_keras.report import reading
from tools.benchmarks import large, looking


def test_the_made_run_is_read_without_a_complaint(tmp_path):
    run, trainings = large.write_run(tmp_path, replicates=3, rounds=2, evaluations=50)
    book = reading.read(run)
    assert (len(book.rows), trainings, book.problems) == (15, 15, [])
    assert book.dense.replicates == 3 and book.variants == ['ticket', 'reinit']
    curves = [book.curves.of(row['stage']) for row in book.rows]
    assert all(curves) and not book.curves.problems
    for row, found in zip(book.rows, curves, strict=True):
        assert len(found['step']) == 50
        least = found['step'][found['validation_loss'].argmin()]
        assert abs(least - row['early_stop_step']) <= 1000


def test_the_sentence():
    record = {
        'report': {
            **{'replicates': 2, 'rounds': 3, 'evaluations': 4, 'trainings': 1234, 'seconds': 9.6},
            **{'bytes': 2_500_000, 'page_bytes': 500_000},
        },
        'live': {'with': [1, 2, 3], 'without': [1, 2, 3], 'ratio': 1.004},
    }
    said = looking.sentence(record)
    assert '(1,234 trainings): **10 s**' in said and '2.5 MB in all, of which the page 0.5' in said
    assert '**1.00 times** the time without (median of 3 pairs)' in said
