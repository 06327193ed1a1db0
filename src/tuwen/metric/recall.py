"""Retrieval both ways: how high the right text stands for a picture, and the right picture for a text.

A picture's rank is the best of any of its own texts; a text has the one picture that owns it (Karpathy and Fei-Fei
2015, arXiv:1412.2306, section 4.1; Hodosh et al. 2013, section 5).

Ties never flatter: tied candidates count as shuffled, and the result is the expectation over all shuffles, exactly and
without drawing. So a score that is the same for all pairs gives what chance gives. R@k then is the mean probability
of a hit among the first k, and a rank may lie between two places.

Protocols: published numbers on COCO are of all 5,000 pictures at once ("5K"), or of galleries of 1,000 ("1K"), of which
there are five ("5-fold"): `gallery=1000`, the mean over all queries, each of which sees its own gallery only.

Differs:
    from evaluation scripts that sort: there, ties go by position, and a constant score can get a recall of 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric._precision import Precision, chance_precision, expected_precision, precision_of_texts

Rows = Callable[[int, int], np.ndarray]
"""From which picture, to which -> their similarities with all texts."""
_BLOCK = 4_000_000
"""Similarities looked at together."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Recall of retrieval, both ways."""

    ks: tuple[int, ...] = (1, 5, 10)
    """How many candidates are looked at; each at least 1."""
    gallery: int = 0
    """Pictures that are looked through at once, one gallery after the other; 0: all of an update. 1000: the 1K
    protocol, over as many folds as there are; a rest that fills no gallery is left out."""

    def build(self) -> Recall:
        return Recall(ks=self.ks, gallery=self.gallery)

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        return np.eye(batch), np.arange(batch)


@dataclass(frozen=True)
class Standing:
    """Where the right answers of Q queries stand among the candidates."""

    above_Q: np.ndarray
    """Candidates that score more than the best right one."""
    tied_Q: np.ndarray
    """Candidates that score the same, the right ones included."""
    right_Q: np.ndarray
    """Right ones among the tied."""

    def rank_Q(self) -> np.ndarray:
        """(Q,) expected rank of the first right one, from 1: (tied + 1) / (right + 1) places below those above."""
        rank: np.ndarray = self.above_Q + (self.tied_Q + 1) / (self.right_Q + 1)
        return rank

    def hit_Q(self, k: int) -> np.ndarray:
        """(Q,) probability that a right one is among the first k."""
        places_Q = np.clip(k - self.above_Q, 0, self.tied_Q)
        miss_Q = np.ones(len(places_Q))
        for place in range(int(places_Q.max(initial=0))):  # place after place is taken by one of the tied that is wrong
            left_Q = np.maximum(self.tied_Q - place, 1)
            wrong_Q = np.maximum(left_Q - self.right_Q, 0)
            miss_Q *= np.where(place < places_Q, wrong_Q / left_Q, 1.0)
        return 1.0 - miss_Q

    def __add__(self, other: Standing) -> Standing:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Standing(*(np.concatenate(pair) for pair in pairs))


