"""Answers to suggestions, and files for other programs."""

import contextlib
import dataclasses
import io
import json
from dataclasses import asdict

import opentimelineio as otio
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from serve_kit import MARKUP, ORIGIN, get

from mediafm.serve import create_app

T = "title-000"


def test_answers_become_labels_and_are_known_since(client, settings):
    span = get(client, f"titles/{T}/suggestions/clips", count=1)["found"][0]["span"]
    body = {"kind": "clips", "answer": "accepted", "title_id": T, "span": span}
    first = client.post("/api/answers", json=body).json()
    assert first["file"] == "clips.csv"
    assert first["rows"][0]["value"] == "1"
    again = client.post("/api/answers", json=body | {"answer": "rejected"}).json()
    assert (again["replaced"], again["total"]) == (1, 1)
    scene = get(client, f"titles/{T}/scenes")["scenes"][2]["span"]
    tags = {"kind": "tags", "answer": "corrected", "title_id": T, "span": scene,
            "tags": ["warm", "dry"]}  # fmt: skip
    assert client.post("/api/answers", json=tags).json()["rows"][0]["value"] == "warm|dry"
    given = get(client, "answers", title_id=T)["items"]
    assert {(one["kind"], one["answer"], one["value"]) for one in given} == {
        ("clips", "rejected", "0"),
        ("tags", "corrected", "warm|dry"),
    }
    assert get(client, "answers", title_id="title-001")["items"] == []
    assert (settings.labels / "tones.csv").read_text().count("warm|dry") == 1


def test_tags_are_accepted_as_they_were_shown(client):
    scene = get(client, f"titles/{T}/scenes")["scenes"][1]["span"]
    body = {"kind": "tags", "answer": "accepted", "title_id": T, "span": scene}
    shown = client.post("/api/answers", json=body | {"shown": ["dry", "warm"]}).json()
    assert shown["rows"][0]["value"] == "dry|warm"  # whatever the probe says by now
    less = body | {"answer": "rejected", "shown": ["dry", "warm"], "tags": ["dry"]}
    assert client.post("/api/answers", json=less).json()["rows"][0]["value"] == "warm"
    wrong = client.post("/api/answers", json=less | {"tags": ["cold"]})
    assert "is not suggested there" in wrong.json()["error"]
    clips = {"kind": "clips", "answer": "accepted", "title_id": T, "span": scene, "shown": ["dry"]}
    assert client.post("/api/answers", json=clips).status_code == 400


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("title_id,start,end,start_us,label", [f"{T},0,2,0,1"]),
        ("title_id,start,end,start_us,end_us,label", [f"{T},0,2,-5,2000000,1", f"{T},0,2,9,5,1"]),
        ("title_id,start,end,start_us,end_us,label", [f"{T},0,2,0,{10**30},1", f"{T},,,,,1"]),
    ],
)
def test_label_files_that_people_edited(client, settings, header, rows):
    settings.labels.mkdir()
    span = get(client, f"titles/{T}/suggestions/clips", count=1)["found"][0]["span"]
    body = {"kind": "clips", "answer": "accepted", "title_id": T, "span": span}
    first = client.post("/api/answers", json=body).json()
    file = settings.labels / first["file"]
    file.write_text("\n".join([header.replace("label", first["column"]), *rows]) + "\n")
    assert client.get("/api/answers", params={"title_id": T}).status_code == 200
    assert client.post("/api/answers", json=body).status_code == 200
    assert all(row in file.read_text() for row in rows)


def test_a_correction_names_another_place(client):
    body = {
        "kind": "clips",
        "answer": "corrected",
        "title_id": T,
        "span": {"start": 0, "end": 9**7},
    }
    assert "another place" in client.post("/api/answers", json=body).json()["error"]
    to = {"start": 0, "end": 6_000_000}
    assert client.post("/api/answers", json=body | {"to": to}).status_code == 200
    reverse = body | {"answer": "accepted", "span": {"start": 5, "end": 4}}
    assert client.post("/api/answers", json=reverse).status_code == 400


@pytest.mark.parametrize(
    "task", ["../x", "/etc/passwd", "x.toml", "C:\\x.toml", "nothing", "~/x.toml", "x" * 499]
)
def test_a_request_names_no_file(client, task, settings):
    body = {"kind": "tags", "answer": "corrected", "title_id": T, "tags": ["warm"],
            "span": {"start": 0, "end": 6_000_000}, "task": task}  # fmt: skip
    assert client.post("/api/answers", json=body).status_code == 400
    assert not settings.labels.exists()


