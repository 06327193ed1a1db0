"""Average precision of a ranking with ties: the expectation over all shuffles of what is tied, exactly.

Source:
    average precision: Manning, Raghavan and Schütze 2008, "Introduction to Information Retrieval", section 8.4; ties:
    McSherry and Najork 2008, "Computing Information Retrieval Performance Measures Efficiently in the Presence of Tied
    Scores", ECIR, section 2.4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Precision(NamedTuple):
    """Average precision of each query, both ways."""

    i2t_Q: np.ndarray
    """Of pictures that have texts."""
    t2i_Q: np.ndarray
    """Of texts."""


def expected_precision(above_G: np.ndarray, tied_G: np.ndarray, right_G: np.ndarray, hits_G: np.ndarray) -> np.ndarray:
    """(G,) what groups of tied candidates add to a sum of precisions at the right ones.

    Args:
        above_G: candidates that score more.
        tied_G: candidates of the group, at least 1.
        right_G: right ones among them.
        hits_G: right ones above.
    Example:
        >>> one, two = np.array([1]), np.array([2])
        >>> expected_precision(one, two, one, np.array([0]))  # rank 2 or 3: (1/2 + 1/3) / 2
        array([0.41666667])
    """
    gained_G = np.zeros(len(above_G))
    chance_G = right_G / tied_G
    others_G = np.divide(right_G - 1, tied_G - 1, out=np.zeros(len(above_G)), where=tied_G > 1)
    for place in range(int(tied_G.max(initial=0))):
        # a right one stands here by chance; before it, of the `place` tied ones, so many are right
        here_G = chance_G * (hits_G + 1 + place * others_G) / (above_G + place + 1)
        gained_G += np.where(place < tied_G, here_G, 0.0)
    return gained_G


def chance_precision(own_Q: np.ndarray, candidates: int) -> np.ndarray:
    """(Q,) average precision of queries with so many right ones among candidates that all score the same.

    Example:
        >>> chance_precision(np.array([1, 2]), 2)
        array([0.75, 1.  ])
    """
    own_U, which_Q = np.unique(own_Q, return_inverse=True)
    none_U = np.zeros(len(own_U))
    found_Q: np.ndarray = (expected_precision(none_U, np.full(len(own_U), candidates), own_U, none_U) / own_U)[which_Q]
    return found_Q


def precision_of_texts(score_bM: np.ndarray, row_T: np.ndarray, text_T: np.ndarray) -> np.ndarray:
    """(b,) average precision of the own texts of each picture among all; 0 for a picture without texts.

    Args:
        score_bM: of b pictures with M texts.
        row_T, text_T: row and column of each right pair.
    """
    if not len(row_T):
        return np.zeros(len(score_bM))
    own_T = score_bM[row_T, text_T].astype(float)  # of numbers without a sign there is no minus
    order_T = np.lexsort((-own_T, row_T))  # by picture, the best first
    row_T, own_T = row_T[order_T], own_T[order_T]
    new_T = np.append(True, (row_T[1:] != row_T[:-1]) | (own_T[1:] != own_T[:-1]))
    first_G = np.flatnonzero(new_T)
    row_G, own_G = row_T[first_G], own_T[first_G]
    right_G = np.diff(first_G, append=len(row_T))
    num_b = np.bincount(row_T, minlength=len(score_bM))
    hits_G = first_G - (np.cumsum(num_b) - num_b)[row_G]
    sorted_bM = np.sort(score_bM, axis=1)
    above_G, tied_G = np.zeros(len(row_G), np.int64), np.zeros(len(row_G), np.int64)
    for group, (row, own) in enumerate(zip(row_G.tolist(), own_G.tolist(), strict=True)):
        low, high = np.searchsorted(sorted_bM[row], own, "left"), np.searchsorted(sorted_bM[row], own, "right")
        above_G[group], tied_G[group] = score_bM.shape[1] - high, high - low
    gained_b = np.bincount(row_G, expected_precision(above_G, tied_G, right_G, hits_G), len(score_bM))
    found_b: np.ndarray = gained_b / np.maximum(num_b, 1)
    return found_b
