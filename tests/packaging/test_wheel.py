"""The wheel, not only the checkout: built, unpacked elsewhere, and used from there."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
USE = """
import lth_keras as lth, tf_keras, pathlib
assert pathlib.Path(lth.__file__).is_relative_to(pathlib.Path.cwd() / 'installed'), lth.__file__
net = tf_keras.Sequential([tf_keras.layers.Dense(4, input_shape=(3,))])
model = lth.PruningPolicy(0.5).wrap(net)
assert lth.read_mask(model).kept == 12
print('works')
"""


def test_the_wheel_holds_the_package_alone_and_works(tmp_path):
    tree = tmp_path / 'tree'
    shutil.copytree(ROOT / 'lth_keras', tree / 'lth_keras')
    for name in ('setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, tree / name)
    build = [sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', tmp_path]
    done = subprocess.run([*build, tree], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split('/')[0] for name in archive.namelist()}
        modules = {name for name in archive.namelist() if name.endswith('.py')}
        archive.extractall(tmp_path / 'installed')
    assert tops == {'lth_keras', 'lth_keras-0.1.0.dist-info'}
    assert modules == {str(p.relative_to(ROOT)) for p in (ROOT / 'lth_keras').rglob('*.py')}
    env = {**os.environ, 'PYTHONPATH': str(tmp_path / 'installed')}
    used = subprocess.run(
        [sys.executable, '-P', '-c', USE], capture_output=True, text=True, cwd=tmp_path, env=env
    )
    assert used.stdout.strip() == 'works', used.stderr[-2000:]