def test_a_basket_is_an_edit(client, catalog):
    shots = catalog.shots(T)
    clips = [
        {"title_id": T, "span": asdict(shots[4].span), "name": "later"},
        {"title_id": "title-001", "span": {"start": 0, "end": 2_000_000}, "name": MARKUP},
        {"title_id": T, "span": asdict(shots[1].span), "name": "first & last"},
    ]
    answer = client.post("/api/export", json={"form": ".otio", "name": "my cut", "clips": clips})
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''my%20cut.otio"
    edit = otio.adapters.read_from_string(answer.text, "otio_json")
    names = [clip.name for clip in edit.video_tracks()[0].find_clips()]
    assert names == ["later", MARKUP, "first & last"]
    for form, starts in ((".edl", b"TITLE:"), (".xml", b"<?xml"), (".csv", b"title_id,"),
                         (".jsonl", b"{"), (".parquet", b"PAR1")):  # fmt: skip
        answer = client.post("/api/export", json={"form": form, "clips": clips})
        assert answer.status_code == 200, answer.text
        assert answer.content.startswith(starts)
        assert isinstance(json.loads(answer.headers["x-mediafm-notes"]), list)
    two = client.post("/api/export", json={"form": ".vtt", "clips": clips})
    assert two.status_code == 400
    assert "of one title" in two.json()["error"]


def test_a_file_is_called_what_every_system_takes(client):
    clips = [{"title_id": T, "span": {"start": 0, "end": 2_000_000}}]
    for name, called in (
        ("../../x", "..-x"),
        ('a"b\r\nc', "a-b%20c"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("日" * 200, "%E6%97%A5"),
    ):
        answer = client.post("/api/export", json={"form": ".csv", "name": name, "clips": clips})
        assert called in answer.headers["content-disposition"]
        assert "\n" not in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("what", "form"),
    [("shots", ".edl"), ("scenes", ".vtt"), ("clips", ".otio"), ("tags", ".jsonl")],
)
def test_what_there_is_of_a_title_is_exported(client, what, form):
    answer = client.get(f"/api/titles/{T}/export/{what}", params={"form": form})
    assert answer.status_code == 200, answer.text
    assert f"{T}-{what}{form}" in answer.headers["content-disposition"]
    assert len(answer.content) > 100


def test_embeddings_are_exported_of_titles_that_are_named(client, catalog):
    assert client.get("/api/export/embeddings.parquet").status_code == 400
    answer = client.get("/api/export/embeddings.parquet", params={"title": [T, "title-001"]})
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.num_rows == 90


def test_names_are_one_line_in_every_form(client):
    clips = [{"title_id": T, "span": {"start": 0, "end": 2_000_000}, "name": "a\r\nX: y\x01\ufffe"}]
    for form in (".otio", ".edl", ".xml", ".csv", ".vtt"):
        body = {"form": form, "name": "\x1b\nTITLE: other", "clips": clips}
        answer = client.post("/api/export", json=body)
        assert answer.status_code == 200, answer.text
        assert "a X: y" in answer.text
        assert not any(
            line.startswith(("X: y", "TITLE: other")) for line in answer.text.split("\n")
        )
    body["clips"][0]["name"] = "\x00"
    assert T in client.post("/api/export", json=body).text


def test_a_clip_of_no_length_is_no_label(client, settings):
    body = {"kind": "clips", "answer": "accepted", "title_id": T, "span": {"start": 0, "end": 1}}
    answer = client.post("/api/answers", json=body)
    assert answer.status_code == 400
    assert "name a longer clip" in answer.json()["error"]
    assert not settings.labels.exists()


def test_a_full_disk_is_no_fault_of_the_asker_and_loses_nothing(settings, make_disk):
    disk = make_disk("64k")
    app = create_app(dataclasses.replace(settings, labels=disk / "labels"))
    body = {"kind": "clips", "answer": "accepted", "title_id": T}
    with TestClient(app, base_url=ORIGIN) as client:
        first = client.post("/api/answers", json=body | {"span": {"start": 0, "end": 5_000_000}})
        assert first.status_code == 200
        held = (disk / "labels/clips.csv").read_bytes()
        with contextlib.suppress(OSError):
            (disk / "full").write_bytes(b"x" * 100_000)
        second = client.post("/api/answers", json=body | {"span": {"start": 0, "end": 9_000_000}})
        assert second.status_code == 503
        assert "no space left" in second.json()["error"]
        assert (disk / "labels/clips.csv").read_bytes() == held