class Recall:
    """Each `update` is one gallery, or several; queries see no other. `result` is over all queries of all galleries."""

    direction = "higher"
    """Of recalls and average precision; ranks are better when lower."""
    range: tuple[float, float] = (0.0, 1.0)
    """Of recalls and average precision; ranks count from 1."""
    needs: tuple[str, ...] = ("similarity", "owner")

    def __init__(self, *, ks: tuple[int, ...] = (1, 5, 10), gallery: int = 0) -> None:
        if not ks or min(ks) < 1:
            raise ConfigError(f"ks is {ks}; give counts of at least 1, as in ks=(1, 5, 10)")
        if gallery < 0:
            raise ConfigError(f"gallery is {gallery}; give a number of pictures, as in gallery=1000, or 0 for all")
        self.ks, self.gallery, self.num_galleries = ks, gallery, 0
        empty = Standing(*[np.zeros(0)] * 3)
        self._precision = {way: np.zeros(0) for way in ("i2t", "t2i", "chance_i2t", "chance_t2i")}
        self._standing = {"i2t": empty, "t2i": empty}
        self._chance = {"i2t": empty, "t2i": empty}

    def update(self, similarity_NM: np.ndarray, owner_M: np.ndarray) -> None:
        """Adds a gallery of N pictures and M texts.

        Args:
            similarity_NM: (N, M) the higher the better; a memory-mapped array is read by blocks of rows.
            owner_M: (M,) int, the picture of each text. A picture without texts is only a candidate.
        Raises:
            ShapeError: not two axes, or not one owner a text.
            DataError: nothing in it, an owner that is none of the pictures, or a similarity that is not a number.
        """
        similarity_NM = np.asanyarray(similarity_NM)
        if similarity_NM.ndim != 2:
            raise ShapeError(f"similarity has shape {similarity_NM.shape}; give (pictures, texts)")
        num_pictures, num_texts = similarity_NM.shape
        self._add(lambda start, end: np.asarray(similarity_NM[start:end]), num_pictures, num_texts, owner_M)

    def update_vectors(self, image_ND: np.ndarray, text_MD: np.ndarray, owner_M: np.ndarray) -> None:
        """Adds a gallery given as vectors: similarity is their dot product, never held as a whole.

        Args:
            image_ND, text_MD: (N, D) and (M, D) float; normalise them first where cosines are meant.
            owner_M, errors: as `update`; ShapeError if the two differ in D.
        """
        image_ND, text_MD = np.asarray(image_ND), np.asarray(text_MD)
        if image_ND.ndim != 2 or text_MD.ndim != 2 or image_ND.shape[1] != text_MD.shape[1]:
            raise ShapeError(
                f"pictures have shape {image_ND.shape} and texts {text_MD.shape}; give (N, D) and (M, D) with one D"
            )
        self._add(lambda start, end: image_ND[start:end] @ text_MD.T, len(image_ND), len(text_MD), owner_M)

    def check(self, num_pictures: int) -> None:
        """Raises DataError where so many pictures fill no gallery."""
        if num_pictures < self.gallery:
            raise DataError(
                f"{num_pictures} pictures fill no gallery of {self.gallery}; give a smaller one, or gallery=0 for all at once"
            )

    def result(self) -> dict[str, float]:
        """For i2t (texts of a picture) and t2i (picture of a text), and beside each what chance gives.

        Returns:
            i2t_r1, i2t_r5, .. (by `ks`), i2t_median_rank, i2t_mean_rank, chance_i2t_r1, ..; the same for t2i;
            i2t_map, t2i_map: mean over the queries of the average precision, expected over the shuffles of ties.
        """
        if not len(self._standing["t2i"].above_Q):
            raise DataError("no similarities to rank; call update(similarity, owner) before result()")
        result: dict[str, float] = {}
        for prefix, standings in (("", self._standing), ("chance_", self._chance)):
            for way, standing in standings.items():
                result |= {f"{prefix}{way}_r{k}": float(standing.hit_Q(k).mean()) for k in self.ks}
                rank_Q = standing.rank_Q()
                result[f"{prefix}{way}_median_rank"] = float(np.median(rank_Q))
                result[f"{prefix}{way}_mean_rank"] = float(rank_Q.mean())
        return result | {f"{way}_map": float(ap_Q.mean()) for way, ap_Q in self._precision.items()}

    def per_item(self) -> dict[str, list[float]]:
        """Hits of each query, by the name they have in `result`: i2t_r1 a picture that has texts, t2i_r1 a text."""
        return {f"{way}_r{k}": s.hit_Q(k).tolist() for way, s in self._standing.items() for k in self.ks}

    def per_query(self) -> dict[str, np.ndarray]:
        """All that figures are made of: `per_item`, and i2t_rank, i2t_map, t2i_rank, t2i_map of each query."""
        ranks = {f"{way}_rank": standing.rank_Q() for way, standing in self._standing.items()}
        precisions = {f"{way}_map": self._precision[way] for way in self._standing}
        return {name: np.array(values) for name, values in self.per_item().items()} | ranks | precisions

    def _add(self, rows: Rows, num_pictures: int, num_texts: int, owner_M: np.ndarray) -> None:
        owner_M = _checked_owner(owner_M, num_pictures, num_texts)
        if not self.gallery:
            self._add_gallery(rows, num_pictures, owner_M)
            return
        self.check(num_pictures)
        for start in range(0, num_pictures - self.gallery + 1, self.gallery):
            text = np.flatnonzero((owner_M >= start) & (owner_M < start + self.gallery))
            if len(text):
                self._add_gallery(_part(rows, start, text), self.gallery, owner_M[text] - start)

    def _add_gallery(self, rows: Rows, num_pictures: int, owner_M: np.ndarray) -> None:
        num_texts = len(owner_M)
        picture_to_text, text_to_picture, precision = _standings(rows, num_pictures, owner_M)
        own_Q = np.bincount(owner_M, minlength=num_pictures)
        own_Q = own_Q[own_Q > 0]
        self.num_galleries += 1
        by_chance = Precision(chance_precision(own_Q, num_texts), chance_precision(np.ones(num_texts), num_pictures))
        for way, ap_Q in zip(self._precision, (*precision, *by_chance), strict=True):
            self._precision[way] = np.append(self._precision[way], ap_Q)
        self._standing["i2t"] += picture_to_text
        self._standing["t2i"] += text_to_picture
        self._chance["i2t"] += Standing(np.zeros(len(own_Q)), np.full(len(own_Q), num_texts), own_Q)
        self._chance["t2i"] += Standing(np.zeros(num_texts), np.full(num_texts, num_pictures), np.ones(num_texts))


