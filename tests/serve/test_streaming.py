"""Large files are read where they are asked for, and who goes away leaves nothing open."""

import gc
import http.client
import os
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from film_kit import Video, numbered, shelf, write
from serve_kit import serving

from mediafm.serve import streaming


def open_files(path):
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += link.readlink() == path
        except FileNotFoundError:
            continue
    return found


def eventually(true, seconds=10):
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        gc.collect()
        time.sleep(0.02)
    return true()


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A film of 5 GB, of which little is on the disk, behind a real server that counts reads."""
    film = write(tmp_path / "large.mp4", Video(numbered(50)))
    with film.open("r+b") as file:
        file.truncate(5 << 30)
        file.seek((5 << 30) - 4)
        file.write(b"last")
    read, lock, plain = [], threading.Lock(), streaming._FileResponse._read

    def counted(self, most, at):
        got = plain(self, most, at)
        with lock:
            read.append(len(got))
        return got

    monkeypatch.setattr(streaming._FileResponse, "_read", counted)
    with serving(shelf(tmp_path, {"large": film})) as served:
        yield film, urlsplit(served.url).netloc, read


def begin(netloc, asked):
    """Asks for a range, and reads no more than the head of the answer."""
    connection = http.client.HTTPConnection(netloc)
    connection.request("GET", "/api/titles/large/media", headers={"Range": f"bytes={asked}"})
    return connection, connection.getresponse()


def test_a_seek_far_into_a_large_file_reads_what_it_asks_for(large):
    film, netloc, read = large
    connection, answer = begin(netloc, f"{(5 << 30) - 4}-")
    assert answer.status == 206
    assert answer.read() == b"last"
    assert sum(read) == 4
    connection.close()
    connection, answer = begin(netloc, "4000000000-4000099999")
    assert answer.read() == bytes(100_000)
    assert sum(read) == 100_004
    connection.close()
    assert eventually(lambda: open_files(film) == 0)


def test_who_goes_away_leaves_nothing_open(large):
    film, netloc, read = large
    for _ in range(5):
        connection, answer = begin(netloc, "0-")
        assert len(answer.read(1000)) == 1000
        assert open_files(film) == 1
        connection.close()
        answer.close()
        assert eventually(lambda: open_files(film) == 0)
    assert sum(read) < 200 << 20  # what fits the buffers between us, not 25 GB


def test_a_file_that_is_cut_while_it_is_sent_ends_the_connection(large):
    film, netloc, _ = large
    connection, answer = begin(netloc, "0-")
    answer.read(1000)
    os.truncate(film, 1 << 20)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    assert eventually(lambda: open_files(film) == 0)
