"""The API answers what the Python functions and the command line do."""

import dataclasses
import io
import re
import shutil
from dataclasses import asdict
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from serve_kit import MARKUP, ORIGIN, get, serving

import synthetic
from mediafm.catalog import Catalog
from mediafm.encoders import EMBEDDED, open_encoder
from mediafm.ingest.config import encoder_records
from mediafm.report.similarity import cosines
from mediafm.search import search, similar, similar_clips, similar_titles
from mediafm.serve import create_app
from mediafm.serve.assets import STATIC, Assets
from mediafm.suggest import FittedProbes, find_arc, find_scenes, suggest_clips, suggest_tags
from mediafm.timeline import Span

T = "title-000"


def test_the_catalog_says_what_there_is(client, catalog):
    about = get(client, "catalog")
    assert about["titles"] == len(catalog.titles()) == 6
    assert about["shots"] == sum(title.shots for title in catalog.titles())
    assert about["versions"] == ["older", "newer"]
    assert about["version"] == "newer"
    assert about["features"] == ["context", "fused", "audio", "text", "video"]
    assert [probe["name"] for probe in about["probes"]] == ["clip-tone"]
    assert {"id": "tense", "name": "tense"} in about["probes"][0]["classes"]
    assert ".otio" in about["export_forms"]


def test_titles_come_in_pages_and_orders(client, catalog):
    first = get(client, "titles", limit=4, sort="longest")
    second = get(client, "titles", limit=4, offset=4, sort="longest")
    assert first["total"] == second["total"] == 6
    lengths = [title["duration"] for title in first["items"] + second["items"]]
    assert lengths == sorted((t.duration for t in catalog.titles()), reverse=True)
    assert get(client, "titles", offset=100)["items"] == []
    names = [title["title"] for title in get(client, "titles")["items"]]
    assert names == sorted(names, key=str.casefold)


def test_titles_are_found_by_words_and_by_what_they_are(client):
    assert {t["title_id"] for t in get(client, "titles", q="SALT iron")["items"]} == {"title-001"}
    movies = get(client, "titles", kind="movie")
    assert {t["kind"] for t in movies["items"]} == {"movie"}
    assert 0 < movies["total"] < 6
    series = get(client, "titles", series="series-0", genre="drama")
    assert {t["series_id"] for t in series["items"]} == {"series-0"}
    assert {g for t in series["items"] for g in t["genres"]} == {"drama"}
    assert get(client, "titles", tag="nothing")["total"] == 0


@pytest.mark.parametrize("title_id", [T, "shelf/box 5 & 6?", MARKUP])
def test_a_title_is_had_by_any_id(client, catalog, title_id):
    path = f"titles/{quote(title_id, safe='')}"
    about = get(client, path)
    assert about["title_id"] == title_id
    assert about["embedded"] is True
    assert about["title"] == catalog.title(title_id).title
    timeline = get(client, f"{path}/timeline")
    shots = catalog.shots(title_id)
    assert timeline["start"] == [shot.span.start for shot in shots]
    assert timeline["end"] == [shot.span.end for shot in shots]
    assert [cue["text"] for cue in timeline["cues"]] == [c.text for c in catalog.cues(title_id)]
    assert get(client, f"{path}/scenes")["title_id"] == title_id
    picture = client.get(f"/api/{path}/keyframes/3.jpg")
    assert picture.content == catalog.keyframe(title_id, 3)


def test_ids_that_end_like_a_part_of_a_title(settings, tmp_path):
    ids = ("show", "show/tags", "show/export/shots", "100%", "50%2Fx", "%", "a/media")
    catalog = synthetic.make_catalog(tmp_path / "catalog", [])
    for number, title_id in enumerate(ids):
        made = synthetic.plan(title_id, 3, number)
        synthetic.add_title(catalog, made, synthetic.about(number, made), number)
    settings = dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))
    with TestClient(create_app(settings), base_url=ORIGIN) as client:
        for title_id in ids:
            path = f"titles/{quote(title_id, safe='')}"
            assert get(client, path)["title_id"] == title_id
            assert get(client, f"{path}/timeline")["title_id"] == title_id
            assert client.get(f"/api/{path}/keyframes/1.jpg").is_success
            assert client.get(f"/api/{path}/export/shots").is_success
            assert client.head(f"/api/{path}").status_code == 200
        # As people write it: of `show`, a part.
        assert client.get("/api/titles/show/export/shots").text.startswith("title_id,")
        assert get(client, "titles/a/media/cues")["items"]
        # As seen through a real server, which decodes addresses itself.
    with serving(settings) as served:
        for title_id in ids:
            answer = httpx.get(f"{served.url}/api/titles/{quote(title_id, safe='')}")
            assert answer.json()["title_id"] == title_id


