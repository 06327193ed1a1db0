import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tuwen.encode import _hub
from tuwen.encode._hub import check_source, load_vision, preprocessing
from tuwen.encode.image_pretrained import Config, ImagePretrained, tiny_source
from tuwen.errors import ConfigError, MissingExtraError

transformers = pytest.importorskip("transformers", reason="the extra 'pretrained' is not installed")


def saved(folder: Path, model, **preprocessor) -> str:
    model.save_pretrained(folder)
    if preprocessor:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return str(folder)


def fitted(config: Config) -> ImagePretrained:
    part = config.build().eval()
    part.fit([])
    return part


def mobilenet():
    return transformers.MobileNetV2Model(
        transformers.MobileNetV2Config(depth_multiplier=0.1, min_depth=4, image_size=64, finegrained_output=False)
    )


def vit(**other):
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=16, patch_size=8, **other))


@pytest.fixture
def pictures():
    return Config.example(2)


def test_a_model_whose_folder_is_gone_is_restored_with_its_statistics(tmp_path, pictures):
    model = mobilenet()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    source = saved(tmp_path / "net", model, size={"height": 64, "width": 64}, image_mean=[0.4] * 3, image_std=[0.5] * 3)
    part = fitted(Config(source=source))
    expected = part(*part.prepare(pictures))
    learned = json.loads(json.dumps(part.learned()))
    shutil.rmtree(tmp_path / "net")
    other = part.config.build()
    other.restore(learned)
    other.load_state_dict(part.state_dict())
    found = other.eval()(*other.prepare(pictures))
    torch.testing.assert_close(found.tokens, expected.tokens, atol=0, rtol=0)
    assert str(tmp_path) not in json.dumps(learned)


def test_a_convolutional_model_keeps_its_grid(tmp_path, pictures):
    part = fitted(Config(source=saved(tmp_path, mobilenet(), size={"height": 64, "width": 64})))
    latent = part(*part.prepare(pictures))
    assert latent.grid == (2, 2) and latent.tokens.shape == (2, 4, part.widths.tokens)
    torch.testing.assert_close(latent.pooled, latent.tokens.mean(1))


def test_it_gives_what_transformers_gives(tmp_path, pictures):
    model = vit().eval()
    source = saved(tmp_path, model, size={"height": 16, "width": 16}, image_mean=[0.1, 0.2, 0.3], image_std=[0.4] * 3)
    part = fitted(Config(source=source, pool="class"))
    data, _ = part.prepare(pictures)
    pixels = (data / 255 - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / 0.4
    with torch.no_grad():
        expected = model(pixel_values=pixels).last_hidden_state
    latent = part(data)
    torch.testing.assert_close(latent.tokens, expected[:, 1:], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(latent.pooled, expected[:, 0], atol=1e-5, rtol=1e-4)
    assert latent.grid == (2, 2)


def test_the_picture_half_of_clip_is_taken(tmp_path, pictures):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.CLIPConfig(
        text_config={**sizes, "vocab_size": 30}, vision_config={**sizes, "image_size": 16, "patch_size": 8}
    )
    clip = transformers.CLIPModel(config).eval()
    part = fitted(Config(source=saved(tmp_path, clip, size={"shortest_edge": 16}, crop_size=16, do_center_crop=True)))
    data, _ = part.prepare(pictures)
    latent = part(data)
    assert latent.grid == (2, 2) and part.prefix == 1
    patch = clip.vision_model.embeddings.patch_embedding.weight
    assert any(torch.equal(patch, p) for p in part.parameters()), "the weights are those of the folder"


def test_trained_on_a_pooler_is_left_out_and_statistics_stay(tmp_path):
    part = fitted(Config(source=tiny_source(), frozen=False))
    frozen = [name for name, p in part.named_parameters() if not p.requires_grad]
    assert frozen == ["model.pooler.dense.weight", "model.pooler.dense.bias"]
    net = fitted(Config(source=saved(tmp_path, mobilenet()), frozen=False, size=64)).train()
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert net.training and norms and not any(m.training for m in norms)


def test_a_frozen_model_stays_in_eval_mode():
    part = fitted(Config.tiny())
    outer = torch.nn.ModuleDict({"image": part}).train()
    assert outer.training and not part.training and not part.model.training
    assert part.pretrained and part.frozen


def test_another_size_stretches_the_positions(pictures):
    part = fitted(replace(Config.tiny(), size=32))
    assert part(*part.prepare(pictures)).grid == (4, 4)


def test_an_earlier_layer_is_another_state(pictures):
    last, earlier = fitted(Config.tiny()), fitted(replace(Config.tiny(), layer=-2))
    data, _ = last.prepare(pictures)
    assert not torch.allclose(last(data).tokens, earlier(data).tokens, atol=1e-4)


def test_the_crop_is_the_middle_of_the_resized_picture(tmp_path):
    source = saved(
        tmp_path, vit(), size={"shortest_edge": 32}, crop_size={"height": 16, "width": 16}, do_center_crop=True
    )
    part = fitted(Config(source=source))
    picture = np.zeros((32, 64, 3), dtype=np.uint8)
    picture[8:24, 24:40] = 200
    data, _ = part.prepare([picture])
    assert data.shape == (1, 3, 16, 16) and (data == 200).all()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"size": {"height": 224, "width": 224}}, (224, 224, "squash")),
        ({"size": 224}, (224, 224, "squash")),
        (
            {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True},
            (224, 256, "crop"),
        ),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, 256, "crop")),
        ({"size": {"shortest_edge": 384}, "crop_pct": 0.875}, (384, 384, "squash")),
        ({}, (224, 224, "squash")),
    ],
)
def test_preprocessing_files_of_all_ages_are_read(raw, expected):
    found = preprocessing(raw, None)
    assert (found["side"], found["resize"], found["fit"]) == expected
    assert found["mean"] == [0.485, 0.456, 0.406]


