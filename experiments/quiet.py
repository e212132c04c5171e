"""Holds back what TensorFlow prints while it starts; shows it if the start fails."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Inside, standard error goes to a file: TensorFlow's C++ part writes a page of notes.

    With TF_CPP_MIN_LOG_LEVEL=0 nothing is held back.
    """
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
    if os.environ['TF_CPP_MIN_LOG_LEVEL'] == '0':
        yield
        return
    # An interrupt in the middle of an import would end in a page of traceback.
    handler = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(before, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            signal.signal(signal.SIGINT, handler)
