"""Who may ask, and what for."""

import dataclasses
import json
import logging

import pytest
from fastapi.testclient import TestClient
from serve_kit import ORIGIN

from mediafm.errors import MediaFMError
from mediafm.serve import Settings, create_app, security

TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def guarded(settings, monkeypatch):
    monkeypatch.setattr("mediafm.serve.security.PAUSE", 0)
    monkeypatch.setattr("mediafm.serve.routes.session.PAUSE", 0)
    settings = dataclasses.replace(settings, host="0.0.0.0", token=TOKEN)
    with TestClient(create_app(settings), base_url="http://films.example:8000") as client:
        yield client


def test_the_server_listens_on_this_machine_only_unless_told_otherwise():
    assert Settings("catalog").host == "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "films.example", ""])
def test_other_addresses_need_a_token(host):
    with pytest.raises(MediaFMError, match="no token is set; set one in MEDIAFM_TOKEN"):
        Settings("catalog", host=host)
    assert not Settings("catalog", host=host, token=TOKEN).local


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_addresses_of_this_machine_need_none(host):
    assert Settings("catalog", host=host).local


def test_a_token_that_could_be_guessed_is_refused_and_none_is_shown():
    with pytest.raises(MediaFMError, match="16 to 1000 ASCII characters") as error:
        Settings("catalog", token="short")
    for token in (TOKEN + "\n" + TOKEN, TOKEN + " x", "é" * 20, "x" * 1001):
        with pytest.raises(MediaFMError, match="ASCII characters"):
            Settings("catalog", token=token)
    assert "short" not in str(error.value)
    assert TOKEN not in repr(Settings("catalog", token=TOKEN))


def test_without_the_token_there_is_the_empty_page_and_nothing_else(guarded):
    assert guarded.get("/").status_code == 200
    described = guarded.app.openapi()["paths"]
    assert len(described) > 20
    for path, methods in described.items():
        if path == "/api/session":
            continue
        for method in methods:
            answer = guarded.request(method, path.replace("{", "").replace("}", ""))
            assert answer.status_code == 401, path
            assert "token" in answer.json()["error"]
    assert guarded.get("/api/openapi.json").status_code == 401


def test_the_token_opens_as_bearer(guarded):
    assert guarded.get("/api/titles", headers={"authorization": f"Bearer {TOKEN}"}).is_success
    for wrong in (f"Bearer {TOKEN}x", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer é"):
        headers = {b"authorization": wrong.encode()}
        assert guarded.get("/api/titles", headers=headers).status_code == 401
    assert guarded.get(f"/api/titles?token={TOKEN}").status_code == 401


def test_a_browser_signs_in_once_and_keeps_a_cookie_that_is_not_the_token(guarded):
    assert guarded.get("/api/session").json() == {"required": True, "signed_in": False}
    assert guarded.post("/api/session", json={"token": "x" * 20}).status_code == 403
    answer = guarded.post("/api/session", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert guarded.get("/api/titles").is_success
    assert guarded.get("/api/session").json() == {"required": True, "signed_in": True}
    guarded.delete("/api/session")
    assert guarded.get("/api/titles").status_code == 401


def test_a_mounted_server_asks_for_the_token_as_well(settings):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    app = create_app(dataclasses.replace(settings, token=TOKEN))
    with TestClient(Starlette(routes=[Mount("/films", app)])) as client:
        assert client.get("/films/api/titles").status_code == 401
    with TestClient(app, root_path="/films") as client:
        assert client.get("/films/api/titles").status_code == 401


def test_cookies_of_other_programs_do_not_hide_ours(guarded, settings):
    settings = dataclasses.replace(settings, host="0.0.0.0", token=TOKEN)
    own = f"{security.cookie_name(settings)}={security.new_session(settings)}"
    for cookie in (f'a={{"x":1}}; {own}', f"b; {own}"):
        assert guarded.get("/api/titles", headers={"cookie": cookie}).is_success


def test_sessions_end_and_cannot_be_made_up(settings, monkeypatch):
    settings = dataclasses.replace(settings, token=TOKEN)
    value = security.new_session(settings)
    assert security.is_session(settings, value)
    ends, _, seal = value.partition(".")
    for wrong in ("", ".", ends, f"{int(ends) + 1}.{seal}", f"{ends}.{seal[:-1]}", f"x.{seal}"):
        assert not security.is_session(settings, wrong)
    other = dataclasses.replace(settings, token=TOKEN + "2")
    assert not security.is_session(other, value)
    monkeypatch.setattr(security.time, "time", lambda: int(ends) + 1)
    assert not security.is_session(settings, value)


def test_tokens_are_compared_in_constant_time(settings, monkeypatch):
    compared = []
    monkeypatch.setattr(
        security.hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or a == b
    )
    settings = dataclasses.replace(settings, token=TOKEN)
    assert security.is_token(settings, TOKEN)
    assert not security.is_token(settings, "")
    assert not security.is_token(settings, TOKEN[:-1])
    assert compared == [(32, 32)] * 3  # digests: not even the length tells


def test_the_token_is_in_no_log(guarded, caplog):
    with caplog.at_level(logging.DEBUG):
        guarded.get("/api/titles", headers={"authorization": f"Bearer {TOKEN}"})
        guarded.post("/api/session", json={"token": TOKEN})
        guarded.post("/api/session", json={"token": [TOKEN]})
        wrong = guarded.post("/api/session", json={"token": TOKEN * 100})
    assert wrong.status_code == 422
    assert TOKEN not in caplog.text
    assert TOKEN not in wrong.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another port of this machine
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:9999"},
        {"origin": "null"},
    ],
)
def test_other_sites_get_nothing_and_change_nothing(client, headers, settings):
    for method, path in (("GET", "titles"), ("POST", "answers"), ("POST", "versions/rollback"),
                         ("GET", "titles/title-000/media")):  # fmt: skip
        answer = client.request(method, f"/api/{path}", headers=headers, json={})
        assert answer.status_code == 403, path
        assert "another site" in answer.json()["error"]
    assert not settings.labels.exists()


