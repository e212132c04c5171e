"""What a benchmark ran on: processor, instruction sets, libraries, commit. Apart from results."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ('tensorflow', 'tf_keras', 'tensorflow-model-optimization', 'numpy', 'lth_keras')
# Those that decide which kernels are used.
INSTRUCTIONS = ('avx2', 'fma', 'avx512f', 'avx512_bf16', 'avx512_vnni', 'amx_tile', 'amx_bf16')
# Above this load of others before the start, the ratios of a run are not to be trusted.
QUIET = 0.5


def libraries() -> dict[str, str]:
    """Versions of Python and of the libraries."""
    found = {'python': platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'unknown'
    return found


def processor() -> dict[str, Any]:
    """Name, number of processors that may be used, and instruction sets of interest."""
    name, flags = platform.processor() or platform.machine(), set()
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            key, _, value = line.partition(':')
            if key.strip() == 'model name':
                name = value.strip()
            if key.strip() == 'flags':
                flags = set(value.split())
    except OSError:
        pass  # not Linux
    allowed = os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else None
    return {
        'name': name,
        'architecture': platform.machine(),
        'processors': len(allowed) if allowed else os.cpu_count(),
        'instructions': [name for name in INSTRUCTIONS if name in flags],
    }


def environment() -> dict[str, str]:
    """Variables that change how TensorFlow computes, as far as they are set."""
    prefixes = ('TF_ENABLE_', 'TF_NUM_', 'TF_XLA_', 'XLA_', 'OMP_', 'ONEDNN_')
    return {k: v for k, v in sorted(os.environ.items()) if k.startswith(prefixes)}


def commit() -> str:
    """The commit of this checkout, with a + if files have changed since."""
    try:
        git = ['git', '-C', str(ROOT)]
        options: Any = {'capture_output': True, 'text': True, 'check': True}
        head = subprocess.run([*git, 'rev-parse', '--short=10', 'HEAD'], **options).stdout.strip()
        changed = subprocess.run([*git, 'status', '--porcelain'], **options).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'
    return head + ('+' if changed else '')


def load() -> float:
    """Average number of processes at work in the last minute; 0 where it is not known."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return 0.0


def provenance(load_before: float) -> dict[str, Any]:
    """Where, when and on what: no part of the results."""
    return {
        'date': datetime.datetime.now(datetime.UTC).strftime('%Y-%m-%dT%H:%M:%SZ'),
        'commit': commit(),
        'processor': processor(),
        'platform': platform.platform(),
        'libraries': libraries(),
        'environment': environment(),
        'load_before': round(load_before, 2),
    }
