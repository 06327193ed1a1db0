"""What text encoders and text decoders share: a tokenizer that is fitted, stored and restored with the part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuwen.errors import DataError
from tuwen.tokenizer import BOS, EOS, PAD, UNK, Kind, Tokenizer


class TextPart(nn.Module):
    """Base of parts that read or write text. A subclass makes its layers in `settle(vocabulary_size)`."""

    modality = "text"
    bos, eos = BOS, EOS

    def __init__(self, *, tokenizer: Kind, vocabulary: int, max_tokens: int):
        super().__init__()
        self._wanted = (tokenizer, vocabulary)
        self.max_tokens = max_tokens
        self.tokenizer: Tokenizer

    def fit(self, values: Sequence[str]) -> None:
        """Trains the tokenizer on the texts of the training part, then makes the layers.

        Raises:
            DataError: there is no text to learn from.
        """
        if not any(value.strip() for value in values):
            raise DataError(
                "there is no text to learn from: no training row has a caption. `tuwen data DATA` shows what is there."
            )
        kind, size = self._wanted
        self._settle(Tokenizer.train(values, kind=kind, size=size))

    def unread(self, text: str) -> tuple[str, list[str]]:
        """What of a text has no effect: what stands behind the last token that is read, and what is `unknown`."""
        [row] = self.tokenizer.encode([text])
        room = self.max_tokens - 2
        [behind] = self.tokenizer.decode([row[room:]])
        return behind.strip("\ufffd "), self.tokenizer.unknown(text)  # without the rest of a letter that was cut

    def learned(self) -> dict[str, Any]:
        """What `fit` learned, as JSON for the model directory."""
        return {"tokenizer": self.tokenizer.to_json()}

    def restore(self, learned: dict[str, Any]) -> None:
        """Instead of `fit`: takes what an earlier one learned."""
        self._settle(Tokenizer.from_json(learned["tokenizer"]))

    def _settle(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.settle(tokenizer.size)

    def settle(self, vocabulary_size: int) -> None:
        """Makes the layers for a vocabulary of this size."""
        raise NotImplementedError

    def framed(self, values: Sequence[str], room: int) -> tuple[Tensor, Tensor]:
        """Texts -> (P, T) token numbers from begin to end, at most `room` between them, and the (P, T) mask."""
        return pad([[BOS, *row, EOS] for row in self.tokenizer.encode(values, max_tokens=room)])


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of numbers -> (P, T) int64 padded with 0 on the right, and the (P, T) bool mask of real places."""
    length = max((len(row) for row in rows), default=0)
    data = torch.full((len(rows), length), PAD, dtype=torch.int64)
    for i, row in enumerate(rows):
        data[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
    sizes = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    return data, torch.arange(length) < sizes[:, None]


def drop_words(data_PT: Tensor, share: float) -> Tensor:
    """A copy in which each token is unknown with this probability; begin, end and padding stay.

    Source:
        Iyyer et al. 2015, "Deep Unordered Composition Rivals Syntactic Methods", ACL, section 3.1 (there left out).
    """
    dropped_PT = torch.rand(data_PT.shape, device=data_PT.device) < share
    return data_PT.masked_fill(dropped_PT & (data_PT > UNK), UNK)
