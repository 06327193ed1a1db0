"""Recipes so small that a run of forty steps takes about a second, and the drawn world as rows."""

from pathlib import Path

from tuwen._tensors import read_tensors
from tuwen.data import scenes
from tuwen.train.checkpoint import newest_state

_EACH = (
    "train.threads=1", "train.precision=float32", "train.device=cpu", "train.batch=16", "train.evaluations=2",
    "encode.image.size=16", "encode.image.stem=8", "encode.image.widths=8,16", "encode.image.blocks=1,1",
    "space.image.width=16",
)  # fmt: skip
_CAPTIONS = ("decode.text.width=16", "decode.text.max_tokens=16", "decode.text.vocabulary=300")
_ALL = (*_EACH, *_CAPTIONS)
_TRANSFORMER = ("decode.text.heads=2", "decode.text.layers=1")
_TEXTS = ("encode.text.width=16", "encode.text.max_tokens=16", "encode.text.vocabulary=300")
_PAIRS = ("space.image.heads=2", "space.image.embed=16", "space.text.embed=16", *_TEXTS)
_READER = ("encode.text.heads=2", "encode.text.layers=1")
_MATCHING = (*_PAIRS, *_READER)
_SHARED = ("space.text.width=16", "decode.image.side=16", "decode.image.widths=16,8")
_OWN_TOWER = ("encode.image=image_cnn",)  # in place of a pretrained one
_FLOW = (
    *_EACH[:4], *_TEXTS, *_READER, "fuse.words.width=16", "decode.image.side=16", "decode.image.patch=2",
    "decode.image.widths=16,32", "decode.image.layers=1",
)  # fmt: skip
_GAN = (
    *_EACH[:4], *_TEXTS, *_READER, "fuse.words.width=16", "decode.image.side=16", "decode.image.widths=16",
    "decode.image.heads=2", "decode.image.noise=8", "objective.adversarial.widths=8,16",
    "objective.adversarial.features=16", "objective.adversarial.lr=5e-3",
)  # fmt: skip
SETTINGS = {
    "cnn-transformer": (*_ALL, *_TRANSFORMER),
    "cnn-gru": _ALL,
    "show-attend-tell": (*_OWN_TOWER, *_ALL, "decode.text.embed=16", "train.lr=3e-3"),
    "coca": (*_ALL, *_TRANSFORMER, *_MATCHING),
    "dual-encoder": (*_OWN_TOWER, *_EACH, "space.image.embed=16", "space.text.embed=16"),
    "clip": (*_EACH, *_MATCHING, "space.text.width=16"),
    "siglip": (*_EACH, *_MATCHING, "space.text.width=16"),
    "flow": _FLOW,
    "flow-distilled": (*_FLOW, "objective.distillation.steps=3"),
    "latent-flow": (
        *_EACH[:-1], *_TEXTS, *_READER, "encode.image.widths=16", "encode.image.blocks=1", "space.image.width=3",
        "decode.image.side=16", "decode.image.widths=8", "decode.image.blocks=0", "fuse.words.width=16", "decode.image@latent.widths=16,32",
        "decode.image@latent.layers=1",
    ),
    "gpt-vqvae": (
        *_EACH[:-1], *_TEXTS, *_READER, "space.image.codes=32", "space.image.inner=4", "decode.image.side=16",
        "decode.image.widths=16,8", "decode.image.blocks=0", "fuse.words.width=16", "decode.image@codes.width=16",
        "decode.image@codes.heads=2", "decode.image@codes.layers=1",
    ),
    "text-gan": _GAN,
    "clip-gan": _GAN,  # and objective.clip_guidance.source
    "multimodal-autoencoder": (*_ALL, *_TRANSFORMER, *_TEXTS, *_READER, *_SHARED),
}  # fmt: skip
"""Recipe -> what `--set` takes to make it tiny; later settings win."""


def rows(count, captions=1, split="train"):
    """Scenes as a list of rows, each with its first captions."""
    drawn = [scenes.draw_one(0, "train", i).fields for i in range(count)]
    return [{"image": one["image"], "text": one["text"][:captions], "split": split} for one in drawn]


def largest_difference(one: Path, other: Path) -> float:
    """Between the weights of two model directories, and between all tensors of their newest states."""
    pairs = [(read_tensors(one / "weights.safetensors")[0], read_tensors(other / "weights.safetensors")[0])]
    pairs.append((newest_state(one).tensors, newest_state(other).tensors))
    worst = 0.0
    for first, second in pairs:
        assert first.keys() == second.keys()
        worst = max(worst, *(float((first[name].double() - second[name].double()).abs().max()) for name in first))
    return worst
