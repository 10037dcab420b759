"""Passwords, tokens and folders of this machine: sent where they belong, and written nowhere."""

import base64
import json

import pytest
from click.testing import CliRunner

from tests.support.arranged import Claim, checkpoint, published_name, write_zoo
from tests.support.faultserver import FaultServer
from tests.support.models import randomized
from vanbench.cli.group import main

CLASSES = [f"class-{i}" for i in range(10)]
SECRET = "S3CR3T"
TOKEN = f"token={SECRET}"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Between two attempts, which take as long as they must elsewhere."""
    monkeypatch.setattr("vanbench.download.transfer.sleep", lambda seconds: None)


@pytest.fixture(scope="module")
def model():
    return randomized()


@pytest.fixture(scope="module")
def content(model):
    return checkpoint(model)


@pytest.fixture
def server():
    with FaultServer() as running:
        yield running


def private(url):
    """The URL with a user's name and password and a token."""
    return url.replace("://", f"://me:{SECRET}@") + f"?{TOKEN}"


class Runs:
    """Commands whose every output and record is searched for secrets."""

    def __init__(self, folder, model):
        self.folder, self.model = folder, model
        self.zoo, self.cache, self.results = (
            folder / "private zoo" / "zoo.toml", folder / "cache", folder / "results",
        )  # fmt: skip
        self.zoo.parent.mkdir()

    def write(self, url):
        write_zoo(self.zoo, CLASSES, Claim("van_test.in1k", url, self.model, "54.17", "79.17"))

    def __call__(self, *args):
        common = ["--zoo", self.zoo, "--cache", self.cache, "--results", self.results]
        done = CliRunner().invoke(main, [str(a) for a in (*args, *common)])
        assert done.exit_code in (0, 3), done.output
        assert SECRET not in done.output
        for path in self.folder.rglob("*"):
            assert SECRET not in path.name
            if path.is_file() and path != self.zoo:
                assert SECRET.encode() not in path.read_bytes(), path
        for path in self.results.rglob("*.json"):
            assert str(self.folder) not in path.read_text()
            assert "private" not in path.read_text()
        return done

    def all(self, *sources):
        """The record's file section after a verify; other commands run, too."""
        self("download", "--all", "-v", *sources)
        self("download", "--all", "--json", *sources)
        self("validate", "--all", "--data", self.zoo.parent, "-v", *sources)
        self("verify", "--all", "-v", *sources)
        self("list", "--json")
        self("list")
        self("table")
        document = json.loads(self("verify", "--all", "--json", *sources).stdout)
        return document["models"][0]["checkpoint"]


@pytest.fixture
def runs(tmp_path, model):
    return Runs(tmp_path, model)


def test_they_are_sent_and_the_file_arrives(runs, server, content):
    name = published_name(content)
    server.put(f"/mirror/{name}?{TOKEN}", content)
    server.put(f"/own/{name}?{TOKEN}", content)
    runs.write(private(f"{server.url}/own/{name}"))
    found = runs.all("--mirror", private(f"{server.url}/mirror/"))
    assert found["status"] == "verified"
    assert found["url"] == f"{server.url}/own/{name}"
    request = server.requests[0]
    assert request.path == f"/mirror/{name}?{TOKEN}"
    word = base64.b64encode(f"me:{SECRET}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {word}"


@pytest.mark.parametrize(
    "behaviour",
    ["not_found", "forbidden", "page_with_status_200", "flips_a_bit", "redirects_in_circles",
     "redirects_to_nonsense", "not_http", "partial_unasked", "empty"],
)  # fmt: skip
def test_a_server_that_fails(runs, server, content, behaviour):
    name = published_name(content)
    for folder in ("mirror", "own"):
        server.put(f"/{folder}/{name}?{TOKEN}", content, [behaviour])
    runs.write(private(f"{server.url}/own/{name}"))
    found = runs.all("--mirror", private(f"{server.url}/mirror"))
    assert found["status"] in ("unreachable", "missing", "mismatch")
    assert f"{server.url}/own/{name}" in found["reason"]
    assert f"{server.url}/mirror/{name}" in found["reason"]


@pytest.mark.parametrize(
    "address",
    ["http://me:S3CR3T@127.0.0.1:1/", "http://me:S3CR3T@no-such-host.invalid/?a=S3CR3T",
     "http://me:S3CR3T@[bad/", "http://me:S3CR3T/x@127.0.0.1:1/", "ftp://me:S3CR3T@host/",
     "https://me:S3CR3T@127.0.0.1:1/?a=S3CR3T", "me:S3CR3T@host/x", "http://S3CR3T@127.0.0.1:1"],
)  # fmt: skip
def test_an_address_that_cannot_be_reached(runs, content, address):
    runs.write("files/" + published_name(content))
    assert runs.all("--mirror", address)["status"] in ("unreachable", "missing")


def test_a_proxy(runs, content, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://me:{SECRET}@127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    runs.write("http://weights.invalid/" + published_name(content))
    found = runs.all()
    assert "the proxy for weights.invalid does not answer" in found["reason"]


def test_a_redirect_to_a_signed_address(runs, server, content):
    name = published_name(content)
    server.put(f"/{name}", content, ["redirects_with_a_token_to_a_closed_port"])
    runs.write(f"{server.url}/{name}")
    assert runs.all()["status"] == "unreachable"


@pytest.mark.parametrize("kept", ["nothing", "another file"])
def test_a_private_folder(runs, tmp_path, content, kept):
    name = published_name(content)
    mirror = tmp_path / "private mirror"
    mirror.mkdir()
    if kept == "another file":
        (mirror / name).write_bytes(b"other")
    runs.write(f"files/{name}")
    found = runs.all("--mirror", mirror)
    assert found["status"] == {"nothing": "missing", "another file": "mismatch"}[kept]
    assert found["url"] == f"files/{name}"
    assert f"{name}: no such file" in found["reason"]
    assert str(mirror) in runs("download", "--all", "--mirror", mirror).output  # the user sees it


def test_a_file_beside_the_zoo(runs, content):
    name = published_name(content)
    runs.write(f"my files/{name}")
    (runs.zoo.parent / "my files").mkdir()
    (runs.zoo.parent / "my files" / name).write_bytes(content)
    found = runs.all()
    assert (found["status"], found["url"]) == ("verified", f"my files/{name}")
