"""A large search: the page stays small, however many trainings there are."""

import pytest

from lth_keras import reporting
from tools.benchmarks import large


@pytest.mark.slow
def test_a_hundred_replicates_of_25_rounds_stay_below_20_megabytes(tmp_path):
    run, trainings = large.write_run(tmp_path, replicates=100, rounds=25, evaluations=500)
    assert trainings == 5100
    made = reporting.make_report([run])
    sizes = [path.stat().st_size for path in made.page.parent.rglob('*') if path.is_file()]
    assert sum(sizes) < 20e6 and made.page.stat().st_size < 2e6
    assert 'What is missing' not in made.page.read_text()
