"""Picture encoders from checkpoints, each against transformers' plain recipe for one shot alone."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import tiny  # noqa: E402
from picture_kit import MAKERS, SEARCHABLE, opened, picture, shot  # noqa: E402
from PIL import Image  # noqa: E402

from mediafm.encoders.base import QueryEncoder  # noqa: E402
from mediafm.encoders.hf.checkpoint import quiet  # noqa: E402
from mediafm.encoders.hf.pictures import BATCH, spread  # noqa: E402
from mediafm.errors import EncoderError  # noqa: E402


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: make(root / name) for name, make in MAKERS.items()}


@pytest.fixture(scope="session")
def encoders(folders):
    return {name: opened(folder).load(("cpu",)) for name, folder in folders.items()}


# The recipes, as their documentation has them: one picture or one shot at a time.


def reference(folder, pictures):
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    with quiet(), torch.no_grad():
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
        images = [Image.fromarray(p) for p in pictures]
        if kind in ("xclip", "videomae"):
            count = len(images)
            images = [images[int((i + 0.5) * count / 4)] for i in range(4)]
            inputs = processor(images, return_tensors="pt")
            if kind == "xclip":
                model = transformers.XCLIPModel.from_pretrained(folder)
                return model.eval().get_video_features(**inputs).pooler_output[0].numpy()
            model = transformers.VideoMAEModel.from_pretrained(folder)
            return model.eval()(**inputs).last_hidden_state[0].mean(0).numpy()
        model = transformers.AutoModel
        if kind == "clip_vision_model":
            model = transformers.CLIPVisionModelWithProjection
        model, rows = model.from_pretrained(folder).eval(), []
        for image in images:
            inputs = processor(image, return_tensors="pt")
            if kind == "clip_vision_model":
                row = model(**inputs).image_embeds[0]
            elif kind == "siglip_vision_model":
                row = model(**inputs).pooler_output[0]
            else:
                row = model.get_image_features(**inputs).pooler_output[0]
            rows.append(row / row.norm())
        return torch.stack(rows).mean(0).numpy()


@pytest.mark.parametrize("name", MAKERS)
def test_a_shot_is_as_the_plain_recipe_has_it(name, folders, encoders):
    shots = [shot(0), shot(1, 2, 9), shot(*range(8)), shot(4), shot(5, 6, 7, 3), shot(8)]
    x_ND = encoders[name].encode(shots)
    assert x_ND.dtype == np.float32
    assert x_ND.shape == (6, encoders[name].info.dim)
    for pictures, x_D in zip(shots, x_ND, strict=True):
        np.testing.assert_allclose(x_D, reference(folders[name], pictures), atol=1e-5)
    # Vectors that hardly differ would prove nothing.
    unit_ND = x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)
    assert np.sort(unit_ND @ unit_ND.T, axis=1)[:, -2].min() < 0.95


@pytest.mark.parametrize("name", MAKERS)
def test_many_shots_fill_several_batches(name, encoders):
    shots = [shot(*range(i, i + 1 + i % 5)) for i in range(20)]
    assert sum(map(len, shots)) > BATCH
    alone = np.concatenate([encoders[name].encode([one]) for one in shots])
    np.testing.assert_allclose(encoders[name].encode(shots), alone, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "siglip2", "xclip"])
@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=9), min_size=1, max_size=9))
def test_the_company_does_not_matter(name, encoders, seeds):
    shots = [shot(*one) for one in seeds]
    x_ND = encoders[name].encode(shots)
    i = len(shots) // 2
    np.testing.assert_allclose(x_ND[i], encoders[name].encode([shots[i]])[0], atol=1e-5)


@pytest.mark.parametrize("name", MAKERS)
def test_no_shots_give_no_vectors(name, encoders):
    assert encoders[name].encode([]).shape == (0, encoders[name].info.dim)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("size", [(1, 1000), (1000, 1), (3, 3), (1, 3), (3, 1), (1, 1)])
def test_thin_pictures_pass(name, size, encoders):
    x_ND = encoders[name].encode([[np.full((*size, 3), 200, np.uint8)]])
    assert np.isfinite(x_ND).all()


def test_pictures_that_are_views_of_others_pass(encoders):
    whole = picture(8)
    view = whole[::2, ::-3]
    got = encoders["clip"].encode([[view]])
    np.testing.assert_array_equal(got, encoders["clip"].encode([[view.copy()]]))


def test_colours_are_not_swapped(encoders):
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    x_ND = encoders["clip"].encode([[red], [red[..., ::-1]]])
    assert np.abs(x_ND[0] - x_ND[1]).max() > 0.01


def test_the_order_of_pictures_matters_to_video_networks_only(encoders):
    there, back = shot(0, 2, 5, 8), shot(8, 5, 2, 0)
    for name, matters in (("clip", False), ("xclip", True), ("videomae", True)):
        x_ND = encoders[name].encode([there, back])
        assert (np.abs(x_ND[0] - x_ND[1]).max() > 1e-4) == matters


def test_few_pictures_are_spread_evenly():
    assert spread(1, 4) == [0, 0, 0, 0]
    assert spread(2, 4) == [0, 0, 1, 1]
    assert spread(3, 4) == [0, 1, 1, 2]
    assert spread(4, 4) == [0, 1, 2, 3]
    assert spread(8, 4) == [1, 3, 5, 7]


# Smallest cosine to float32 that was measured over 20 shots each: 0.99996 in bfloat16, 0.9999993 in
# float16. Real networks are deeper: they lose more.
@pytest.mark.parametrize(("dtype", "least"), [("bfloat16", 0.9999), ("float16", 0.99999)])
@pytest.mark.parametrize("name", MAKERS)
def test_half_precision_stays_close(name, dtype, least, folders, encoders):
    half = opened(folders[name], f"?dtype={dtype}")
    assert half.info.fingerprint != encoders[name].info.fingerprint
    shots = [shot(0), shot(1, 2, 9), shot(8, 3)]
    x_ND, y_ND = half.load(("cpu",)).encode(shots), encoders[name].encode(shots)
    assert x_ND.dtype == np.float32
    cosines = (x_ND * y_ND).sum(1) / np.linalg.norm(x_ND, axis=1) / np.linalg.norm(y_ND, axis=1)
    assert cosines.min() > least


@pytest.mark.parametrize("name", ["clip", "videomae"])
def test_two_replicas_give_the_same(name, folders, encoders):
    two = opened(folders[name]).load(("cpu", "cpu"))
    shots = [shot(*range(i, i + 5)) for i in range(20)]
    np.testing.assert_allclose(two.encode(shots), encoders[name].encode(shots), atol=1e-6)


@pytest.mark.parametrize("name", SEARCHABLE)
def test_sentences_are_as_the_plain_recipe_has_them(name, folders, encoders):
    encoder, folder = encoders[name], folders[name]
    assert isinstance(encoder, QueryEncoder)
    texts = ["a man runs down the street", "dog", "Two women TALK in a kitchen", "rain falls"]
    q_ND = encoder.encode_queries(texts)
    np.testing.assert_allclose(np.linalg.norm(q_ND, axis=1), 1, atol=1e-5)
    with quiet(), torch.no_grad():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModel.from_pretrained(folder).eval()
        for text, q_D in zip(texts, q_ND, strict=True):
            if name.startswith("siglip"):
                tokens = tokenizer([text.lower()], padding="max_length", max_length=64)
                inputs = {"input_ids": torch.tensor(tokens["input_ids"])}
                assert inputs["input_ids"].shape == (1, 64)
            else:
                inputs = tokenizer([text], return_tensors="pt")
            row = model.get_text_features(**inputs).pooler_output[0]
            np.testing.assert_allclose(q_D, (row / row.norm()).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", SEARCHABLE)
def test_scores_are_those_of_the_whole_network(name, folders, encoders):
    """One picture and two sentences through transformers' own forward pass."""
    pictures, texts = shot(8), ["a man runs", "the dog barks"]
    x_D = encoders[name].encode([pictures])[0]
    scores = encoders[name].encode_queries(texts) @ (x_D / np.linalg.norm(x_D))
    if name == "xclip":  # its forward pass adapts the sentences to the video
        assert np.abs(scores).max() <= 1
        return
    folder = folders[name]
    with quiet(), torch.no_grad():
        model = transformers.AutoModel.from_pretrained(folder).eval()
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        full = name.startswith("siglip")
        tokens = tokenizer(
            texts, padding="max_length" if full else True, max_length=64 if full else None,
            return_tensors="pt",
        )  # fmt: skip
        inputs = {"input_ids": tokens["input_ids"]}
        if not full:
            inputs["attention_mask"] = tokens["attention_mask"]
        images = processor(Image.fromarray(pictures[0]), return_tensors="pt")
        logits = model(**inputs, **images).logits_per_image[0]
        expected = (logits - getattr(model, "logit_bias", 0)) / model.logit_scale.exp()
    np.testing.assert_allclose(scores, expected.numpy(), atol=1e-5)


