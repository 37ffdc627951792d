"""What is known of a picture encoder by the files of its checkpoint, and which are refused."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import picture_kit as kit  # noqa: E402
import tiny  # noqa: E402
from picture_kit import shot  # noqa: E402

from mediafm.encoders.hf.checkpoint import quiet  # noqa: E402
from mediafm.errors import EncoderError, MissingExtraError  # noqa: E402

# Identity


def test_info_says_what_decides_the_vectors(folder, tmp_path):
    info = kit.opened(folder("clip")).info
    assert (info.modality, info.dim, info.identity) == ("video", 24, "hf")
    assert info.name == f"hf:{folder('clip')}"
    assert set(info.settings) == {"weights", "recipe", "dtype", "frames", "pooling"}
    assert kit.opened(folder("clip"), "?dtype=float32").info.fingerprint == info.fingerprint
    # The same files elsewhere give the same vectors; other weights or another preparation do not.
    again = tiny.make_clip(tmp_path / "again")
    assert kit.opened(again).info.fingerprint == info.fingerprint
    recipe = json.loads((again / "preprocessor_config.json").read_text())
    (again / "preprocessor_config.json").write_text(json.dumps({**recipe, "resample": 2}))
    assert kit.opened(again).info.fingerprint != info.fingerprint
    (again / "preprocessor_config.json").write_text(
        (folder("clip") / "preprocessor_config.json").read_text()
    )
    assert kit.opened(again).info.fingerprint == info.fingerprint
    with quiet():
        model = tiny.excite(transformers.CLIPModel.from_pretrained(again), seed=1)
    tiny.save(model, again)
    assert kit.opened(again).info.fingerprint != info.fingerprint


def test_the_width_that_a_short_configuration_leaves_to_defaults(tmp_path):
    """Configurations on the hub name only what differs from transformers' defaults."""
    defaults = {
        "clip": transformers.CLIPConfig().projection_dim,
        "siglip": transformers.SiglipConfig().vision_config.hidden_size,
        "siglip2": transformers.Siglip2Config().vision_config.hidden_size,
        "xclip": transformers.XCLIPConfig().projection_dim,
        "videomae": transformers.VideoMAEConfig().hidden_size,
    }
    frames = {
        "xclip": transformers.XCLIPConfig().vision_config.num_frames,
        "videomae": transformers.VideoMAEConfig().num_frames,
    }
    for kind, dim in defaults.items():
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_type": kind}))
        (folder / "preprocessor_config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"not read")
        source = kit.opened(folder)
        assert (source.info.dim, source.frames) == (dim, frames.get(kind))


def test_a_processor_saved_whole_works(tmp_path, load):
    folder = tiny.make_clip(tmp_path / "clip")
    with quiet():
        transformers.CLIPProcessor(
            transformers.AutoImageProcessor.from_pretrained(folder, backend="pil"),
            transformers.AutoTokenizer.from_pretrained(folder),
        ).save_pretrained(tmp_path / "whole")
    (folder / "preprocessor_config.json").unlink()
    whole = (tmp_path / "whole" / "processor_config.json").read_text()
    (folder / "processor_config.json").write_text(whole)
    x_ND = kit.opened(folder).load(("cpu",)).encode([shot(0, 1)])
    np.testing.assert_allclose(x_ND, load("clip").encode([shot(0, 1)]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("clip", "CLIP"), ("siglip", "Siglip"), ("xclip", "VideoMAE"), ("videomae", "VideoMAE")],
)
def test_the_preparation_as_older_checkpoints_write_it(name, kind, tmp_path, load):
    """``openai/clip-*`` and ``microsoft/xclip-*`` have old class names, and sizes as numbers."""
    folder = kit.MAKERS[name](tmp_path / name)
    path = folder / "preprocessor_config.json"
    recipe = json.loads(path.read_text())
    recipe.pop("image_processor_type")
    recipe["feature_extractor_type"] = f"{kind}FeatureExtractor"
    if name == "clip":
        recipe |= {"size": 32, "crop_size": 32}
    path.write_text(json.dumps(recipe))
    x_ND = kit.opened(folder).load(("cpu",)).encode([shot(0, 1)])
    np.testing.assert_allclose(x_ND, load(name).encode([shot(0, 1)]), atol=1e-6)


# Errors


def test_another_kind_of_checkpoint_is_refused(tmp_path):
    folder = tiny.make_bert(tmp_path / "bert")
    with pytest.raises(EncoderError) as caught:
        kit.opened(folder)
    assert str(caught.value) == (
        f"hf:{folder}: is a bert checkpoint, not a CLIP, SigLIP, SigLIP 2, X-CLIP or VideoMAE one; "
        "choose one of those for pictures"
    )


def test_wrong_options_are_refused(folder):
    with pytest.raises(EncoderError, match="there is no option 'dtyp' \\(did you mean 'dtype'\\?"):
        kit.opened(folder("clip"), "?dtyp=float16")
    with pytest.raises(EncoderError, match="there is no precision 'int8'"):
        kit.opened(folder("clip"), "?dtype=int8")


def test_without_preparation_it_is_refused(tmp_path):
    folder = tiny.make_clip(tmp_path / "clip")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match=r"it has no preprocessor_config\.json.*download"):
        kit.opened(folder)
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(EncoderError, match="the image processor cannot be loaded"):
        kit.opened(folder).load(("cpu",))


def test_a_tower_without_its_projection_is_refused(tmp_path):
    folder = tiny.make_clip_vision(tmp_path / "clip")
    with quiet():
        bare = transformers.CLIPVisionModel.from_pretrained(folder)
    tiny.save(bare, folder)
    with pytest.raises(EncoderError, match=r"lacks weights.*visual_projection\.weight"):
        kit.opened(folder).load(("cpu",))


def test_a_siglip_without_its_head_is_refused(tmp_path):
    folder = tiny.make_siglip(tmp_path / "siglip", vision_config={"vision_use_head": False})
    with pytest.raises(EncoderError, match="gives no vector of a picture"):
        kit.opened(folder)


def test_without_transformers_the_extra_is_named(folder, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *a: None if name == "transformers" else find(name)
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'mediafm\[hf\]'"):
        kit.opened(folder("clip"))
