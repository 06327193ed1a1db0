"""A small decoder that writes varied texts of many lengths, and what transformers' GPT-2 writes with its weights."""

from functools import cache

import torch
import torch.nn.functional as F

from tuwen.decode.text_transformer import Config
from tuwen.text_part import pad
from tuwen.types import Feed, Latent, Widths

SUPPRESSED = [0, 1, 3]
WIDTH, VOCABULARY, CELLS = 32, 40, 7


@cache
def decoder():
    """Taught for a moment to name the cells of a picture, some of them, twice: unsure, and of many lengths."""
    torch.manual_seed(0)
    made = Config(width=WIDTH, layers=2, heads=4, dropout=0.0, max_tokens=24).build(Widths(WIDTH, WIDTH))
    made.settle(VOCABULARY)
    for part in made.modules():
        if isinstance(part, torch.nn.Linear):
            torch.nn.init.normal_(part.weight, std=0.02)  # taught from here, it is varied enough
    optimiser = torch.optim.AdamW(made.parameters(), lr=1e-2)
    for step in range(60):
        latent, codes = pictures(64, seed=step + 1)
        rows = [[1, *(row[: 1 + row[0] % CELLS] * 2), 2] for row in codes]
        decoded = made(latent, Feed(*_fed(rows)))
        loss = F.cross_entropy(decoded.prediction, decoded.target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return made.eval()


def pictures(count, seed=0):
    """A latent of random cells, and the tokens that stand in them."""
    own = torch.Generator().manual_seed(seed)
    codes_PM = torch.randint(4, VOCABULARY, (count, CELLS), generator=own)
    looks_VD = torch.randn(VOCABULARY, WIDTH, generator=torch.Generator().manual_seed(99))
    tokens_PMD = looks_VD[codes_PM] + 0.5 * torch.randn(count, CELLS, WIDTH, generator=own)
    return Latent(tokens_PMD.mean(1), tokens_PMD), codes_PM.tolist()


def _fed(rows):
    data_PT, mask_PT = pad(rows)
    return data_PT, torch.arange(len(rows)), mask_PT


def generate(gpt2, latent, **settings):
    """transformers' `generate`: for each picture a list of (tokens without begin and end, finished, score)."""
    begin = torch.ones(len(latent), 1, dtype=torch.int64)
    many = settings.get("num_return_sequences", 1)
    settings = {"suppress_tokens": SUPPRESSED, "do_sample": False, "early_stopping": False, **settings}
    if settings.get("num_beams", 1) == 1:
        del settings["early_stopping"]
    out = gpt2.generate(
        begin,
        attention_mask=begin,
        encoder_hidden_states=latent.tokens,
        encoder_attention_mask=None if latent.mask is None else latent.mask.long(),
        return_dict_in_generate=True,
        output_scores=True,
        **settings,
    )
    scores = getattr(out, "sequences_scores", None)
    scores = [0.0] * len(out.sequences) if scores is None else scores.tolist()
    texts = [(*_cut(row[1:]), score) for row, score in zip(out.sequences.tolist(), scores, strict=True)]
    return [texts[i : i + many] for i in range(0, len(texts), many)]


def _cut(row, eos=2):
    """Tokens before the end, and whether there is one; what follows is filling."""
    return (row[: row.index(eos)], True) if eos in row else (row, False)
