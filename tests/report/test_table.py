"""The tables: their cells, their columns, their footnotes."""

import csv
import io

from lth_keras.report import csv_table, markdown_table, rows_csv, summarise, text_table


def lines_of(rows):
    return text_table(summarise(rows, 0.005)).splitlines()


def test_text_table_has_one_line_per_round_and_a_group_per_control(make_rows):
    rows = make_rows(controls={'reinit': [3, 7, 9], 'a_new_control': [3]})
    lines = lines_of(rows)
    assert lines[0].split() == ['ticket', 'reinit', 'a_new_control']
    assert [line.split()[0] for line in lines[3:14]] == [str(r) for r in range(11)]
    assert lines[1].count('test accuracy') == 3
    assert len({len(line) for line in lines[2:3]}) == 1
    assert lines[6].split()[1:3] == ['0.512', 'winning']
    assert all(line == line.rstrip() for line in lines)


def test_columns_stand_below_their_group(make_rows):
    lines = lines_of(make_rows(rounds=1, controls={'a_control_of_a_really_long_name_here': [1]}))
    start = lines[0].index('a_control')
    assert lines[2][start - 2 : start] == '  ' and lines[2][start] == '-'
    assert lines[0].endswith('here') and lines[2].endswith('---------')


def test_cells(make_rows):
    rows = [{**r, 'test_accuracy': 0.98 + 0.001 * r['replicate']} for r in make_rows(rounds=0)]
    rows = [{**r, 'early_stop_step': 4200 + 100 * r['replicate']} for r in rows]
    # s = 0.001 and 100: half widths 4.302653 / sqrt(3) times that.
    assert '0.9810 ± 0.0025' in lines_of(rows)[3]
    assert '4300 ± 248' in lines_of(rows)[3]


def test_footnotes(rows):
    notes = '\n'.join(lines_of(rows)[15:])
    assert '± half-width of the 95% t-interval over 3 replicates' in notes
    assert 'rounds 1, 2, 4-6, 8, 10: undecided: no random re-initialisation' in notes
    assert 'round 3: winning: accuracy' in notes


def test_gaps_are_footnotes(rows):
    rows = [r for r in rows if (r['round'], r['variant'], r['replicate']) != (3, 'reinit', 1)]
    notes = '\n'.join(lines_of(rows)[15:])
    assert 'over 2 to 3 replicates' in notes
    assert 'round 3, reinit: missing replicate 1' in notes


def test_one_replicate(make_rows):
    text = '\n'.join(lines_of(make_rows(replicates=1, controls={'reinit': [3]})))
    assert '±' not in text
    assert text.count('one replicate: no confidence interval') == 1
    assert 'undecided' in text


def test_one_shared_replicate_keeps_its_reason(make_rows):
    rows = make_rows(rounds=1, controls={'reinit': [1]})
    missing = {('ticket', 0), ('reinit', 1)}
    rows = [r for r in rows if not (r['round'] and (r['variant'], r['replicate']) in missing)]
    text = '\n'.join(lines_of(rows))
    assert 'round 1: undecided: one replicate' in text
    assert 'verdict over replicate 2' in text


def test_markdown_table(rows):
    lines = markdown_table(summarise(rows, 0.005)).splitlines()
    assert lines[0].endswith('| reinit: test accuracy | reinit: early stop |')
    assert lines[0].startswith('| round | density | verdict |')
    assert len({line.count('|') for line in lines[:13]}) == 1
    assert lines[13] == '' and all(line.startswith('- ') for line in lines[14:])


def test_a_pipe_in_a_name_stays_in_its_cell(make_rows):
    lines = markdown_table(summarise(make_rows(rounds=1, controls={'a|b': [1]}), 0.005))
    assert 'a\\|b: test accuracy' in lines


def test_csv_table_holds_every_number_exactly(rows):
    summaries = summarise(rows, 0.005)
    found = list(csv.DictReader(io.StringIO(csv_table(summaries))))
    assert len(found) == len(summaries) == 14
    for line, s in zip(found, summaries, strict=True):
        assert (int(line['round']), line['variant']) == (s.round, s.variant)
        assert float(line['density']) == s.density
        assert float(line['test_accuracy_low']) == s.test_accuracy.low
        assert float(line['early_stop_step_max']) == s.early_stop_step.maximum
        assert line['verdict'] == (s.verdict.name if s.verdict else '')


def test_rows_csv_does_not_depend_on_the_order_of_rows_or_keys(rows):
    shuffled = [dict(reversed(r.items())) for r in reversed(rows)]
    assert rows_csv(shuffled) == rows_csv(rows)


def test_rows_csv_is_flat_and_complete(rows):
    rows = [{**r, 'new_key': 'x,y'} for r in rows]
    rows[0]['layers'] = {'conv/kernel': {'kept': 1, 'size': 2}}
    found = list(csv.DictReader(io.StringIO(rows_csv(rows))))
    assert len(found) == len(rows)
    assert list(found[0])[:5] == ['replicate', 'round', 'variant', 'draw', 'density']
    assert list(found[0])[-5:] == [
        'new_key',
        'conv/kernel:kept',
        'conv/kernel:size',
        'dense/kernel:kept',
        'dense/kernel:size',
    ]
    assert found[0]['new_key'] == 'x,y' and found[0]['dense/kernel:kept'] == ''
    assert float(found[5]['test_accuracy']) == rows[5]['test_accuracy']


def test_tables_of_nothing():
    assert rows_csv([]) == '\n'
    assert text_table([]).splitlines()[1].split()[:2] == ['round', 'density']
