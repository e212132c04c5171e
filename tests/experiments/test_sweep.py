"""--sweep: several searches of one command."""

import pytest
from absl import flags

from experiments import config_flags
from lth_keras import errors


@pytest.fixture
def parse(monkeypatch):
    """Parses a command line with flags of its own, and returns the swept experiments."""

    def parsed(*arguments):
        values = flags.FlagValues()
        with monkeypatch.context() as patch:
            for name in ('DEFINE', 'DEFINE_boolean', 'DEFINE_multi_string'):
                original = getattr(flags, name)

                def own(*given, original=original, **options):
                    return original(*given, **{**options, 'flag_values': values})

                patch.setattr(config_flags.flags, name, own)
            config_flags.define()
            config_flags.define_sweep()
            patch.setattr(config_flags.flags, 'FLAGS', values)
            values(['lottery', *arguments])
            return config_flags.sweep()

    return parsed


def test_without_a_sweep_there_is_one(parse):
    (swept, experiment), *others = parse('--rate=0.3')
    assert (swept, others, experiment.rate) == ({}, [], 0.3)


def test_all_combinations_in_order(parse):
    found = parse('--sweep=rate=0.1,0.2', '--sweep=width=0.5,1')
    assert [swept for swept, _ in found] == [
        {'rate': r, 'width': w} for r in (0.1, 0.2) for w in (0.5, 1.0)
    ]
    assert [(e.rate, e.width) for _, e in found] == [(0.1, 0.5), (0.1, 1), (0.2, 0.5), (0.2, 1)]
    assert len({e.fingerprint() for _, e in found}) == 4


def test_values_with_commas(parse):
    found = parse('--model=mlp', '--sweep=hidden=300,100;40')
    assert [e.hidden for _, e in found] == [(300, 100), (40,)]


def test_durations(parse):
    assert [e.warmup_steps for _, e in parse('--sweep=warmup_steps=0,50,1ep')] == [0, 50, '1ep']


def test_a_label_gets_the_swept_value(parse):
    assert [e.label for _, e in parse('--label=mine', '--sweep=rate=0.1,0.2')] == [
        *('mine-rate=0.1', 'mine-rate=0.2')
    ]
    assert [e.label for _, e in parse('--sweep=rate=0.1,0.2')] == ['', '']


@pytest.mark.parametrize(
    ('texts', 'match'),
    [
        (['rat=0.1'], "received 'rat=0.1': did you mean 'rate'"),
        (['rate'], 'expected FLAG=VALUE,VALUE'),
        (['workdir=a,b'], "received 'workdir=a,b'"),
        (['rate=0.1,x'], "sweep: rate: expected a number, received 'x'"),
        (['rate=0.1,1.5'], 'sweep: rate: .*1.5'),
        (['rate=0.1,0.1'], 'expected different values of rate'),
        (['rate='], 'expected different values of rate'),
        (['rate=0.1', 'rate=0.2'], 'expected each flag once'),
        (['rewind_step=0,5000'], 'rewind_step: expected a step before the end'),
    ],
)
def test_a_bad_sweep_is_one_clear_error(parse, texts, match):
    with pytest.raises(errors.ConfigError, match=match):
        parse(*(f'--sweep={text}' for text in texts))
