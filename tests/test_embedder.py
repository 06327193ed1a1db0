"""Models that judge how well captions fit: one of tuwen's own, and a CLIP with random weights in a folder."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import eight

from tuwen.embedder import Own, open_embedder
from tuwen.errors import CannotError, ConfigError
from tuwen.metric import clipscore

IMAGES = [sample.fields["image"] for sample in eight.samples()]


def test_a_model_of_ours_knows_which_captions_fit():
    """Right ones against those of the next picture."""
    embedder = open_embedder(str(eight.directory()))
    right = [sample.fields["text"][0] for sample in eight.samples()]
    scores = {}
    for name, said in (("right", right), ("wrong", right[1:] + right[:1])):
        metric = clipscore.Config().build()
        metric.embedder = embedder
        metric.update(said, [[one] for one in right], IMAGES)
        scores[name] = metric.result()
    assert scores["right"]["clipscore"] > scores["wrong"]["clipscore"] + 0.5
    assert scores["right"]["ref_clipscore"] > scores["wrong"]["ref_clipscore"] + 0.2


def test_a_model_of_ours_that_does_not_match():
    with pytest.raises(CannotError, match="was not trained to say how well texts fit pictures; it can: caption"):
        open_embedder(str(eight.directory(match=False)))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    transformers = pytest.importorskip("transformers", reason="the extra 'pretrained' is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = str(tmp_path_factory.mktemp("clip"))
    words = [
        "<s>",
        "</s>",
        "<unk>",
        "a",
        "photo",
        "depicts",
        *(w for s in eight.samples() for w in s.fields["text"][0].split()),
    ]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(dict.fromkeys(words))}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>", unk_token="<unk>",
        model_max_length=12,
    )  # fmt: skip
    fast.save_pretrained(folder)
    each = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**each, "vocab_size": 40, "max_position_embeddings": 12, "eos_token_id": 1, "bos_token_id": 0}
    vision = {**each, "image_size": 16, "patch_size": 8}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    transformers.CLIPModel(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": 20}, "do_center_crop": True, "crop_size": 16}
    with open(f"{folder}/preprocessor_config.json", "w") as file:
        json.dump({**size, "image_mean": [0.4] * 3, "image_std": [0.3] * 3}, file)
    return folder


def test_a_clip_is_asked_as_transformers_asks_it(clip):
    from transformers import AutoTokenizer, CLIPModel

    embedder, model, tokenizer = (
        open_embedder(clip),
        CLIPModel.from_pretrained(clip).eval(),
        AutoTokenizer.from_pretrained(clip),
    )
    texts = ["a red picture", "this is a very blue picture , and that is all", "blue"]
    for text, vector in zip(texts, embedder.texts(texts), strict=True):
        tokens = tokenizer([f"A photo depicts {text}"], truncation=True, max_length=12, return_tensors="pt")
        with torch.no_grad():
            made = model.get_text_features(**tokens)
        wanted = made if isinstance(made, torch.Tensor) else made.pooler_output
        assert vector == pytest.approx(wanted[0].numpy(), abs=1e-5)
    plain = (
        torch.tensor(IMAGES[0][:16, :16]).permute(2, 0, 1)[None] / 255 - 0.4
    ) / 0.3  # one colour: any crop is the same
    with torch.no_grad():
        made = model.get_image_features(pixel_values=plain)
    wanted = made if isinstance(made, torch.Tensor) else made.pooler_output
    assert embedder.images(IMAGES)[0] == pytest.approx(wanted[0].numpy(), abs=1e-3)
    assert embedder.images(IMAGES).shape == (8, 8) and len({tuple(v) for v in embedder.images(IMAGES)}) == 8


def test_many_at_once_are_those_of_one(clip):
    embedder = open_embedder(clip)
    texts = [f"a {'red ' * (i % 5)}picture" for i in range(70)]
    found = embedder.texts(texts)
    assert np.allclose(found, np.concatenate([embedder.texts([text]) for text in texts]), atol=1e-5)


def test_what_cannot_be_asked_is_named(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra 'pretrained' is not installed")
    with pytest.raises(
        ConfigError, match="metric.clipscore: there is no folder '/no/such'; give a folder with config.json"
    ):
        open_embedder("/no/such")
    with pytest.raises(ConfigError, match="metric.clipscore: .* is a folder without config.json"):
        open_embedder(str(tmp_path))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    transformers.ViTModel(transformers.ViTConfig(**sizes, image_size=16, patch_size=8)).save_pretrained(
        tmp_path / "vit"
    )
    with pytest.raises(
        ConfigError, match="is a vit model, which does not compare pictures with texts; take one that does"
    ):
        open_embedder(str(tmp_path / "vit"))


@pytest.mark.parametrize("source", ["ours", "clip"])
def test_drawn_pictures_are_seen_as_files_are_and_give_the_pixels_a_gradient(clip, source):
    """At the size that the model resizes to, nothing is left to differ."""
    embedder = open_embedder(clip if source == "clip" else str(eight.directory()))
    side = 20 if source == "clip" else 16
    noise = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    pixels = (torch.tensor(noise).permute(0, 3, 1, 2).float() / 255).requires_grad_()
    found = embedder.drawn(pixels)
    wanted = torch.tensor(embedder.images(list(noise)))
    cosine = torch.nn.functional.cosine_similarity(found, wanted)
    torch.testing.assert_close(cosine, torch.ones(3), atol=1e-4, rtol=0)
    found.sum().backward()
    assert pixels.grad.any()


def test_a_frozen_pretrained_tower_lets_gradients_through():
    from tuwen.encode import image_pretrained
    from tuwen.model import CrossModal

    recipe = eight.recipe(captions=False)
    recipe = replace(recipe, encode={**recipe.encode, "image": image_pretrained.Config.tiny()})
    embedder = Own(CrossModal.create(recipe, eight.samples()).eval())
    noise = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    wanted = torch.tensor(embedder.images(list(noise)))
    pixels = (torch.tensor(noise).permute(0, 3, 1, 2).float() / 255).requires_grad_()
    found = embedder.drawn(pixels)
    torch.testing.assert_close(torch.nn.functional.normalize(found, dim=1), wanted, atol=1e-4, rtol=0)
    found.sum().backward()
    assert pixels.grad.any()
