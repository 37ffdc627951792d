"""What is kept of dear answers."""

import itertools
import threading

import pytest

from mediafm.serve.shelf import Shelf


def test_it_is_made_once_and_what_failed_is_tried_again():
    shelf, made = Shelf(3), itertools.count()
    assert shelf.once("key", lambda: next(made)) == shelf.once("key", lambda: next(made)) == 0
    with pytest.raises(ZeroDivisionError):
        shelf.once("broken", lambda: 1 // 0)
    assert shelf.once("broken", lambda: 5) == 5
    assert shelf._making == {}


def test_the_longest_unused_goes_first_by_weight():
    shelf = Shelf(10, len)
    for name, content in (("a", b"1234"), ("b", b"123"), ("c", b"123")):
        shelf.once(name, lambda content=content: content)
    assert shelf.once("a", lambda: b"") == b"1234"
    shelf.once("d", lambda: b"123")
    assert shelf.weight == 10
    assert shelf.once("b", lambda: b"new") == b"new"  # a was asked for again, b was not
    assert shelf.once("huge", lambda: b"x" * 11) == b"x" * 11
    assert shelf.weight <= 10


def test_others_wait_for_who_makes_it():
    shelf, made, begun, go = Shelf(3), itertools.count(), threading.Event(), threading.Event()

    def make():
        begun.set()
        assert go.wait(10)
        return next(made)

    got = []
    threads = [threading.Thread(target=lambda: got.append(shelf.once(1, make))) for _ in range(8)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert got == [0] * 8
    assert shelf._making == {}
