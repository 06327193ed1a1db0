import math

import pytest

from tuwen.metric import cider


def scored(predictions, references, **fields):
    metric = cider.Config(**fields).build()
    metric.update(predictions, references)
    return metric


def test_matches_a_hand_worked_pair():
    # two items, so a word of one item weighs log 2 and a word of both weighs log 1 = 0.
    # item 0: "a dog" for "a cat": "a" is in both items: weight 0; "dog" is not in the reference: cosine 0.
    # item 1: "a red bird" for "a bird red": unigrams red, bird match fully: cosine 1; no bigram matches;
    # mean over four orders 1/4, times 10.
    assert scored(["a dog", "a red bird"], [["a cat"], ["a bird red"]]).per_item() == pytest.approx(
        [0.0, 2.5], abs=1e-12
    )


def test_lengths_that_differ_are_penalised_by_a_gaussian():
    # "x" against "x y y": unigram weights log 2: cosine 1 / sqrt(1 + 4), the lengths differ by two bigrams
    first, _ = scored(["x", "z"], [["x y y"], ["z"]]).per_item()
    assert first == pytest.approx(10 / 4 / math.sqrt(5) * math.exp(-4 / 72), abs=1e-12)
    wide, _ = scored(["x", "z"], [["x y y"], ["z"]], sigma=1e9).per_item()
    assert wide == pytest.approx(10 / 4 / math.sqrt(5), abs=1e-12)


def test_repeating_a_word_is_clipped():
    # "x x" against "x y": min(2, 1) * 1 / (2 * sqrt 2), no bigram in common
    first, _ = scored(["x x", "z"], [["x y"], ["z"]]).per_item()
    assert first == pytest.approx(10 / 4 / (2 * math.sqrt(2)), abs=1e-12)


def test_limits():
    perfect = scored(["a b c d e", "f g h i j"], [["a b c d e"], ["f g h i j"]])
    assert perfect.per_item() == pytest.approx([10.0, 10.0], abs=1e-12)
    assert scored(["a b", ""], [["c d"], ["e"]]).per_item() == [0.0, 0.0]
    assert scored(["a b c d"], [["a b c d"]]).result() == {"cider": 0.0}, "one item: every n-gram is in all documents"


def test_without_rarity_items_do_not_depend_on_each_other():
    # "a b" against "a c": unigrams 1 / 2, no bigram in common; alone and beside another item
    alone = scored(["a b"], [["a c"]], rarity=False).per_item()
    assert alone == pytest.approx([10 / 4 / 2], abs=1e-12)
    assert scored(["a b", "a a"], [["a c"], ["a b"]], rarity=False).per_item()[:1] == alone
    assert scored(["a b c d"], [["a b c d"]], rarity=False).per_item() == pytest.approx([10.0])


def test_order_of_items_and_of_references_changes_nothing(babble):
    predictions, references = babble
    turned = scored(predictions[::-1], [group[::-1] for group in references[::-1]]).per_item()[::-1]
    assert turned == pytest.approx(scored(predictions, references).per_item(), abs=1e-12)


def test_agrees_with_pycocoevalcap(babble):
    peer = pytest.importorskip("pycocoevalcap.cider.cider", reason="pycocoevalcap is not installed")
    predictions, references = babble
    total, each = peer.Cider().compute_score(
        dict(enumerate(references)), {key: [text] for key, text in enumerate(predictions)}
    )
    metric = scored(predictions, references)
    assert metric.result()["cider"] == pytest.approx(total, abs=1e-12)
    assert metric.per_item() == pytest.approx(list(each), abs=1e-12)


def test_chinese_captions_count_by_the_character():
    same, other = scored(["一只黑狗在跑", "猫"], [["一只黑狗在跑。"], ["鸟儿飞"]]).per_item()
    assert same == pytest.approx(10.0, abs=1e-12) and other == 0.0


@pytest.mark.real
def test_gives_the_reference_value(coco_scores):
    assert coco_scores.scores["cider"] == pytest.approx(0.5998952026835711, abs=1e-9)
    assert len(coco_scores.per_item["cider"]) == 1000
