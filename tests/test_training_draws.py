"""What a Trainer draws and leaves out: random layers, augmentation, the rest of an epoch."""

import numpy as np
import pytest

from lth_keras import errors, training
from lth_keras._compat import layers, tf_keras
from lth_keras.data import augmentation
from lth_keras.data.augmentation import flip_crop
from lth_keras.pruning import wrapping
from tests import nets

optimizers = tf_keras.optimizers


def ends(make_trainer, seed=0, **arguments):
    """The weights that a fresh Trainer ends with."""
    trainer = make_trainer()
    start = {p: np.full_like(v, 0.1) for p, v in wrapping.read(trainer.model).items()}
    return trainer.train(start, None, seed=seed, stop=7, **arguments).final_weights


def test_random_layers_of_keras_draw_the_same_in_every_trainer():
    """They are as Keras makes them, with generators that cannot be seeded."""

    def make_trainer():
        return training.Trainer(nets.noisy, optimizers.SGD, nets.data(), 8, 'plain')

    one, other = ends(make_trainer), ends(make_trainer)
    assert nets.unlike(one, other) == []
    assert nets.unlike(one, ends(make_trainer, seed=1)) != []


def pictures(augment, engine='plain'):
    """A Trainer of a linear model on small images."""

    def build():
        return tf_keras.Sequential([layers.Flatten(input_shape=(5, 5, 1)), layers.Dense(3)])

    data = nets.data((5, 5, 1))
    return training.Trainer(build, optimizers.SGD, data, 8, engine, augment=augment)


def test_augmentation_draws_the_same_in_every_trainer():
    one, other, plain = (
        ends(lambda a=a: pictures(a)) for a in (flip_crop, flip_crop, augmentation.none)
    )
    assert nets.unlike(one, other) == []
    assert len(nets.unlike(one, plain)) == 2
    assert nets.unlike(plain, ends(lambda: pictures(None))) == []
    compiled = ends(lambda: pictures(flip_crop, 'compiled'))
    for path in one:
        np.testing.assert_allclose(one[path], compiled[path], rtol=0, atol=1e-6)


def test_evaluation_augments_nothing():
    def ruin(images, key, step, positions):
        return images * np.float32(np.nan)

    trainer = pictures(ruin)
    start = wrapping.read(trainer.model)
    trainer.reset(start, None)
    loss, _ = trainer.loop.evaluate(trainer.validation)
    assert np.isfinite(loss)
    with pytest.raises(errors.TrainingError, match='diverged'):
        trainer.train(start, None, seed=0, stop=4, eval_every=2)


def test_the_rest_of_an_epoch_is_left_out_on_request():
    """40 examples make 3 batches of 12; the fourth, of 4, is trained on or not."""

    def make_trainer(drop):
        return training.Trainer(
            nets.dense, optimizers.SGD, nets.data(), 12, 'plain', drop_remainder=drop
        )

    three, four = (ends(lambda d=d: make_trainer(d)) for d in (True, False))
    assert nets.unlike(three, four) != []
    trainer, seen = make_trainer(True), []
    run = trainer.loop.run
    trainer.loop.run = lambda block, *rest: seen.append(block.shape) or run(block, *rest)
    trainer.train(wrapping.read(trainer.model), None, seed=0, stop=7)
    # The first two steps are taken twice before, to see that they repeat.
    assert seen == [(2, 12), (2, 12), (3, 12), (3, 12), (1, 12)]
