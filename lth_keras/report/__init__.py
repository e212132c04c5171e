"""Tables and plots from records of trainings."""

from collections.abc import Callable, Iterable

from lth_keras import verdict
from lth_keras.report.matching import smallest_matching
from lth_keras.report.plots import plot_files
from lth_keras.report.summary import Measure, Row, Summary, summarise
from lth_keras.report.table import markdown_table, text_table
from lth_keras.report.tables_csv import csv_table, rows_csv

__all__ = [
    'Measure',
    'Summary',
    'csv_table',
    'markdown_table',
    'rows_csv',
    'smallest_matching',
    'summarise',
    'text_table',
    'write_report',
]


def write_report(
    rows: Iterable[Row],
    margin: float = verdict.MARGIN,
    directory_writer: Callable[[str, bytes | str], object] | None = None,
) -> dict[str, bytes | str]:
    """Every file of the report; the same rows give the same bytes.

    Args:
        rows: records of trainings, at least one.
        margin: accuracy a winning ticket may lose, in [0, 1).
        directory_writer: called with (file name, content) of each file; it is the one to write
            atomically. None: nothing is written.

    Returns:
        {file name: content}: `table.txt`, `summary.csv` and `trainings.csv` as str, `accuracy.png`,
        `early_stop.png` and `result.png` as bytes.

    Raises:
        LotteryError: no rows, or rows that `summarise` refuses.

    >>> row = dict(replicate=0, round=0, variant='ticket', draw=0, density=1.0, test_accuracy=0.8,
    ...            validation_accuracy=0.9, validation_loss=0.3, final_test_accuracy=0.75,
    ...            early_stop_step=100)
    >>> sorted(write_report([row]))
    ['accuracy.png', 'early_stop.png', 'result.png', 'summary.csv', 'table.txt', 'trainings.csv']
    """
    rows = list(rows)
    summaries = summarise(rows, margin)
    files: dict[str, bytes | str] = {
        **plot_files(summaries),
        'table.txt': text_table(summaries),
        'summary.csv': csv_table(summaries),
        'trainings.csv': rows_csv(rows),
    }
    if directory_writer is not None:
        for name, content in files.items():
            directory_writer(name, content)
    return files
