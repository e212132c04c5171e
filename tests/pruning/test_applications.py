"""Networks of `keras.applications`: what a policy does not know is left alone, and all works."""

import numpy as np
import pytest

from lth_keras._compat import tf_keras
from lth_keras.pruning import PruningPolicy

SLOW = ['EfficientNetB0', 'ResNet50', 'DenseNet121', 'ConvNeXtTiny']


@pytest.mark.parametrize(
    'name', ['MobileNetV3Small', *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_wrapped_pruned_and_still_a_network(name):
    build = getattr(tf_keras.applications, name)
    model = build(weights=None, classes=10, input_shape=(32, 32, 3))
    policy = PruningPolicy(rate=0.2)
    wrapped = policy.wrap(model)
    x = np.random.default_rng(0).random((2, 32, 32, 3), np.float32) * 255
    assert np.array_equal(wrapped.predict(x, verbose=0), model.predict(x, verbose=0))
    mask = policy.prune(wrapped, verbose=0)
    assert 0.79 < mask.density < 0.81 and len(mask) > 40
    outputs = wrapped.predict(x, verbose=0)
    assert outputs.shape == (2, 10) and np.allclose(outputs.sum(1), 1, atol=1e-5)
    reasons = [choice.reason for choice in policy.choices(model) if not choice.pruned]
    assert all(reasons), 'what is left alone has a reason'
