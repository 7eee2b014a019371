"""What every test wants."""

import os
import signal
import urllib.request

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


@pytest.fixture
def s3(monkeypatch):
    """A client of an S3 server that is this test's own, which the environment names to whoever asks for `s3://`."""
    s3fs = pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    settings = {"ACCESS_KEY_ID": "test-key-id", "SECRET_ACCESS_KEY": "test-secret-value", "DEFAULT_REGION": "us-east-1"}
    for name, value in settings.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    import boto3

    s3fs.S3FileSystem.clear_instance_cache()  # it keeps connections by their arguments: those of another test's server
    client = boto3.client("s3")
    yield client
    urllib.request.urlopen(
        f"{client.meta.endpoint_url}/moto-api/reset", data=b""
    ).close()  # servers share their buckets
    server.stop()
