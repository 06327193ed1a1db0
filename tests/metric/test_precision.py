"""Average precision with ties, against the mean over all shuffles."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tuwen.metric import recall
from tuwen.metric._precision import expected_precision, precision_of_texts


def shuffled(score, right):
    """Mean over all orders that the scores allow."""
    found = []
    for order in permutations(range(len(score))):
        if all(score[a] >= score[b] for a, b in pairwise(order)):
            hits = [place for place, item in enumerate(order, 1) if right[item]]
            found.append(np.mean([n / place for n, place in enumerate(hits, 1)]))
    return np.mean(found)


@pytest.mark.parametrize(
    ("score", "own"), [([3, 2, 2, 1], [1]), ([2, 2, 2, 2], [0, 3]), ([3, 2, 2, 2, 1, 1], [1, 2, 5]), ([1, 2, 3], [0])]
)
def test_is_the_mean_over_all_shuffles(score, own):
    found = precision_of_texts(np.array([score]), np.zeros(len(own), int), np.array(own))
    assert found[0] == pytest.approx(shuffled(score, [i in own for i in range(len(score))]))


def test_without_ties_it_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    score, owner = draw.normal(size=(6, 18)), np.repeat(np.arange(6), 3)
    found = precision_of_texts(score, owner, np.arange(18))
    assert found == pytest.approx([average_precision_score(owner == i, score[i]) for i in range(6)])


def test_a_picture_without_texts_has_none():
    assert precision_of_texts(np.eye(3)[:, :2], np.array([0, 1]), np.array([0, 1])).tolist() == [1, 1, 0]
    assert expected_precision(*np.zeros((4, 0))).shape == (0,)


def test_retrieval_has_it_both_ways():
    """Picture 0 has texts 0 and 1 (ranks 1 and 3), picture 1 text 2 (rank 2); the texts find theirs at 1, 1 and 2."""
    metric = recall.Config().build()
    metric.update(np.array([[5.0, 1, 3], [4, 0, 2]]), np.array([0, 0, 1]))
    result = metric.result()
    assert result["i2t_map"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert result["t2i_map"] == pytest.approx((1 + 1 + 1 / 2) / 3)