def test_long_and_empty_sentences_pass(encoders):
    for name in SEARCHABLE:
        texts = ["the dog barks " * 100, "", "x"]
        assert np.isfinite(encoders[name].encode_queries(texts)).all()
        assert encoders[name].encode_queries([]).shape == (0, encoders[name].info.dim)


def test_without_a_text_tower_nothing_is_looked_for(encoders):
    for name, encoder in encoders.items():
        assert isinstance(encoder, QueryEncoder) == (name in SEARCHABLE)


def test_a_missing_tokenizer_stops_queries_only(tmp_path):
    folder = tiny.make_clip(tmp_path / "clip")
    (folder / "tokenizer.json").unlink()
    encoder = opened(folder).load(("cpu",))
    assert encoder.encode([shot(0)]).shape == (1, 24)
    with pytest.raises(EncoderError, match="has no tokenizer"):
        encoder.encode_queries(["a dog"])
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(EncoderError, match="the tokenizer cannot be loaded"):
        encoder.encode_queries(["a dog"])


def test_what_it_wants(encoders):
    wants = {name: (e.size, e.frames) for name, e in encoders.items()}
    still = dict.fromkeys(("clip", "clip_vision", "siglip", "siglip_vision", "siglip2"), (32, None))
    assert wants == {**still, "xclip": (32, 4), "videomae": (32, 4)}


def test_the_tower_alone_gives_the_same_as_the_whole(encoders):
    for name in ("clip", "siglip"):
        shots = [shot(0, 1), shot(8)]
        x_ND, y_ND = (encoders[n].encode(shots) for n in (name, f"{name}_vision"))
        np.testing.assert_allclose(x_ND, y_ND, atol=1e-6)


def test_loading_and_running_say_nothing(folders, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for folder in folders.values():
            encoder = opened(folder).load(("cpu",))
            encoder.encode([shot(0, 5)])
            if isinstance(encoder, QueryEncoder):
                encoder.encode_queries(["a dog"])
    assert capfd.readouterr() == ("", "")
