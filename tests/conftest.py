"""What every test wants."""

import pytest

from opgraph.declare import secrets


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests():
    """Secrets are known to the whole process, and masked wherever they occur: each test has its own."""
    yield
    secrets._known.clear()