def test_our_own_page_and_programs_may_ask(client):
    for headers in (
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": ORIGIN, "sec-fetch-site": "same-origin"},
    ):
        assert client.get("/api/titles", headers=headers).is_success
    # A link from elsewhere opens the page.
    away = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/titles/title-000", headers=away).is_success


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "",
        "[::1",
        "[::1]x",
        "localhost:8000@evil.example",
        "localhost:x",
        "localhost/",
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(client, host):
    answer = client.get("/api/titles", headers={"host": host})
    assert answer.status_code == 421
    assert "--allow-host" in answer.json()["error"]


def test_names_of_this_machine_are_known_and_others_can_be_allowed(client, settings):
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"):
        assert client.get("/api/titles", headers={"host": host}).is_success
    app = create_app(dataclasses.replace(settings, hosts=("films.example",)))
    with TestClient(app, base_url="http://films.example") as other:
        assert other.get("/api/titles").is_success
    # Behind a proxy with TLS that asks by an address of its own.
    with TestClient(app, base_url="http://127.0.0.1:8000") as behind:
        for origin, status in (("https://films.example", 200), ("https://evil.example", 403)):
            assert behind.get("/api/titles", headers={"origin": origin}).status_code == status


def test_a_proxy_that_asks_by_an_address_of_this_machine_is_heard_with_a_token_too(settings):
    named = dataclasses.replace(settings, token=TOKEN, hosts=("Films.example",))
    bearer = {"authorization": f"Bearer {TOKEN}"}
    with TestClient(create_app(named), base_url="http://127.0.0.1:8000") as behind:
        origin = {"origin": "https://films.example"}
        assert behind.get("/api/titles", headers=bearer | origin).is_success
        assert behind.get("/api/titles").status_code == 401
        evil = behind.get("/api/titles", headers=bearer | {"host": "evil.example"})
        assert evil.status_code == 421


@pytest.mark.parametrize("name", ["", "http://films.example", "films.example/x", "a b", "x:80"])
def test_a_name_that_no_request_can_have_is_said_at_once(name):
    with pytest.raises(MediaFMError, match="is no name of a server"):
        Settings("catalog", hosts=(name,))


