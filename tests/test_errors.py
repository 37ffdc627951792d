from __future__ import annotations

import copy
import errno
import pickle
from pathlib import Path

import pytest

from mediafm import errors
from mediafm.errors import MediaError, MediaFMError, MissingExtraError, describe_os_error


def test_one_line_says_where_what_and_what_to_do():
    error = MediaError("is cut\n  off", where=Path("/films/a.mp4"), do="copy it again")
    assert str(error) == "/films/a.mp4: is cut off; copy it again"
    assert (error.what, error.where, error.do) == ("is cut off", "/films/a.mp4", "copy it again")
    assert str(MediaFMError("no")) == "no"


ALL = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, MediaFMError) and kind is not MissingExtraError
]


@pytest.mark.parametrize("kind", ALL)
def test_errors_cross_process_borders(kind):
    error = kind("went wrong", where="here", do="this")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is kind
        assert (str(other), other.where, other.do) == (str(error), "here", "this")


def test_a_missing_extra_says_how_to_install_it():
    error = MissingExtraError("ray", extra="ray", purpose="ingest on many machines")
    assert str(error) == (
        "ingest on many machines needs ray, which is not installed; pip install 'mediafm[ray]'"
    )
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other)) == (MissingExtraError, str(error))


def test_os_errors_in_words(tmp_path):
    assert describe_os_error(OSError(errno.ENOSPC, "x")) == "no space left on the disk"
    assert describe_os_error(OSError(errno.EXDEV, "odd link")) == "odd link"
    assert describe_os_error(OSError("something")) == "something"
    with pytest.raises(OSError) as caught:
        (tmp_path / "none").read_bytes()
    assert describe_os_error(caught.value) == "no such file or folder"
