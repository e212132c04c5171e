"""The examples of README and guide run as they stand, in order, in one namespace."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> list[str]:
    return re.findall(r'^```python\n(.*?)^```$', (ROOT / page).read_text(), re.M | re.S)


def test_every_example_of_readme_and_guide_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    readme, guide = blocks('README.md'), blocks('docs/guide.md')
    assert len(readme) == 2 and len(guide) == 2
    space: dict = {'__name__': 'example'}
    exec(readme[0], space)
    said = capsys.readouterr().out
    assert 'pruned 9,940 of 50,200 weights' in said
    assert space['model'].evaluate(*space['test'], verbose=0)[1] > 0.8
    assert (tmp_path / 'ticket' / 'saved_model.pb').exists()
    exec(
        readme[1].replace('eval_every=10)', 'eval_every=10, replicates=2, quiet=True)'),
        space,
    )
    said = capsys.readouterr().out
    assert 'verdict' in said and 'density' in said
    if not space['found'].exported:
        pytest.fail('the example exported no ticket')
    exec(guide[0], space)  # goes on with the model of the README
    assert space['model'].evaluate(space['batches'], verbose=0)[1] > 0.8
    exec(guide[1], space)
    ticket, plain = space['ticket'], space['plain']
    assert plain.count_params() == 50200 + 410
    x = space['test'][0]
    assert (plain(x).numpy() == ticket.model()(x).numpy()).all()
    assert (tmp_path / 'served' / 'saved_model.pb').exists()
    assert (tmp_path / 'my-ticket' / 'manifest.json').exists()