def test_folders_that_are_files_are_said_at_once(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for option in ("probes", "labels", "cache"):
        with pytest.raises(MediaFMError, match="is a file, not a folder"):
            Settings("catalog", **{option: file})
    with pytest.raises(MediaFMError, match="is no folder"):
        Settings("catalog", media=(tmp_path / "nothing",))


def test_a_form_of_another_site_is_no_answer(client, settings):
    body = '{"kind":"clips","answer":"accepted","title_id":"title-000","span":{"start":0,"end":9}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post("/api/answers", content=body, headers={"content-type": kind})
        assert answer.status_code == 422
    assert not settings.labels.exists()


def test_every_answer_says_what_browsers_must_not_do(client):
    for path in ("/", "/api/titles", "/api/nothing", "/assets/index.html",
                 "/api/titles/title-000/media", "/api/titles/title-000/poster.jpg"):  # fmt: skip
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers


def test_bodies_that_are_too_long_are_not_read(client):
    answer = client.post("/api/export", content=b"x" * 2_000_000)
    assert answer.status_code == 413
    answer = client.post("/api/export", content=(b"x" * 100_000 for _ in range(20)))
    assert answer.status_code == 413
    for length in ("9" * 5000, "-1", "1e3", ""):
        answer = client.post("/api/export", content=b"{}", headers={"content-length": length})
        assert answer.status_code == 413
    basket = b'{"form": ".csv", "clips": [{"title_id": "title-000", "span": {"start": 0, "end": 9'
    json_ = {"content-type": "application/json"}
    pieces = (basket, b"000000}}]}")
    assert client.post("/api/export", content=iter(pieces), headers=json_).is_success


def test_an_accident_is_one_line_with_the_headers_of_every_answer(settings, monkeypatch, caplog):
    def fails(*_):
        raise ZeroDivisionError("/secret/place")

    monkeypatch.setattr("mediafm.serve.routes.titles._timeline", fails)
    with TestClient(create_app(settings), base_url=ORIGIN) as client:
        answer = client.get("/api/titles/title-000/timeline?q=private")
    assert answer.status_code == 500
    line = "unexpected ZeroDivisionError; the server's log has more"
    assert answer.json() == {"error": line}
    assert "frame-ancestors" in answer.headers["content-security-policy"]
    assert "/secret/place" in caplog.text
    assert "private" not in caplog.text


def test_storage_that_fails_is_the_server_s_fault_and_says_no_place(settings, monkeypatch, caplog):
    from mediafm.catalog.guard import guard

    def fails(view, record):
        with guard("/home/me/films"):
            raise OSError("LanceError(IO): Not found: /home/me/films/x.lance")

    monkeypatch.setattr("mediafm.serve.routes.titles._timeline", fails)
    with TestClient(create_app(settings), base_url=ORIGIN) as client:
        answer = client.get("/api/titles/title-000/timeline")
    assert answer.status_code == 503
    assert answer.json() == {"error": "the catalog: the storage failed"}
    assert "films/x.lance" in caplog.text


def test_notes_do_not_say_where_probes_lie(settings, tmp_path):
    import shutil

    probes = tmp_path / "deep" / "probes"
    shutil.copytree(settings.probes, probes)
    for file in probes.glob("*/*.npz"):
        file.write_bytes(b"broken")
    for file in probes.glob("*/*.safetensors"):
        file.write_bytes(b"broken")
    app = create_app(dataclasses.replace(settings, probes=probes))
    with TestClient(app, base_url=ORIGIN) as client:
        tags = client.get("/api/titles/title-000/tags").json()
        assert any("is not used" in note for note in tags["notes"])
        assert str(tmp_path) not in json.dumps(tags)
        exported = client.get("/api/titles/title-000/export/tags")
        assert str(tmp_path) not in exported.headers.get("x-mediafm-notes", "") + exported.text


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../settings.py",
        "/assets/%2e%2e/settings.py",
        "/assets/..%2fsettings.py",
        "/assets/%2e%2e%2f%2e%2e%2fpyproject.toml",
        "/assets//etc/passwd",
        "/api/titles/../../../../etc/passwd/media",
        "/api/titles/%2e%2e%2f%2e%2e%2fetc%2fpasswd/media",
        "/api/titles/%2fetc%2fpasswd/media",
        "/api/titles/title-000%00/media",
        "/api/titles/title-000/keyframes/..%2f0.jpg",
        "/api/titles/title-000/export/..%2fshots",
    ],
)
def test_no_path_leads_out(served, path):
    """Through a real server and a socket: clients tidy such addresses up."""
    import http.client

    host = served.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status in (400, 403, 404, 405, 422), body
    assert b"root:" not in body
    assert b"import " not in body


@pytest.mark.parametrize(
    "path",
    [
        "titles?limit=99999999999999999999",
        "titles?offset=-1",
        "titles?q=" + "x" * 5000,
        "titles?sort=no",
        "titles/title-000/keyframes/99999999999999999999.jpg",
        "titles/title-000/keyframes/-1.jpg",
        "titles/title-000/strip/1e9.jpg",
        "titles/title-000/similarity?cells=100000",
        "titles/title-000/similarity?features=../x",
        "titles/title-000/suggestions/clips?shortest=0",
        "titles/title-000/suggestions/clips?longest=nan",
        "titles/title-000/suggestions/pears",
        "titles/" + "x" * 3000,
        "search?q=",
        "search?q=%00",
        "search?q=a&count=1000000",
        "search?q=a&by=nothing",
        "search?q=a&title=nothing",
        "similar?title_id=title-000",
        "similar?title_id=title-000&time=-5",
        "similar?title_id=title-000&time=999999999999999",
        "similar?title_id=title-000&start=9000000&end=1000000",
        "similar?title_id=title-000&time=0&version=nothing",
        "answers?title_id=nothing",
        "titles/title-000/export/shots?form=.exe",
        "titles/title-000/arc?class=nothing",
        "titles/title-000/arc?probe=../../x",
        "compare?a=older&b=nothing",
        "map?version=nothing",
    ],
)
def test_what_does_not_fit_gets_one_clear_line(client, path):
    answer = client.get(f"/api/{path}")
    assert 400 <= answer.status_code < 500, answer.text
    line = answer.json()["error"]
    assert 10 < len(line) < 600
    assert "\n" not in line
    assert "Traceback" not in line


def test_errors_do_not_say_where_things_lie(client, settings):
    for path in ("titles/none", "search?q=a&title=none", "similar?title_id=title-000&version=none"):
        assert settings.catalog not in client.get(f"/api/{path}").text
    assert str(settings.labels.parent) not in client.get("/api/catalog").text
    assert str(settings.labels.parent) not in client.get("/api/titles?limit=50").text