def test_no_source_is_said():
    with pytest.raises(
        ConfigError,
        match=r"does not say which model; give a folder or a name .* encode\.image\.source=facebook/dinov2-small",
    ):
        fitted(Config())


@pytest.mark.parametrize("source", ["/no/such/model", "./model", "a/b/c"])
def test_a_missing_folder_is_said_without_asking_the_hub(source):
    with pytest.raises(
        ConfigError, match=rf"there is no folder '{source}'; give a folder with config\.json and the weights"
    ):
        check_source(source)


def test_a_folder_without_a_model_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"is a folder without config\.json; `model\.save_pretrained\(folder\)`"):
        check_source(str(tmp_path))


def test_an_unreachable_hub_is_said(monkeypatch):
    def offline(*_, **__):
        raise OSError("We couldn't connect to 'https://huggingface.co'.\nMore lines.")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", offline)
    with pytest.raises(
        ConfigError, match=r"'nobody/nothing' cannot be loaded .*couldn't connect .* while you are online\.$"
    ):
        load_vision("nobody/nothing")


def test_a_text_model_is_refused(tmp_path):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    source = saved(tmp_path, transformers.BertModel(transformers.BertConfig(**sizes, vocab_size=30)))
    with pytest.raises(ConfigError, match=r"is a bert model, which reads no pictures; take a vision model"):
        load_vision(source)


def test_weights_that_lack_tensors_are_refused(tmp_path):
    source = saved(tmp_path, vit())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(ConfigError, match=r"lack 16 tensors of a vit model, such as .*give a complete model"):
        load_vision(source)


def test_a_size_or_layer_that_the_model_does_not_take_is_said():
    with pytest.raises(
        ConfigError, match=r"a vit model does not take size=16 and layer=-9: .* It was made for size=16"
    ):
        fitted(replace(Config.tiny(), layer=-9))


def test_a_model_without_a_class_token_has_none_to_pool(tmp_path):
    source = saved(tmp_path, mobilenet(), size={"height": 64, "width": 64})
    with pytest.raises(ConfigError, match=r"no class token to pool; set encode\.image\.pool=mean"):
        fitted(Config(source=source, pool="class"))


def test_a_torchvision_that_does_not_fit_torch_names_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def broken(*_, **__):
        raise ModuleNotFoundError("Could not import module 'ViTModel'.")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", broken)
    with pytest.raises(
        ConfigError, match=r"torchvision does not fit .*nms does not exist.*pip uninstall torchvision torchaudio"
    ):
        load_vision(tiny_source())


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(_hub.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"needs the extra 'pretrained': pip install 'tuwen\[pretrained\]'"):
        load_vision("any/model")


@pytest.mark.real
def test_a_real_mobilenet_gives_49_tokens():
    weights = Path(os.environ.get("TUWEN_DATA", "")) / "weights" / "mobilenet_v2_hf"
    if "TUWEN_DATA" not in os.environ or not weights.is_dir():
        pytest.skip("TUWEN_DATA names no folder with weights/mobilenet_v2_hf")
    part = fitted(Config(source=str(weights)))
    data, _ = part.prepare(Config.example(3))
    latent = part(data)
    assert latent.tokens.shape == (3, 49, 1280) and latent.grid == (7, 7)