def test_head_is_get_without_the_body(client):
    for path in (
        "/",
        "/titles/media",
        "/api/titles",
        f"/api/titles/{T}/poster.jpg",
        "/api/titles/nothing",
    ):
        head, whole = client.head(path), client.get(path)
        assert head.status_code == whole.status_code
        assert head.content == b""
        assert head.headers["content-length"] == str(len(whole.content))


def test_shots_and_cues_come_in_pages(client, catalog):
    page = get(client, f"titles/{T}/shots", offset=10, limit=5)
    assert page["total"] == 60
    assert [shot["index"] for shot in page["items"]] == [10, 11, 12, 13, 14]
    assert page["items"][0]["span"] == asdict(catalog.shots(T)[10].span)
    cues = get(client, f"titles/{T}/cues", offset=1, limit=2)
    assert cues["total"] == len(catalog.cues(T))
    assert [cue["text"] for cue in cues["items"]] == [c.text for c in catalog.cues(T)[1:3]]


def test_a_filmstrip_shows_every_shot_at_its_place(client, catalog):
    strip = get(client, f"titles/{T}/timeline")["strip"]
    sheet = Image.open(io.BytesIO(client.get(f"/api/titles/{T}/strip/0.jpg").content))
    assert sheet.size == (strip["columns"] * strip["width"], 6 * strip["height"])
    for shot in (0, 17, 59):
        x = shot % strip["columns"] * strip["width"]
        y = shot // strip["columns"] * strip["height"]
        own = np.asarray(sheet.crop((x, y, x + strip["width"], y + strip["height"])), float)
        key = Image.open(io.BytesIO(catalog.keyframe(T, shot) or b""))
        key = np.asarray(key.resize((strip["width"], strip["height"])), float)
        assert np.abs(own - key).mean() < 12
    assert client.get(f"/api/titles/{T}/strip/1.jpg").status_code == 404


