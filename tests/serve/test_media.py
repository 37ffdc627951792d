"""One file of a title is sent, whole or in ranges; nothing else on the machine is."""

import os
import socket
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from film_kit import Video, numbered, shelf, write
from hypothesis import given
from hypothesis import strategies as st
from serve_kit import ORIGIN
from starlette.requests import Request

from mediafm.serve import create_app, media
from mediafm.serve.conditional import (
    MOST_RANGES,
    UnsatisfiableError,
    disposition,
    etag_matches,
    wanted_ranges,
)

NAME = 'Größe "7" & Co;\n%41.mp4'


def asking(settings):
    return TestClient(create_app(settings), base_url=ORIGIN)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write(tmp_path_factory.mktemp("film") / NAME, Video(numbered(50)))


@pytest.fixture(scope="module")
def client(film, tmp_path_factory):
    with asking(shelf(tmp_path_factory.mktemp("shelf"), {"a/film 1?": film})) as client:
        yield client


URL = f"/api/titles/{quote('a/film 1?', safe='')}/media"


def test_a_file_is_sent_whole(client, film):
    answer = client.get(URL)
    assert answer.status_code == 200
    assert answer.content == film.read_bytes()
    headers = answer.headers
    assert headers["content-type"] == "video/mp4"
    assert headers["content-length"] == str(film.stat().st_size)
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == (
        'inline; filename="Gr__e _7_ & Co;__41.mp4"; '
        "filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%227%22%20&%20Co%3B%0A%2541.mp4"
    )
    assert str(film.parent) not in str(headers)


def test_head_says_what_get_would_send(client, film):
    got, head = client.get(URL), client.head(URL, headers={"range": "bytes=0-9"})
    assert head.status_code == 200  # ranges are of GET alone
    assert head.content == b""
    for name in ("content-length", "etag", "last-modified", "content-type", "accept-ranges"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    "asked,start,end",
    [("0-0", 0, 1), ("10-19", 10, 20), ("5-", 5, None), ("-7", -7, None), ("9-999999999", 9, None),
     ("-999999999", 0, None), ("0-9,5-20", 0, 21), ("100-,0-99", 0, None)],
)  # fmt: skip
def test_one_range(client, film, asked, start, end):
    answer = client.get(URL, headers={"range": f"bytes={asked}"})
    content = film.read_bytes()
    whole = range(len(content))[start:end]
    assert answer.status_code == 206
    assert answer.content == content[start:end]
    told = f"bytes {whole[0]}-{whole[-1]}/{len(content)}"
    assert answer.headers["content-range"] == told
    assert answer.headers["content-length"] == str(len(whole))


def test_several_ranges(client, film):
    answer = client.get(URL, headers={"range": "bytes=3000-3009, 0-4,-3"})
    size, content = film.stat().st_size, film.read_bytes()
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert (answer.status_code, kind) == (206, "multipart/byteranges")
    parts = answer.content.split(f"--{boundary}".encode())
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    for part, (start, end) in zip(
        parts[1:-1], [(0, 5), (3000, 3010), (size - 3, size)], strict=True
    ):
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {start}-{end - 1}/{size}".encode() in head
        assert b"Content-Type: video/mp4" in head
        assert body == content[start:end] + b"\r\n"
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    "asked",
    ["bytes=9-3", "bytes=a-b", "bytes=-", "bytes", "lines=1-2", "bytes=", "bytes=1-2,x",
     "bytes=--1", "bytes=٣-٤".encode()],
)  # fmt: skip
def test_ranges_that_are_none_are_ignored(client, film, asked):
    answer = client.get(URL, headers={"range": asked})
    assert (answer.status_code, len(answer.content)) == (200, film.stat().st_size)


