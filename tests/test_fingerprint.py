from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediafm.errors import EncoderError, MediaFMError
from mediafm.fingerprint import file_fingerprint, fingerprint, verify_sha256

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s, max_size=3)
)


@given(st.dictionaries(st.text(), plain))
def test_order_does_not_matter(settings):
    turned = dict(reversed(settings.items()))
    assert fingerprint(settings) == fingerprint(turned) == fingerprint(MappingProxyType(settings))
    assert len(fingerprint(settings)) == 16
    assert fingerprint({**settings, "more": 1}) != fingerprint({**settings, "more": 2})


def test_it_stays_what_it_was():
    """Catalogs on disk hold these digests."""
    assert fingerprint({"b": [1, "ü", None], "a": 0.5}) == fingerprint(
        {"a": 0.5, "b": (1, "ü", None)}
    )
    assert fingerprint({"a": 1}) == "1f8c00645b7df6ce"


def test_dataclasses_count_as_what_they_hold():
    @dataclass
    class Settings:
        size: int

    assert fingerprint([Settings(3)]) == fingerprint([{"size": 3}])


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", {"a": {3}}])
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(TypeError):
        fingerprint(value)


def test_files(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"12")
    b.write_bytes(b"3")
    assert file_fingerprint(a, b) != file_fingerprint(b, a)
    whole = file_fingerprint(a, b)
    a.write_bytes(b"1")
    b.write_bytes(b"23")
    assert file_fingerprint(a, b) != whole  # what moves from one file to the next is a change
    assert file_fingerprint() == file_fingerprint()
    with pytest.raises(MediaFMError, match="no such file"):
        file_fingerprint(tmp_path / "none")


def test_weights_that_were_changed_are_refused(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"tested")
    digest = hashlib.sha256(b"tested").hexdigest()
    assert verify_sha256(path, digest) == path
    path.write_bytes(b"other")
    with pytest.raises(EncoderError, match=rf"weights\.bin: weights have sha256 .*{digest[:12]}"):
        verify_sha256(path, digest)
    path.unlink()
    with pytest.raises(EncoderError, match="no such file"):
        verify_sha256(path, digest)