def test_pictures_are_asked_for_once(client):
    ingest = get(client, f"titles/{T}")["ingest_id"]
    for name in ("poster.jpg", "keyframes/5.jpg", "strip/0.jpg"):
        path = f"/api/titles/{T}/{name}"
        first = client.get(path)
        assert first.headers["content-type"] == "image/jpeg"
        assert first.headers["cache-control"] == "no-cache"
        etag = first.headers["etag"]
        again = client.get(path, headers={"if-none-match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(path, headers={"if-none-match": '"other"'}).content == first.content
        lasting = client.get(path, params={"v": ingest})
        assert "immutable" in lasting.headers["cache-control"]
        assert "immutable" not in client.get(path, params={"v": "old"}).headers["cache-control"]


def test_search_is_that_of_python(client, catalog):
    found = get(client, "search", q="put the kettle on", count=5)
    expected = search(catalog, "put the kettle on", 5, encoders={})
    # The same line is said in several shots, of which none comes first by right.
    for way in (lambda h: h["because"], lambda h: h["cue"]):
        assert [way(h) for h in found["hits"]] == [way(asdict(hit)) for hit in expected.found]
    assert found["hits"][0]["cue"] == "Put the kettle on."
    assert found["hits"][0]["because"].keys() == {"words"}
    within = get(client, "search", q="kettle", title="title-001", after=10_000_000)
    assert {hit["title_id"] for hit in within["hits"]} == {"title-001"}
    assert all(hit["span"]["start"] >= 10_000_000 for hit in within["hits"])


def test_ways_to_search_are_those_that_read_sentences(client, settings, tmp_path, monkeypatch):
    assert get(client, "search/ways") == {"ways": ["words"], "notes": []}  # nobody's encoders
    infos = {m: open_encoder(m, next(iter(EMBEDDED[m]))).info for m in ("video", "audio", "text")}
    monkeypatch.setattr(synthetic, "encoders", lambda: encoder_records(infos))
    monkeypatch.setattr(synthetic, "WIDTHS", {m: info.dim for m, info in infos.items()})
    synthetic.make_catalog(tmp_path / "real", [12], versions=())
    own = dataclasses.replace(settings, catalog=str(tmp_path / "real"))
    with TestClient(create_app(own), base_url=ORIGIN) as other:
        assert get(other, "search/ways") == {"ways": ["words", "text"], "notes": []}
        wrong = get(other, "search", 400, q="lamp", by="video")
        assert "reads no sentences" in wrong["error"]


@pytest.mark.parametrize("features", ["context", "fused", "audio"])
def test_alike_is_that_of_python(client, catalog, features):
    shot, hits = similar(catalog, T, 30_000_000, 6, features=features)
    found = get(client, "similar", title_id=T, time=30_000_000, features=features, count=6)
    assert found["query"]["shot"] == shot.index
    assert [(h["title_id"], h["shot"]) for h in found["hits"]] == [
        (hit.title_id, hit.shot) for hit in hits
    ]
    assert found["hits"][0]["score"] == pytest.approx(hits[0].score, abs=1e-5)
    assert found["hits"][0]["title"] == catalog.title(hits[0].title_id).title


def test_clips_and_titles_are_compared_too(client, catalog):
    span = Span(10_000_000, 22_000_000)
    found = get(client, "similar", title_id=T, start=span.start, end=span.end, elsewhere=True)
    hits = similar_clips(catalog, T, span, 12, elsewhere=True)
    assert [h["span"] for h in found["hits"]] == [asdict(hit.span) for hit in hits]
    alike = get(client, f"titles/{T}/similar", count=3)
    assert [h["title_id"] for h in alike["hits"]] == [
        hit.title_id for hit in similar_titles(catalog, T, 3)
    ]
    older = get(client, "similar", title_id=T, time=0, version="older")["hits"]
    newer = get(client, "similar", title_id=T, time=0)["hits"]
    assert [(h["title_id"], h["shot"]) for h in older] != [
        (h["title_id"], h["shot"]) for h in newer
    ]


def test_a_title_tells_its_story(client, library):
    catalog = Catalog.open(library.catalog)
    probes = FittedProbes(catalog, library.probes)
    scenes = get(client, f"titles/{T}/scenes")
    assert scenes["scenes"] == [asdict(s) for s in find_scenes(catalog, T, probes).scenes]
    arc = get(client, f"titles/{T}/arc")
    expected = find_arc(catalog, T, probes=probes)
    assert arc["by"] == ["clip-tone"]
    assert [curve["name"] for curve in arc["curves"]] == [c.name for c in expected.curves]
    assert len(arc["times"]) == len(arc["curves"][0]["values"])
    tags = get(client, f"titles/{T}/tags")
    assert [one["tags"] for one in tags["found"]] == [
        list(one.tags) for one in suggest_tags(catalog, T, probes=probes).found
    ]
    clips = get(client, f"titles/{T}/suggestions/clips", count=3)
    assert [one["span"] for one in clips["found"]] == [
        asdict(one.span) for one in suggest_clips(catalog, T, 3, probes=probes).found
    ]
    artwork = get(client, f"titles/{T}/suggestions/artwork", count=2)
    assert all(one["shot"] is not None for one in artwork["found"])
    breaks = get(client, f"titles/{T}/suggestions/ad-breaks", spacing=30_000_000)
    assert all(one["span"]["start"] == one["span"]["end"] for one in breaks["found"])
    assert get(client, f"titles/{T}/cold-start")["nearest"]


@pytest.mark.parametrize(("features", "cells"), [("context", 400), ("context", 10), ("video", 7)])
def test_self_similarity_is_that_of_the_vectors(client, catalog, features, cells):
    import base64

    found = get(client, f"titles/{T}/similarity", features=features, cells=cells)
    count = found["cells"]
    assert count <= cells
    assert found["edges"][0] == 0
    assert found["edges"][-1] == 60
    levels = np.frombuffer(base64.b64decode(found["values"]), np.uint8).reshape(count, count)
    assert (levels == levels.T).all()
    if count == 60:
        exact = cosines(catalog.embeddings(None, T))
        shown = found["low"] + levels / 255 * (found["high"] - found["low"])
        between = (exact > found["low"]) & (exact < found["high"])
        assert np.abs(shown - exact)[between].max() < (found["high"] - found["low"]) / 255 + 1e-5


def test_versions_are_shown_and_switched(tmp_path, settings):
    """On a catalog of its own: readers of all others would see it."""
    synthetic.make_catalog(tmp_path / "catalog", [12, 12], versions=("older", "newer"))
    own = dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))
    with TestClient(create_app(own), base_url=ORIGIN) as client:
        versions = get(client, "versions")
        assert versions["current"] == "newer"
        assert [row["name"] for row in versions["versions"]] == ["older", "newer"]
        assert client.post("/api/versions/none/promote").status_code == 404
        switched = client.post("/api/versions/older/promote").json()
        assert switched == {"current": "older", "before": "newer"}
        assert get(client, "catalog")["version"] == "older"  # at once
        assert get(client, "versions")["before"] == "newer"
        assert client.post("/api/versions/rollback").json()["current"] == "newer"
        assert Catalog.open(own.catalog).version().name == "newer"


