"""What every test wants."""

import os
import signal

import pytest

from opgraph.declare.settings import secrets

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what runs in the background so; we test Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest and its plugins have threads. They hold nothing that workers want, so these need not load all definitions anew.
os.environ["OPGRAPH_START_METHOD"] = "fork"


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests():
    """Secrets are known to the whole process, and masked wherever they occur: each test has its own."""
    yield
    secrets._known.clear()
