"""Files and folders that are there whole or not at all."""

import pytest

from mediafm.files import whole_file, whole_folder, write_whole


def test_a_file_takes_its_place_whole(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_writing_fails(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, b"one")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as part:
        part.write_bytes(b"half")
        assert path.read_bytes() == b"one"
        raise KeyboardInterrupt
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_what_was_written(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, b"one")
    (tmp_path / "plain").write_bytes(b"one")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_that_is_missing_is_the_callers_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "no" / "a.json", b"one")


def test_a_folder_takes_its_place_whole(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "f") as part:
        (part / "half").write_text("")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with whole_folder(tmp_path / "f") as part:
        (part / "deep").mkdir()
        (part / "deep" / "file").write_text("")
    held = [tmp_path / "f", tmp_path / "f" / "deep", tmp_path / "f" / "deep" / "file"]
    assert sorted(tmp_path.rglob("*")) == held
    with pytest.raises(OSError, match="not empty"), whole_folder(tmp_path / "f"):
        pass
    assert sorted(tmp_path.rglob("*")) == held