def test_a_catalog_that_grows_is_seen(tmp_path, settings, monkeypatch):
    from mediafm.serve import create_app, library

    monkeypatch.setattr(library, "_FRESH", 0.0)
    catalog = synthetic.make_catalog(tmp_path / "catalog", [12])
    own = dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))
    with TestClient(create_app(own), base_url=ORIGIN) as client:
        assert get(client, "titles")["total"] == 1
        made = synthetic.plan("new", 9, 5)
        synthetic.add_title(catalog, made, synthetic.about(5, made))
        assert get(client, "titles")["total"] == 2
        assert get(client, "titles/new")["embedded"] is False
        # Without embeddings there is still much to see, and the rest says why not.
        assert len(get(client, "titles/new/timeline")["start"]) == 9
        assert "has no embeddings" in get(client, "titles/new/scenes", 400)["error"]
        catalog.remove("new")
        assert get(client, "titles/new", 404)["error"]


def test_a_title_that_is_erased_under_a_question(tmp_path, settings, monkeypatch):
    """Asked again, it is not there: the server has looked anew."""
    from mediafm.serve import app, library

    monkeypatch.setattr(library, "_FRESH", 1e9)
    monkeypatch.setattr(app, "_JUST", 0.0)
    catalog = synthetic.make_catalog(tmp_path / "catalog", [12] * 5)
    own = dataclasses.replace(settings, catalog=str(tmp_path / "catalog"))
    with TestClient(create_app(own), base_url=ORIGIN) as client:
        for path, params in (
            ("similar", {"title_id": "title-001", "time": 1_000_000}),
            ("similar", {"title_id": "title-002", "time": 1_000_000, "features": "fused"}),
            ("titles/title-003/scenes", {}),
            ("titles/title-004/similarity", {}),
        ):
            title_id = params.get("title_id") or path.split("/")[1]
            catalog.erase(title_id)
            answer = client.get(f"/api/{path}", params=params)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "0"
            assert answer.json()["error"] == "the catalog has just changed: ask again"
            assert "title" in get(client, path, 404, **params)["error"]
        assert get(client, "similar", title_id="title-000", time=1_000_000)["hits"]


def test_the_description_is_whole(client):
    described = client.get("/api/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, about in methods.items():
            assert about.get("summary"), path
            assert about.get("description"), f"{method} {path}"
            assert about.get("tags"), path
    pages = [client.get(page) for page in ("/", "/search", "/titles/a%2Fb", "/map", "/versions")]
    assert {page.status_code for page in pages} == {200}
    assert all(re.search(r'src="/assets/v-\w+/js/main.js"', page.text) for page in pages)


def test_a_page_names_all_modules_of_its_view(client):
    """A browser that found them one behind the other would wait for each."""
    for path, view in (("/", "catalog"), ("/titles/a", "title"), ("/map", "map")):
        text = client.get(path).text
        named = set(re.findall(r'modulepreload" href="(/assets/[^"]+)"', text))
        assert any(name.endswith(f"/js/views/{view}.js") for name in named)
        for name in named:
            source = client.get(name).text
            for there in re.findall(r"""^import [^"']*["'](\.[^"']+)["']""", source, re.M):
                parts = f"{name.rpartition('/')[0]}/{there}".split("/")
                while ".." in parts:
                    at = parts.index("..")
                    parts[at - 1 : at + 1] = []
                assert "/".join(part for part in parts if part != ".") in named


def test_people_get_a_page_where_nothing_is_and_programs_a_line(client):
    answer = client.get("/titels/x", headers={"accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "js/main.js" in answer.text
    for path, accept in (("/titels/x", "*/*"), ("/api/none", "text/html")):
        answer = client.get(path, headers={"accept": accept})
        assert answer.status_code == 404
        assert "there is nothing here" in answer.json()["error"]


def test_files_of_the_page_are_asked_for_once_per_edition(client, tmp_path):
    page = client.get("/").text
    sheets = re.findall(r'rel="stylesheet" href="([^"]+)"', page)
    assert len(sheets) == 1
    styles = client.get(sheets[0])
    assert styles.headers["cache-control"].endswith("immutable")
    assert styles.headers["content-type"].startswith("text/css")
    for name in ("base", "title", "api-docs"):
        assert client.get(f"/assets/css/{name}.css").text in styles.text
    other = re.sub("v-[0-9a-f]+", "v-0", sheets[0])
    assert client.get(other).headers["cache-control"] == "no-cache"
    assert client.get("/assets/js/main.js").headers["cache-control"] == "no-cache"
    assert client.get(other.replace("all.css", "none.css")).status_code == 404
    folder = tmp_path / "static"
    shutil.copytree(STATIC, folder)
    assets = Assets(folder)
    before = assets.edition
    assert assets.page("/").count(before) > 10
    (folder / "js/main.js").write_text("// new")
    assert before not in assets.page("/")
