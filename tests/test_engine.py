"""The update loop on several devices, in a process of its own (strategies cannot share one)."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

TWO_DEVICES = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices('CPU')[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from lth_keras import data, initial, models, strategies, training
from lth_keras._compat import tf_keras
from lth_keras.pruning import PruningPolicy, read_mask
from lth_keras.mask import Mask
from tests.own import small
generator = np.random.default_rng(0)
x = generator.random((100, 6), np.float32)
y = (x.sum(1) / 2).astype(np.int32).clip(0, 2)
whole = data.split(data.from_arrays((x, y), (x, y)), 0, 13)   # 87 examples: a smaller last batch
policy = PruningPolicy(0.5)

def build():
    return tf_keras.Sequential([tf_keras.layers.Dense(16, activation='relu', input_shape=(6,),
        kernel_regularizer='l2'), tf_keras.layers.Dense(3)])

def trainer(strategy):
    return training.Trainer(lambda: policy.wrap(build), lambda: tf_keras.optimizers.Adam(0.01),
                            whole, 20, 'plain', strategy)

one = trainer(tf.distribute.get_strategy())
two = trainer(strategies.strategy('mirrored'))
assert two.strategy.num_replicas_in_sync == 2
start = initial.initial_weights(build, 0)
generator = np.random.default_rng(1)
mask = Mask({p: generator.random(m.shape) < 0.5 for p, m in read_mask(one.model).items()})
a, b = (t.train(start, mask, 0, 23, eval_every=5) for t in (one, two))
for path in a.final_weights:
    gap = np.abs(a.final_weights[path] - b.final_weights[path]).max()
    assert gap < 1e-6, (path, gap)
    if path in mask:
        assert not np.any(b.final_weights[path][~mask[path]])
assert np.allclose(a.curve, b.curve, atol=1e-5, equal_nan=True)
print('agree')
"""


def test_two_replicas_train_like_one_device():
    done = subprocess.run(
        [sys.executable, '-c', TWO_DEVICES], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.strip() == 'agree', done.stderr[-2000:]
