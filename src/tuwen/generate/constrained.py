"""Beam search for texts that hold given words, wherever these fit best."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuwen.decode._text import Steps
from tuwen.errors import ConfigError
from tuwen.generate._limits import Ranked, as_words, plain
from tuwen.generate._logits import NEVER, Rules
from tuwen.generate._prompt import ready
from tuwen.generate._required import Beginning, Required
from tuwen.generate._words import inside
from tuwen.generate._written import Cancelled, Emit, Written, fill_holes
from tuwen.types import Latent


@dataclass(frozen=True, kw_only=True)
class Config(Ranked):
    """Settings of `Constrained`; more beams than tokens of the words are worth their time."""

    words: tuple[str, ...] = ()
    """Words, or several in a row, that every text holds, in any order; without any it is beam search."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "words", as_words(self.words))

    def check(self) -> None:
        super().check()
        for bad in self.without:
            if both := [word for word in self.words if plain(bad) in plain(word)]:
                raise ConfigError(f"{both[0]!r} is in words and {bad!r} in without; take one of them out")

    def build(self) -> Constrained:
        self.check()
        return Constrained(self)

    @classmethod
    def tiny(cls) -> Config:
        return cls(beams=2, max_tokens=6)


class Constrained:
    """Writes as `beam` does, but the beams are shared out among beginnings that hold more and fewer of the words.

    A text that does not hold all words may not end, and none goes on that has no more room for what it lacks. What
    the words need comes before `no_repeat_ngram`.

    Source:
        Post and Vilar 2018, arXiv:1804.06609, sections 3.1 and 3.2 (dynamic beam allocation), after the grid beam
        search of Hokamp and Liu 2017, arXiv:1704.07138. Without words it is `beam`.
    """

    def __init__(self, config: Config):
        self.config = config

    @torch.inference_mode()
    def __call__(
        self, decoder: Steps, latent: Latent, *, emit: Emit | None = None, cancelled: Cancelled | None = None
    ) -> list[list[Written]]:
        """Writes for every row of a latent.

        Args:
            decoder: in evaluation mode.
            emit: called with (row, token) for the best text of a row, once that row is done.
            cancelled: asked before every step; True returns the best of what there is, which may lack words.
        Returns:
            One list a row, best first, of at most `best` texts. A row's texts do not depend on the rows beside it.
        Raises:
            ConfigError: a word that the decoder does not know, or more of them than a text has room for.
        """
        made: list[list[Written]] = [[] for _ in range(len(latent))]
        if not made:
            return made
        decoder = ready(decoder, self.config, latent)
        search = _Search(self.config, decoder, len(latent), latent.pooled.device)
        state = decoder.start(latent, beams=self.config.beams)
        while search.pictures:
            if cancelled is not None and cancelled():
                search.give_up()
            else:
                search.advance(decoder.step(state, search.last_N()))
            done = [picture for picture in search.pictures if picture.done]
            for picture in done:
                made[picture.row] = picture.written()
                for token in made[picture.row][0].tokens if emit is not None else ():
                    emit(picture.row, token)  # type: ignore[misc]
            if done:
                decoder.drop(state, search.keep())
            if search.pictures:
                decoder.reorder(state, search.parent_N())
        return made