@pytest.mark.parametrize(
    "asked",
    ["999999999-", "-0", "0-0," * 99, f"{'9' * 30}-",
     ",".join(f"{1000 * i}-" for i in range(MOST_RANGES + 1))],
)  # fmt: skip
def test_ranges_beyond_the_file_and_too_many_are_refused(client, film, asked):
    answer = client.get(URL, headers={"range": f"bytes={asked}"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{film.stat().st_size}"
    assert "error" in answer.json()


RANGE = st.one_of(
    st.tuples(st.integers(0, 5000), st.integers(0, 5000)).map(lambda p: f"{min(p)}-{max(p)}"),
    st.integers(0, 6000).map(lambda start: f"{start}-"),
    st.integers(0, 6000).map(lambda last: f"-{last}"),
)


@given(st.lists(RANGE, min_size=1, max_size=MOST_RANGES), st.integers(1, 5000))
def test_what_is_sent_holds_what_is_asked_for_and_no_byte_twice(asked, size):
    scope = {"type": "http", "method": "GET",
             "headers": [(b"range", f"bytes={','.join(asked)}".encode())]}  # fmt: skip
    wanted = set()
    for one in asked:
        start, _, last = one.partition("-")
        if start:
            wanted |= set(range(int(start), min(int(last) + 1 if last else size, size)))
        else:
            wanted |= set(range(max(size - int(last), 0), size))
    try:
        got = wanted_ranges(Request(scope), size, '"x"', "")
    except UnsatisfiableError:
        assert not wanted
        return
    sent = [place for start, end in got for place in range(start, end)]
    assert len(sent) == len(set(sent))
    assert wanted <= set(sent) <= set(range(size))


def test_conditions(client, film):
    headers = client.get(URL).headers
    etag, date = headers["etag"], headers["last-modified"]
    assert etag.startswith('"')

    def status(**conditions):
        asked = {name.replace("_", "-"): value for name, value in conditions.items()}
        return client.get(URL, headers=asked).status_code

    assert status(if_none_match=etag) == 304
    assert status(if_none_match=f'"other", W/{etag}') == 304
    assert status(if_none_match="*") == 304
    assert status(if_none_match='"other"') == 200
    assert status(if_modified_since=date) == 304
    assert status(if_modified_since="Sun, 01 Jan 1995 00:00:00 GMT") == 200
    assert status(if_modified_since="yesterday") == 200
    assert status(if_none_match='"other"', if_modified_since=date) == 200
    assert status(if_match=etag) == 200
    assert status(if_match='"other"') == 412
    assert status(if_match=f"W/{etag}") == 412
    assert status(if_unmodified_since="Sun, 01 Jan 1995 00:00:00 GMT") == 412
    assert status(range="bytes=0-9", if_range=etag) == 206
    assert status(range="bytes=0-9", if_range=date) == 206
    assert status(range="bytes=0-9", if_range='"other"') == 200
    assert status(range="bytes=0-9", if_range=f"W/{etag}") == 200
    assert status(range="bytes=0-9", if_none_match=etag) == 304
    kept = client.get(URL, headers={"if-none-match": etag})
    assert kept.content == b""
    assert kept.headers["etag"] == etag


def test_a_file_that_was_written_over_has_another_etag(tmp_path):
    film = write(tmp_path / "film.mp4", Video(numbered(20)))
    with asking(shelf(tmp_path, {"film": film})) as client:
        before = client.get("/api/titles/film/media").headers["etag"]
        content = bytearray(film.read_bytes())
        content[2000] ^= 255
        film.write_bytes(content)  # the same size: the catalog's fingerprint may be another's
        os.utime(film, ns=(0, film.stat().st_mtime_ns + 1))
        assert client.get("/api/titles/film/media").headers["etag"] != before


def test_lists_of_etags():
    assert etag_matches('"a", "b,c"', '"b,c"')
    assert not etag_matches('"a", "b"', '"c"')
    assert not etag_matches("a", '"a"')
    assert not etag_matches(None, '"a"')


def test_names_of_files():
    assert disposition("attachment", "clips.edl") == 'attachment; filename="clips.edl"'
    assert "\n" not in disposition("inline", "a\r\nset-cookie: b")
    assert disposition("inline", "\udcff.mp4").isascii()


# What is not sent


@pytest.fixture
def refused(tmp_path):
    """Asks for the file at a path that a title has, and gives status and line."""

    def ask(path, size=None, **more):
        with asking(shelf(tmp_path, {"film": path}, size=size, **more)) as client:
            answer = client.get("/api/titles/film/media")
            about = client.get("/api/titles/film").json()["media"]
            for text in (answer.text if answer.status_code >= 400 else "", str(about)):
                assert str(tmp_path) not in text
        line = answer.json()["error"] if answer.status_code >= 400 else ""
        return answer.status_code, line, about["state"]

    return ask


@pytest.fixture
def films(tmp_path):
    """A folder of films, and a film elsewhere."""
    (tmp_path / "films").mkdir()
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "films", write(tmp_path / "elsewhere" / "film.mp4", Video(numbered(5)))


def test_a_link_out_of_the_folder_is_refused(refused, films):
    folder, film = films
    (folder / "film.mp4").symlink_to(film)
    status, line, state = refused(folder / "film.mp4")
    assert (status, state) == (403, "refused")
    assert line == (
        "film.mp4: is a link that leads out of its folder; "
        "to allow it, name the folder where the file lies with --media"
    )


def test_a_link_into_a_named_folder_is_followed(refused, films):
    folder, film = films
    (folder / "film.mp4").symlink_to(film)
    assert refused(folder / "film.mp4", media=(film.parent,))[0] == 200


def test_a_link_inside_the_folder_is_followed(refused, films):
    folder, film = films
    (folder / "real.mp4").write_bytes(film.read_bytes())
    (folder / "film.mp4").symlink_to("real.mp4")
    assert refused(folder / "film.mp4")[0] == 200


def test_dots_do_not_lead_out(refused, films):
    folder, film = films
    (folder / "film.mp4").symlink_to(f"../elsewhere/{film.name}")
    assert refused(folder / "film.mp4")[0] == 403


def test_what_was_checked_is_what_is_opened(films):
    """A link that is put into the place of a folder or a file after the check is not followed."""
    folder, film = films
    (folder / "film.mp4").symlink_to(film)
    (folder.parent / "swapped").symlink_to(film.parent)
    for path in (folder / "film.mp4", folder.parent / "swapped" / film.name):
        with pytest.raises(OSError, match=r"."):
            media._open_real(path)
    os.close(media._open_real(film))


def test_what_is_no_regular_file_is_refused_at_once(refused, films):
    folder, _ = films
    os.mkfifo(folder / "pipe.mp4")
    (folder / "folder.mp4").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s.mp4"))
    for name in ("pipe.mp4", "folder.mp4", "s.mp4"):
        assert refused(folder / name) == (403, f"{name}: is not a regular file", "refused")
    listener.close()


def test_a_device_is_refused(tmp_path):
    with asking(shelf(tmp_path, {"zero": "/dev/zero"})) as client:
        assert client.get("/api/titles/zero/media").status_code == 403


def test_what_is_no_media_is_refused(refused, films):
    folder, _ = films
    (folder / "secret").write_text("root:x:0:0:root:/root:/bin/bash\n" * 9)
    assert refused(folder / "secret")[::2] == (403, "refused")


def test_a_file_of_another_size_is_not_the_title(refused, films):
    _, film = films
    status, line, state = refused(film, size=99)
    assert (status, state) == (409, "refused")
    assert line.endswith("run mediafm ingest again")


def test_a_file_that_is_gone(refused, films):
    status, line, state = refused(films[0] / "gone" / "film.mp4")
    assert (status, state) == (404, "missing")
    assert "mediafm relink" in line


def test_paths_that_are_none(tmp_path):
    paths = {"imported": "", "here": "film.mp4", "nul": "/a\0b/film.mp4"}
    with asking(shelf(tmp_path, paths)) as client:
        found = {name: client.get(f"/api/titles/{name}/media").status_code for name in paths}
        assert found == {"imported": 404, "here": 403, "nul": 404}
        assert client.get("/api/titles/imported").json()["media"]["state"] == "none"
        assert client.get("/api/titles/unknown/media").status_code == 404
        for path in ("..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "here/../../etc/passwd"):
            assert client.get(f"/api/titles/{path}/media").status_code == 404
