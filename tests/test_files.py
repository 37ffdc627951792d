"""Files and folders that are there whole or not at all."""

import pytest

from mediafm.errors import MediaFMError
from mediafm.files import save, whole_file, whole_folder, write_whole


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


def test_a_file_keeps_its_mode_and_a_link_its_file(tmp_path):
    path, link = tmp_path / "real.csv", tmp_path / "deep" / "link.csv"
    write_whole(path, b"one")
    path.chmod(0o600)
    link.parent.mkdir()
    link.symlink_to(path)
    save(link, b"two")
    assert link.is_symlink()
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(p.name for p in (*tmp_path.iterdir(), *link.parent.iterdir())) == [
        "deep", "link.csv", "real.csv",
    ]  # fmt: skip
    path.chmod(0o400)
    with pytest.raises(MediaFMError, match="cannot be written"):
        save(link, b"three")
    assert path.read_bytes() == b"two"


@pytest.mark.parametrize("name", ["file/below.csv", "folder"])
def test_a_place_that_cannot_be_written_is_said_in_a_line(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MediaFMError, match="cannot be written") as caught:
        save(tmp_path / name, b"x")
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "folder"]