class _Search:
    """The pictures that are not done, and the step that all of them take at once."""

    def __init__(self, config: Config, decoder: Steps, pictures: int, device: torch.device):
        self.config, self.decoder, self.device = config, decoder, device
        self.rules, self.required = Rules(config, decoder, device), Required(decoder, config.words)
        self.within_V = self.required.within_V.to(device)
        self.steps, self.step = min(config.max_tokens, decoder.max_tokens), 0
        first = self.required.begin()
        self._check_free()
        if first.left > self.steps:
            raise ConfigError(
                f"words {', '.join(config.words)} take {first.left} tokens and a text has at most {self.steps}; ask "
                "for fewer words, or set a larger max_tokens if the model writes longer texts"
            )
        self.pictures = [_Picture(row, first, self) for row in range(pictures)]

    def _check_free(self) -> None:
        """Raises ConfigError for words whose tokens would write what is forbidden."""
        if self.rules.forbidden is None:
            return
        for word in self.config.words:
            row = list(inside(self.decoder, word))
            if any(token in self.rules.forbidden(row[:i]) for i, token in enumerate(row)):
                raise ConfigError(
                    f"{word!r} is in words, and writing it writes what is in without ({', '.join(self.config.without)}); take "
                    "one of them out"
                )

    def last_N(self) -> Tensor:
        last = [one.said[-1] if one.said else self.decoder.bos for picture in self.pictures for one in picture.beams()]
        return torch.tensor(last, device=self.device)

    def parent_N(self) -> Tensor:
        size = self.config.beams
        rows = [i * size + one.parent for i, picture in enumerate(self.pictures) for one in picture.beams()]
        return torch.tensor(rows, device=self.device)

    def keep(self) -> Tensor:
        """Leaves out the pictures that are done; the numbers of those that stay, for the decoder."""
        keep_L = fill_holes(torch.tensor([picture.done for picture in self.pictures], device=self.device))
        self.pictures = [self.pictures[i] for i in keep_L.tolist()]
        return keep_L

    def give_up(self) -> None:
        for picture in self.pictures:
            picture.give_up()

    def advance(self, logits_NV: Tensor) -> None:
        """Takes the logits of the next token of every beginning."""
        size = self.config.beams
        offers = self._offers([one for picture in self.pictures for one in picture.beams()], logits_NV)
        self.step += 1
        for i, picture in enumerate(self.pictures):
            picture.advance(offers[i * size : (i + 1) * size])

    def _offers(self, beams: list[Beginning], logits_NV: Tensor) -> list[dict[int, float]]:
        """For every beginning token -> log-probability, of the best ones and of those that bring it on."""
        logprob_NV = logits_NV.log_softmax(-1)
        wanted = [(row, token) for row, one in enumerate(beams) for token in self.required.next(one)]
        worth = _at(logprob_NV, wanted)  # before the rules: the words come first, but not before what is forbidden
        if self.rules.forbidden is not None:
            given = self.required.given
            banned = [frozenset(self.rules.forbidden([*given, *one.said])) for one in beams]
            worth = [NEVER if token in banned[row] else of for (row, token), of in zip(wanted, worth, strict=True)]
        self.rules(logprob_NV, torch.tensor([one.said for one in beams], dtype=torch.int64, device=self.device))
        best_NC, token_NC = logprob_NV.topk(min(self.config.beams + 1, logprob_NV.shape[1]))
        offers = [dict(zip(*pair, strict=True)) for pair in zip(token_NC.tolist(), best_NC.tolist(), strict=True)]
        if grown := [row for row, one in enumerate(beams) if one.open]:  # a way to leave the word at its end as it is
            token_X = logprob_NV[grown].masked_fill(self.within_V, NEVER).argmax(1).tolist()
            places = list(zip(grown, token_X, strict=True))
            wanted, worth = wanted + places, worth + _at(logprob_NV, places)
        for (row, token), logprob in zip(wanted, worth, strict=True):
            offers[row][token] = logprob
        return offers


def _at(x_NV: Tensor, places: list[tuple[int, int]]) -> list[float]:
    """The numbers that stand at (row, column)."""
    if not places:
        return []
    row_X, column_X = torch.tensor(places, device=x_NV.device).unbind(1)
    found: list[float] = x_NV[row_X, column_X].tolist()
    return found


class _Picture:
    """One picture: the beginnings that go on, at most K, and the best K texts that do not."""

    def __init__(self, row: int, first: Beginning, search: _Search):
        self.row, self.search, self.done = row, search, False
        self.going = [first]
        self.found: list[Written] = []

    def beams(self) -> list[Beginning]:
        """K beginnings: where there are fewer the first stands in for them, and counts once."""
        return self.going + self.going[:1] * (self.search.config.beams - len(self.going))

    def advance(self, offers: list[dict[int, float]]) -> None:
        """Takes token -> log-probability for every beginning."""
        search, size = self.search, self.search.config.beams
        room = search.steps - search.step
        whole: list[tuple[float, Written | None]] = []
        going: list[Beginning] = []
        for parent, (one, offer) in enumerate(zip(self.going, offers, strict=False)):
            for token, logprob in offer.items():
                if logprob == NEVER:
                    continue
                if token == search.decoder.eos:
                    if not one.left:
                        whole.append((one.total + logprob, Written(list(one.said), one.total + logprob, True)))
                    continue
                more = search.required.after(one, token, logprob, parent)
                if more.left <= room:
                    going.append(more)
                if not more.left:
                    whole.append((more.total, None if room else Written(list(more.said), more.total, False)))
        whole.sort(key=lambda pair: -pair[0])  # an end below the best K of those that may end is lost, as in beam
        self._finish([text for _, text in whole[:size] if text is not None])
        self.going = shared_out(going, size)
        self.done = not room or not going or self._hopeless()

    def _hopeless(self) -> bool:
        """The guess of beam search: no beginning gets better per token than it is now."""
        config, step = self.search.config, self.search.step
        hope = max(one.total for one in self.going) / step**config.length_penalty
        return len(self.found) == config.beams and hope <= self.found[-1].score(config.length_penalty)

    def give_up(self) -> None:
        """Takes the beginnings as they are for texts."""
        self._finish([Written(list(one.said), one.total, False) for one in self.going])
        self.done = True

    def _finish(self, texts: list[Written]) -> None:
        config = self.search.config
        ranked = sorted([*self.found, *texts], key=lambda text: -text.score(config.length_penalty))
        self.found = ranked[: config.beams]

    def written(self) -> list[Written]:
        return self.found[: self.search.config.best]


def shared_out(going: list[Beginning], size: int) -> list[Beginning]:
    """The `size` beginnings that go on: the best of each bank in turn, the fullest first.

    A bank holds the beginnings that lack equally many tokens of the words.
    """
    banks: dict[int, list[Beginning]] = {}
    for one in sorted(going, key=lambda one: -one.total):
        banks.setdefault(one.left, []).append(one)
    ranks = [(rank, left, one) for left, bank in banks.items() for rank, one in enumerate(bank)]
    return [one for _, _, one in sorted(ranks, key=lambda place: place[:2])[:size]]
