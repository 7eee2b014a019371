"""What every test wants."""

import signal

import pytest

from opgraph.declare import secrets

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what runs in the background so; we test Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests():
    """Secrets are known to the whole process, and masked wherever they occur: each test has its own."""
    yield
    secrets._known.clear()
