"""What every text decoder shares: the making of targets, and the contract that `generate` relies on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from tuwen.text_part import TextPart
from tuwen.types import Decoded, Feed, Latent

if TYPE_CHECKING:
    from tuwen.metric._consensus import Consensus

_ROWS = 20_000
"""Of more rows than these every second, third, ... is counted."""


class TextDecoder(TextPart):
    """Base of decoders that write text token by token.

    A subclass makes its layers in `settle(vocabulary_size)`, and has `forward`, `start`, `step`, `reorder` and `drop`.
    """

    consensus: Consensus | None = None
    """How rare words and phrases are in the texts of the training part; None in models that were made without."""

    def count(self, rows: Sequence[str | Sequence[str]]) -> None:
        """Counts how rare words and phrases are, as a model directory keeps it.

        Args:
            rows: the text of each row, or its texts.
        """
        from tuwen.metric._consensus import Consensus

        every = [[row] if isinstance(row, str) else list(row) for row in rows]
        self.consensus = Consensus.from_dict(Consensus(every[:: 1 + len(every) // _ROWS]).to_dict())

    def learned(self) -> dict[str, Any]:
        counted = {} if self.consensus is None else {"consensus": self.consensus.to_dict()}
        return {**super().learned(), **counted}

    def restore(self, learned: dict[str, Any]) -> None:
        from tuwen.metric._consensus import Consensus

        super().restore(learned)
        self.consensus = Consensus.from_dict(learned["consensus"]) if "consensus" in learned else None

    def prepare(self, values: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Captions -> (P, T + 1) token numbers from begin to end, and their (P, T + 1) mask of real ones."""
        return self.framed(values, self.max_tokens - 1)

    def texts(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Token numbers -> texts."""
        return self.tokenizer.decode(rows)

    def spelled(self, text: str) -> list[int]:
        """Token numbers of a text, without begin and end."""
        return self.tokenizer.spelled(text)

    @property
    def pieces(self) -> Sequence[bytes]:
        """What each token adds to a text, in UTF-8; nothing for special ones."""
        return self.tokenizer.pieces

    def forward(self, latent: Latent, target: Feed) -> Decoded:
        """Teacher forcing: logits of every real token of the target, given those before it.

        Args:
            latent: B rows with tokens; target.owner_P points at them.
        """
        raise NotImplementedError

    def start(self, latent: Latent, beams: int = 1) -> Any:
        """State of B * beams rows that have said nothing yet; rows of one picture stand together."""
        raise NotImplementedError

    def step(self, state: Any, token_N: Tensor) -> Tensor:
        """Takes one token for each of N = B * beams rows, gives (N, V) float32 logits of the next; changes the state."""
        raise NotImplementedError

    def rounded(self) -> Any:
        """A decoder that multiplies in bfloat16, for machines that are faster in it; itself where that gains nothing.

        One whose logits are rounded says so (`rough`), and beam search then asks `rough_step` in place of `step`, and `again`.
        """
        return self

    def top(self, state: Any) -> Tensor:
        """(N, D) what the last step compared with the embeddings of all tokens: it stands for the text so far."""
        raise NotImplementedError

    def reorder(self, state: Any, index_N: Tensor) -> None:
        """Row i goes on from what row index_N[i] has said (both of one picture); changes the state."""
        raise NotImplementedError

    def drop(self, state: Any, keep_B: Tensor) -> None:
        """Keeps the pictures whose number stands in the int64 `keep_B`, with all their beams; changes the state."""
        raise NotImplementedError


class Steps(Protocol):
    """The part of a text decoder that every way of `generate` uses.

    Some ask for more: `contrastive` for `top`; a prompt, and words that must or may not be there, for `spelled` and
    `pieces`. A decoder may name the tokens that are never written in `never`.
    """

    bos: int
    eos: int
    max_tokens: int

    def start(self, latent: Latent, beams: int = 1) -> Any: ...
    def step(self, state: Any, token_N: Tensor) -> Tensor: ...
    def reorder(self, state: Any, index_N: Tensor) -> None: ...
    def drop(self, state: Any, keep_B: Tensor) -> None: ...
