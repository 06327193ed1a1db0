"""A text decoder that is a table of probabilities, so that every text's probability can be worked out by hand."""

import itertools

import torch

from tuwen.types import Latent


class Table:
    """`chance[t][last]` gives the probability of every token as token t, after `last`; by picture if it has 4 axes."""

    bos, eos = 1, 2

    def __init__(self, chance, max_tokens=None):
        self.chance_BTVV = chance if chance.ndim == 4 else chance[None]
        self.max_tokens = max_tokens or self.chance_BTVV.shape[1]
        self.rows_seen = []

    def start(self, latent, beams=1):
        picture_N = torch.arange(len(latent)).repeat_interleave(beams) % len(self.chance_BTVV)
        return {"picture": picture_N, "beams": beams, "said": torch.zeros(len(latent) * beams, 0, dtype=torch.int64)}

    def step(self, state, token_N):
        self.rows_seen.append(len(token_N))
        state["said"] = torch.cat((state["said"], token_N[:, None]), 1)
        # a constant per row: logits are not probabilities, only their differences count
        return self.chance_BTVV[state["picture"], state["said"].shape[1] - 1, state["said"][:, -1]].log() + 3.0

    def reorder(self, state, index_N):
        assert torch.equal(state["picture"][index_N], state["picture"]), "a beam may not change its picture"
        state["said"] = state["said"][index_N]

    def drop(self, state, keep_B):
        row_N = (keep_B[:, None] * state["beams"] + torch.arange(state["beams"])).flatten()
        state["picture"], state["said"] = state["picture"][row_N], state["said"][row_N]

    def every_text(self, length, allowed, picture=0):
        """All texts of at most `length` tokens: [(tokens with the end, sum of log-probabilities)]."""
        found = []
        for size in range(1, length + 1):
            for body in itertools.product([t for t in allowed if t != self.eos], repeat=size - 1):
                last = allowed if size == length else [self.eos]
                found += [((*body, token), self.logprob((*body, token), picture)) for token in last]
        return found

    def logprob(self, tokens, picture=0):
        pairs = zip((self.bos, *tokens), tokens, strict=False)
        return sum(self.chance_BTVV[picture, t, a, b].log().item() for t, (a, b) in enumerate(pairs))


def random_table(pictures=1, length=5, vocabulary=6, seed=0):
    torch.manual_seed(seed)
    return Table((torch.randn(pictures, length, vocabulary, vocabulary) * 1.5).softmax(-1))


def blank(pictures):
    """A latent of which only the number of rows counts."""
    return Latent(torch.zeros(pictures, 1))


class Spoken(Table):
    """A table whose tokens are pieces of words, and that holds a vector after each token."""

    def __init__(self, chance, pieces, vectors=None):
        super().__init__(chance)
        self.never = (self.bos,)
        self.pieces = [piece.encode() for piece in pieces]
        self.vectors_VD = torch.eye(len(pieces)) if vectors is None else vectors

    def spelled(self, text):
        """The longest pieces first."""
        rest, tokens = f" {text}".encode(), []
        while rest:
            fits = [t for t, piece in enumerate(self.pieces) if piece and rest.startswith(piece)]
            tokens.append(max(fits, key=lambda t: len(self.pieces[t])))
            rest = rest[len(self.pieces[tokens[-1]]) :]
        return tokens

    def texts(self, rows):
        return [b"".join(self.pieces[token] for token in row).decode().strip() for row in rows]

    def top(self, state):
        return self.vectors_VD[state["said"][:, -1]]
