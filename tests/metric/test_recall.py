from itertools import permutations
from math import comb

import numpy as np
import pytest

from tuwen.errors import ConfigError, DataError, ShapeError
from tuwen.metric import recall


def scored(similarity, owner, **fields):
    metric = recall.Config(**fields).build()
    metric.update(np.asarray(similarity, float), np.asarray(owner))
    return metric


def test_matches_a_hand_worked_gallery():
    # texts 0, 1 belong to picture 0, text 2 to picture 1.
    # picture 0: its texts score 5 and 1, the other 3: rank 1. picture 1: own 2, others 4 and 0: rank 2.
    # text 0: own 5 against 4: rank 1. text 1: own 1 against 0: rank 1. text 2: own 2 against 3: rank 2.
    result = scored([[5, 1, 3], [4, 0, 2]], [0, 0, 1], ks=(1, 2)).result()
    assert result["i2t_r1"] == 1 / 2 and result["i2t_r2"] == 1.0
    assert result["i2t_mean_rank"] == 1.5 and result["i2t_median_rank"] == 1.5
    assert result["t2i_r1"] == pytest.approx(2 / 3) and result["t2i_mean_rank"] == pytest.approx(4 / 3)
    assert result["t2i_median_rank"] == 1.0


def test_a_constant_score_gives_chance_exactly():
    num_pictures, owner = 40, np.repeat(np.arange(40), 5)
    result = scored(np.zeros((40, 200)), owner).result()
    for name, value in result.items():
        if not name.startswith("chance_"):
            assert value == pytest.approx(result["chance_" + name], abs=1e-12), name
    for k in (1, 5, 10):
        assert result[f"t2i_r{k}"] == pytest.approx(k / num_pictures)
        assert result[f"i2t_r{k}"] == pytest.approx(1 - comb(195, k) / comb(200, k))
    assert result["t2i_mean_rank"] == pytest.approx(41 / 2) and result["i2t_mean_rank"] == pytest.approx(201 / 6)


def test_ties_are_the_mean_over_all_shuffles():
    # one text scores more, four are tied, two of them right
    standing = recall.Standing(np.array([1]), np.array([4]), np.array([2]))
    first = [1 + min(place for place, right in enumerate(order, 1) if right) for order in permutations([1, 1, 0, 0])]
    for k in range(1, 7):
        assert standing.hit_Q(k)[0] == pytest.approx(np.mean([rank <= k for rank in first]))
    assert standing.rank_Q()[0] == pytest.approx(np.mean(first))


def test_noise_is_near_chance_and_the_truth_is_perfect():
    owner = np.repeat(np.arange(200), 2)
    noise = np.random.default_rng(0).normal(size=(200, 400))
    result = scored(noise, owner).result()
    assert result["t2i_r10"] == pytest.approx(result["chance_t2i_r10"], abs=0.04)  # chance 0.05
    assert result["i2t_r10"] == pytest.approx(result["chance_i2t_r10"], abs=0.05)  # chance 0.05
    truth = scored(noise + 100 * (owner == np.arange(200)[:, None]), owner).result()
    assert truth["i2t_r1"] == truth["t2i_r1"] == truth["t2i_mean_rank"] == truth["i2t_median_rank"] == 1.0


def test_with_one_text_a_picture_the_two_ways_are_mirrored():
    similarity = np.random.default_rng(1).integers(0, 6, size=(30, 30))
    there, back = (scored(s, np.arange(30)).result() for s in (similarity, similarity.T))
    for name in ("r1", "r10", "median_rank", "mean_rank"):
        assert there[f"i2t_{name}"] == pytest.approx(back[f"t2i_{name}"])


def test_order_of_texts_changes_nothing():
    draw = np.random.default_rng(2)
    similarity, owner, order = draw.integers(0, 9, size=(12, 36)), np.repeat(np.arange(12), 3), draw.permutation(36)
    assert scored(similarity[:, order], owner[order]).result() == pytest.approx(scored(similarity, owner).result())


def test_blocks_and_vectors_give_the_same_as_the_whole(monkeypatch):
    draw = np.random.default_rng(3)
    image, text = draw.integers(-3, 4, size=(23, 4)), draw.integers(-3, 4, size=(51, 4))
    owner = draw.integers(0, 23, size=51)
    whole = scored(image @ text.T, owner)
    monkeypatch.setattr(recall, "_BLOCK", 200)
    blocks = scored(image @ text.T, owner)
    vectors = recall.Config().build()
    vectors.update_vectors(image.astype(float), text.astype(float), owner)
    assert whole.result() == blocks.result() == vectors.result()
    assert whole.per_item() == blocks.per_item()


