import math

import pytest

from tuwen.errors import DataError, ShapeError
from tuwen.metric import bleu
from tuwen.metric._captions import prepare, score_captions


def scored(predictions, references):
    metric = bleu.Config().build()
    metric.update(predictions, references)
    return metric


def test_matches_a_hand_worked_caption():
    # "the the the cat": clipped, the counts 2 (of 3), cat 1 -> 3/4; bigrams "the cat" 1 of 3; "the the" is in none.
    # the reference has 6 words, the caption 4: penalty exp(1 - 6/4)
    result = scored(["the the the cat"], [["the cat on the big mat"]]).result()
    penalty = math.exp(1 - 6 / 4)
    assert result["bleu_1"] == pytest.approx(3 / 4 * penalty, rel=1e-6)
    assert result["bleu_2"] == pytest.approx(math.sqrt(3 / 4 * 1 / 3) * penalty, rel=1e-6)
    assert result["bleu_4"] < 1e-3


def test_the_closest_reference_sets_the_length_and_of_two_the_shorter():
    # lengths 2 and 4 are as near to 3: the shorter counts, so there is no penalty
    assert scored(["a b c"], [["a b", "a b c d"]]).result()["bleu_1"] == pytest.approx(1.0, rel=1e-6)
    assert scored(["a b c"], [["a b c d", "a b c d e"]]).result()["bleu_1"] == pytest.approx(math.exp(-1 / 3), rel=1e-6)


def test_counts_are_summed_before_they_are_divided():
    # 1 of 1 and 0 of 3 words: 1/4, not the mean of 1 and 0
    assert scored(["a", "x y z"], [["a"], ["b c d"]]).result()["bleu_1"] == pytest.approx(1 / 4, rel=1e-6)


def test_a_perfect_caption_scores_one_and_an_empty_one_zero():
    metric = scored(["a b c d e", "", "!"], [["a b c d e"], ["a b"], ["a b"]])
    first, *empty = metric.per_item()
    assert first == pytest.approx(1.0, rel=1e-6)
    assert empty == [0.0, 0.0]
    assert scored([""], [["a"]]).result() == {f"bleu_{order}": 0.0 for order in (1, 2, 3, 4)}


def test_order_of_items_and_of_references_changes_nothing(babble):
    predictions, references = babble
    turned = scored(predictions[::-1], [group[::-1] for group in references[::-1]])
    straight = scored(predictions, references)
    assert turned.result() == pytest.approx(straight.result(), abs=1e-12)
    assert turned.per_item()[::-1] == pytest.approx(straight.per_item(), abs=1e-12)


def test_updates_add_up(babble):
    predictions, references = babble
    parts = scored(predictions[:7], references[:7])
    parts.result(), parts.per_item()
    parts.update(predictions[7:], references[7:])
    assert parts.result() == scored(predictions, references).result()
    assert len(parts.per_item()) == len(predictions)


def test_agrees_with_pycocoevalcap(babble):
    peer = pytest.importorskip("pycocoevalcap.bleu.bleu", reason="pycocoevalcap is not installed")
    predictions, references = babble
    predictions = [*predictions, "a"]
    references = [*references, ["b c"]]
    keyed = dict(enumerate(references)), {key: [text] for key, text in enumerate(predictions)}
    total, each = peer.Bleu(4).compute_score(*keyed, verbose=0)
    metric = scored(predictions, references)
    assert list(metric.result().values()) == pytest.approx(total, abs=1e-12)
    assert metric.per_item() == pytest.approx(each[3], abs=1e-12)


@pytest.mark.real
def test_gives_the_reference_values(coco_scores):
    documented = [0.5793995754573356, 0.40439129741018104, 0.2785363856619147, 0.1908290437674253]
    assert [coco_scores.scores[f"bleu_{order}"] for order in (1, 2, 3, 4)] == pytest.approx(documented, abs=1e-9)


@pytest.mark.parametrize(
    ("predictions", "references", "error", "message"),
    [
        (["a", "b"], [["a"]], ShapeError, "2 predictions and 1 groups of references; give one group"),
        (["a", "b c"], [["a"], []], DataError, "prediction 1 ('b c') has no references; give at least one"),
        (["a"], [["", " "]], DataError, "all references of prediction 0 ('a') are empty; leave the item out"),
        (["a"], ["a dog"], DataError, "the references of prediction 0 are one text; give a list of texts: ['a dog']"),
        ([None], [["a"]], DataError, "prediction 0 is NoneType, not text; give '' where nothing was said"),
        (["a"], [["a", 3]], DataError, "a reference of prediction 0 is int, not text; give strings only"),
        ("a dog", [["a"]], DataError, "predictions is one text ('a dog'); give a list of texts: [text]"),
    ],
)
def test_what_cannot_be_scored_is_named(predictions, references, error, message):
    metric = bleu.Config().build()
    with pytest.raises(error) as caught:
        metric.update(predictions, references)
    assert message in str(caught.value)
    assert len(metric.captions) == 0, "nothing of a refused update stays"


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match=r"no captions to score; call update\(predictions, references\)"):
        bleu.Config().build().result()


def test_all_three_share_one_count(babble):
    predictions, references = babble
    scores = score_captions(predictions, references)
    assert list(scores.scores) == ["bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"]
    assert scores.per_item["bleu_4"] == bleu.Bleu(prepare(predictions, references)).per_item()
    keyed = score_captions(
        {f"k{i}": text for i, text in enumerate(predictions)},
        {f"k{i}": group for i, group in reversed(list(enumerate(references)))},
    )
    assert keyed.scores == scores.scores and keyed.keys[:2] == ["k0", "k1"]


def test_keys_must_be_the_same():
    with pytest.raises(DataError, match="1 keys have a prediction or references but not both, such as 'b'"):
        score_captions({"a": "x"}, {"a": ["x"], "b": ["y"]})
    with pytest.raises(DataError, match="one a mapping and one a list; give two of a kind"):
        score_captions({"a": "x"}, [["x"]])
