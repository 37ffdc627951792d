"""``mediafm serve`` as its user starts it: where it listens, who it lets in, what it says."""

import socket
import subprocess
import sys

import httpx
import pytest
from cli_kit import MEDIAFM, server

from mediafm.catalog import Catalog
from mediafm.cli.main import main

TOKEN = "correct-horse-battery"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty catalog, and no token in the environment."""
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    Catalog.create(tmp_path / "mediafm-catalog")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDIAFM_TOKEN", raising=False)
    return tmp_path


def own_address() -> str | None:
    """An address of this machine beside the loopback; ``None`` where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it chooses the interface
        except OSError:
            return None
        found = str(probe.getsockname()[0])
        return None if found.startswith("127.") else found


def test_it_says_where_and_serves_until_ctrl_c(folder):
    with server([MEDIAFM, "serve", "--cache", "cache"], folder) as ours:
        assert ours.url.startswith("http://127.0.0.1:")
        assert "0 titles" in ours.line and "Ctrl-C" in ours.line
        assert httpx.get(f"{ours.url}/api/titles").json()["total"] == 0
        assert "<script" in httpx.get(ours.url).text
        if address := own_address():
            port = int(ours.url.rsplit(":", 1)[1])
            with pytest.raises(OSError, match=r"refused|timed out"):
                socket.create_connection((address, port), timeout=5)
    assert ours.rest.strip() in ("", "stopped")


def test_probes_that_are_not_there_yet_are_said(folder):
    with server([MEDIAFM, "serve", "--cache", "cache", "--probes", "nowhere"], folder) as ours:
        assert httpx.get(f"{ours.url}/api/titles").status_code == 200
    assert "nowhere: no such folder" in ours.rest


@pytest.mark.parametrize("by", ["environment", "file"])
def test_elsewhere_only_with_the_token_which_it_never_prints(folder, by):
    command = [MEDIAFM, "serve", "--cache", "cache", "--host", "0.0.0.0"]
    variables = {}
    if by == "file":
        (folder / "token").write_text(f"{TOKEN}\n")
        command += ["--token-file", "token"]
    else:
        variables["MEDIAFM_TOKEN"] = TOKEN
    with server(command, folder, **variables) as ours:
        url = ours.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/api/titles").status_code == 401
        for wrong in ("x", TOKEN[:-1], f"{TOKEN}x"):
            headers = {"authorization": f"Bearer {wrong}"}
            assert httpx.get(f"{url}/api/titles", headers=headers).status_code == 401
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert httpx.get(f"{url}/api/titles", headers=headers).status_code == 200
        assert httpx.get(f"{url}/api/titles", params={"token": TOKEN}).status_code == 401
    assert TOKEN not in ours.line + ours.rest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], ("token", "0.0.0.0")),
        (["--host", "::"], ("token",)),
        (["--catalog", "nowhere"], ("nowhere",)),
        (["--token-file", "nowhere"], ("nowhere", "cannot be read")),
        (["--token-file", "empty"], ("empty", "write the token into it")),
        (["--token-file", "noise"], ("noise", "holds no text")),
        (["--host", "192.0.2.1", "--token-file", "token"], ("192.0.2.1", "--host")),
        (["--version", "nothing"], ("no embeddings",)),
    ],
)
def test_errors_are_one_line_and_status_1(folder, capsys, arguments, words):
    (folder / "empty").write_text("\n")
    (folder / "noise").write_bytes(b"\xff\xfe\x00")
    (folder / "token").write_text(TOKEN)
    assert main(["serve", "--port", "0", "--cache", "cache", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1
    assert all(word in shown.err for word in words)
    assert TOKEN not in shown.err


def test_a_port_that_is_taken_is_said(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--port", str(port), "--cache", "cache"]) == 1
    assert f"127.0.0.1:{port}: cannot listen there" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(folder):
    """In an interpreter that does not find FastAPI."""
    blocked = "import sys; sys.modules['fastapi'] = None\nfrom mediafm.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", blocked, "serve", "--port", "0"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "mediafm[serve]" in done.stderr and done.stderr.count("\n") == 1