def test_a_picture_without_texts_is_a_candidate_but_no_query():
    metric = scored([[1, 0], [2, 3], [0, 9]], [0, 1])
    items = metric.per_item()
    assert items["i2t_r1"] == [1.0, 1.0]
    assert items["t2i_r1"] == [0.0, 0.0]  # picture 1 scores more for text 0, picture 2 for text 1


def test_galleries_do_not_see_each_other():
    metric = scored([[1.0, 0.0], [0.0, 1.0]], [0, 1])
    metric.update(np.array([[9.0]]), np.array([0]))
    result = metric.result()
    assert result["t2i_r1"] == 1.0 and result["chance_t2i_r1"] == pytest.approx((0.5 + 0.5 + 1) / 3)


@pytest.mark.parametrize(
    ("similarity", "owner", "error", "message"),
    [
        (np.zeros(3), [0], ShapeError, "similarity has shape (3,); give (pictures, texts)"),
        (np.zeros((2, 3)), [0, 1], ShapeError, "3 texts and owners of shape (2,); give one owner a text, (3,)"),
        (np.zeros((0, 0)), np.zeros(0, int), DataError, "0 pictures and 0 texts; retrieval takes at least one of each"),
        (np.zeros((2, 2)), [0.0, 1.0], DataError, "owners are float64; give the row of each text's picture"),
        (np.zeros((2, 2)), [0, 2], DataError, "text 1 belongs to picture 2; pictures are 0 to 1"),
        ([[0, 0], [0, np.nan]], [0, 1], DataError, "the similarity of picture 1 and text 1 is not a number (nan)"),
    ],
)
def test_what_cannot_be_ranked_is_named(similarity, owner, error, message):
    with pytest.raises(error) as caught:
        recall.Config().build().update(np.asarray(similarity), np.asarray(owner))
    assert message in str(caught.value)


def test_other_mistakes_are_named():
    with pytest.raises(DataError, match=r"no similarities to rank; call update\(similarity, owner\)"):
        recall.Config().build().result()
    with pytest.raises(ConfigError, match=r"ks is \(0,\); give counts of at least 1"):
        recall.Config(ks=(0,)).build()
    with pytest.raises(
        ShapeError, match=r"pictures have shape \(2, 3\) and texts \(2, 4\); give \(N, D\) and \(M, D\)"
    ):
        recall.Config().build().update_vectors(np.zeros((2, 3)), np.zeros((2, 4)), np.arange(2))


def test_folds_are_galleries_of_their_own():
    """Five pictures in galleries of two: the first four are asked, each among two; the fifth fills none."""
    draw = np.random.default_rng(4)
    similarity, owner = draw.normal(size=(5, 10)), draw.permutation(np.repeat(np.arange(5), 2))
    folds = recall.Config(gallery=2, ks=(1,)).build()
    folds.update(similarity, owner)
    by_hand = recall.Config(ks=(1,)).build()
    for first in (0, 2):
        text = np.flatnonzero((owner >= first) & (owner < first + 2))
        by_hand.update(similarity[first : first + 2][:, text], owner[text] - first)
    assert folds.result() == by_hand.result() and folds.num_galleries == by_hand.num_galleries == 2
    assert folds.result()["chance_t2i_r1"] == 0.5 and len(folds.per_item()["i2t_r1"]) == 4


def test_a_gallery_that_cannot_be_filled_is_named():
    with pytest.raises(DataError, match="3 pictures fill no gallery of 1000; give a smaller one, or gallery=0"):
        recall.Config(gallery=1000).build().update(np.eye(3), np.arange(3))
    with pytest.raises(ConfigError, match="gallery is -1; give a number of pictures, as in gallery=1000, or 0 for all"):
        recall.Config(gallery=-1).build()


def test_scores_without_a_sign_rank_as_they_are():
    scores = np.array([[0, 100, 200], [0, 0, 10]])
    found = []
    for kind in (np.uint8, float):
        metric = recall.Config().build()
        metric.update(scores.astype(kind), np.array([0, 1, 0]))
        found.append(metric.result())
    assert found[0] == pytest.approx(found[1])