def _checked_owner(owner_M: np.ndarray, num_pictures: int, num_texts: int) -> np.ndarray:
    owner_M = np.asarray(owner_M)
    if owner_M.shape != (num_texts,):
        raise ShapeError(
            f"{num_texts} texts and owners of shape {owner_M.shape}; give one owner a text, ({num_texts},)"
        )
    if not num_pictures or not num_texts:
        raise DataError(f"{num_pictures} pictures and {num_texts} texts; retrieval takes at least one of each")
    if not np.issubdtype(owner_M.dtype, np.integer):
        raise DataError(f"owners are {owner_M.dtype}; give the row of each text's picture as an integer")
    if len(bad := np.flatnonzero((owner_M < 0) | (owner_M >= num_pictures))):
        raise DataError(f"text {bad[0]} belongs to picture {owner_M[bad[0]]}; pictures are 0 to {num_pictures - 1}")
    return owner_M.astype(np.int64)


def _part(rows: Rows, first: int, text: np.ndarray) -> Rows:
    """Rows from a picture on, against some of the texts."""
    return lambda start, end: rows(first + start, first + end)[:, text]


def _standings(rows: Rows, num_pictures: int, owner_M: np.ndarray) -> tuple[Standing, Standing, Precision]:
    """Texts for each picture that has some, and pictures for each text; two passes over blocks of rows."""
    num_texts = len(owner_M)
    own_M = np.empty(num_texts)
    above_N, tied_N, right_N = (np.zeros(num_pictures, np.int64) for _ in range(3))
    precision_N = np.zeros(num_pictures)
    for start, end, block_bM in _blocks(rows, num_pictures, num_texts):
        text = np.flatnonzero((owner_M >= start) & (owner_M < end))
        row = owner_M[text] - start
        own_M[text] = block_bM[row, text]
        best_b = np.full(end - start, -np.inf)
        np.maximum.at(best_b, row, own_M[text])
        above_N[start:end] = (block_bM > best_b[:, None]).sum(1)
        tied_N[start:end] = (block_bM == best_b[:, None]).sum(1)
        right_N[start:end] = np.bincount(row[own_M[text] == best_b[row]], minlength=end - start)
        precision_N[start:end] = precision_of_texts(block_bM, row, text)
    above_M, tied_M = np.zeros(num_texts, np.int64), np.zeros(num_texts, np.int64)
    for _, _, block_bM in _blocks(rows, num_pictures, num_texts):
        above_M += (block_bM > own_M).sum(0)
        tied_M += (block_bM == own_M).sum(0)
    has, one_M = right_N > 0, np.ones(num_texts, np.int64)
    precision = Precision(precision_N[has], expected_precision(above_M, tied_M, one_M, np.zeros(num_texts)))
    return Standing(above_N[has], tied_N[has], right_N[has]), Standing(above_M, tied_M, one_M), precision


def _blocks(rows: Rows, num_pictures: int, num_texts: int) -> Iterator[tuple[int, int, np.ndarray]]:
    step = max(1, _BLOCK // num_texts)
    for start in range(0, num_pictures, step):
        end = min(start + step, num_pictures)
        block_bM = rows(start, end)
        if np.isnan(block_bM).any():
            row, text = np.argwhere(np.isnan(block_bM))[0]
            raise DataError(
                f"the similarity of picture {start + row} and text {text} is not a number (nan); mend it first"
            )
        yield start, end, block_bM
