"""`text_transformer` as transformers' GPT-2 and back: the same weights under other names, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tuwen.decode.text_transformer import TextTransformer
from tuwen.errors import MissingExtraError, ShapeError
from tuwen.tokenizer import PAD

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

_BLOCK = {
    "norm_self": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "norm_cross": "ln_cross_attn",
    "cross.query": "crossattention.q_attn",
    "cross.memory_kv": "crossattention.c_attn",
    "cross.out": "crossattention.c_proj",
    "norm_mlp": "ln_2",
    "mlp.0": "mlp.c_fc",
    "mlp.2": "mlp.c_proj",
}
"""Part of a block here -> its name in GPT-2. Matrices of GPT-2's Conv1D are the transpose of ours."""


def to_gpt2(decoder: TextTransformer) -> GPT2LMHeadModel:
    """A GPT-2 with cross-attention that computes what the decoder computes, on the same device and in float32.

    Returns:
        In evaluation mode, with dropout as in the decoder; `encoder_hidden_states` takes the tokens of a latent,
        `encoder_attention_mask` its mask.
    Raises:
        ShapeError: the latent is not as wide as the decoder (GPT-2 has one width for both).
        MissingExtraError: transformers is not installed.
    """
    try:
        from transformers import GPT2Config, GPT2LMHeadModel
    except ImportError as error:
        raise MissingExtraError("a GPT-2", "pretrained") from error
    c = decoder.config
    if decoder.memory_width != c.width:
        raise ShapeError(
            f"decode.text_transformer reads a latent of width {decoder.memory_width} with layers of width {c.width}; "
            f"GPT-2 has one width for both. Set space.image.width={c.width}."
        )
    config = GPT2Config(
        vocab_size=decoder.token.num_embeddings,
        n_positions=decoder.max_tokens,
        n_embd=c.width,
        n_layer=c.layers,
        n_head=c.heads,
        activation_function="gelu_new",
        resid_pdrop=c.dropout,
        embd_pdrop=c.dropout,
        attn_pdrop=0.0,
        layer_norm_epsilon=decoder.norm.eps,
        add_cross_attention=True,
        bos_token_id=decoder.bos,
        eos_token_id=decoder.eos,
        pad_token_id=PAD,
    )
    gpt2: Any = GPT2LMHeadModel(config).eval()
    gpt2.to(decoder.token.weight.device)
    with torch.no_grad():
        for ours, theirs in _pairs(decoder, gpt2):
            theirs.copy_(ours)
    return gpt2


def from_gpt2(decoder: TextTransformer, gpt2: GPT2LMHeadModel) -> None:
    """Copies the weights of a GPT-2 of the same shape into the decoder, in place.

    Raises:
        ShapeError: the two differ in layers, width, vocabulary or positions.
    """
    if (mine := _shape(decoder)) != (other := _gpt2_shape(gpt2)):
        raise ShapeError(
            f"this GPT-2 has {_named(other)}; decode.text_transformer has {_named(mine)}. "
            "Build the decoder with the layers, width, vocabulary and max_tokens of the GPT-2."
        )
    with torch.no_grad():
        for ours, theirs in _pairs(decoder, gpt2):
            ours.copy_(theirs)


def _pairs(decoder: TextTransformer, gpt2: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Every parameter of the decoder and its place in GPT-2, as tensors of the same shape that can be written to."""
    body = gpt2.transformer
    yield decoder.token.weight, body.wte.weight
    yield decoder.position.weight, body.wpe.weight
    yield decoder.norm.weight, body.ln_f.weight
    yield decoder.norm.bias, body.ln_f.bias
    for block, other in zip(decoder.blocks, body.h, strict=True):
        for here, there in _BLOCK.items():
            ours: Any = block.get_submodule(here)
            theirs: Any = other.get_submodule(there)
            yield ours.weight, theirs.weight.T if ours.weight.ndim == 2 else theirs.weight
            yield ours.bias, theirs.bias


def _shape(decoder: TextTransformer) -> tuple[int, ...]:
    c = decoder.config
    return c.layers, c.width, c.heads, decoder.token.num_embeddings, decoder.max_tokens, decoder.memory_width


def _gpt2_shape(gpt2: Any) -> tuple[int, ...]:
    c = gpt2.config
    return c.n_layer, c.n_embd, c.n_head, c.vocab_size, c.n_positions, c.n_embd if c.add_cross_attention else 0


def _named(shape: tuple[int, ...]) -> str:
    names = ("layers", "width", "heads", "vocabulary", "positions", "width of the latent")
    return ", ".join(f"{name} {size}" for name, size in zip(names, shape, strict=True))
