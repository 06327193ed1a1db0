import pytest

from tuwen.metric import rouge


def scored(predictions, references):
    metric = rouge.Config().build()
    metric.update(predictions, references)
    return metric


def test_matches_a_hand_worked_caption():
    # common subsequence of "a dog on grass" and "the dog runs on the grass": dog on grass, 3 words.
    # precision 3/4, recall 3/6; (1 + 1.44) * 3/4 * 1/2 / (1/2 + 1.44 * 3/4) = 0.915 / 1.58
    result = scored(["a dog on grass"], [["the dog runs on the grass"]]).result()
    assert result["rouge_l"] == pytest.approx(0.915 / 1.58, abs=1e-12)


def test_best_precision_and_best_recall_may_come_from_two_references():
    # "a b c d": against "a b c x y z" 3/4 and 3/6, against "a" 1/4 and 1/1: precision 3/4, recall 1
    result = scored(["a b c d"], [["a b c x y z", "a"]]).result()
    assert result["rouge_l"] == pytest.approx(2.44 * 0.75 * 1 / (1 + 1.44 * 0.75), abs=1e-12)


def test_limits():
    assert scored(["a b c", "a b c", "", "."], [["a b c"], ["x y"], ["a"], [". !"]]).per_item() == [1.0, 0.0, 0.0, 0.0]


def test_order_of_words_matters_but_of_references_does_not():
    forward, backward = scored(["a b c", "c b a"], [["a b c"], ["a b c"]]).per_item()
    assert forward == 1.0 and backward == pytest.approx(1 / 3)
    assert scored(["a b"], [["a", "b c"]]).result() == scored(["a b"], [["b c", "a"]]).result()


def test_long_captions_and_repeated_words():
    assert scored(["a b " * 100], [["b a " * 100]]).per_item()[0] == pytest.approx(199 / 200)


def test_agrees_with_pycocoevalcap(babble):
    peer = pytest.importorskip("pycocoevalcap.rouge.rouge", reason="pycocoevalcap is not installed")
    predictions, references = babble
    total, each = peer.Rouge().compute_score(
        dict(enumerate(references)), {key: [text] for key, text in enumerate(predictions)}
    )
    metric = scored(predictions, references)
    assert metric.result()["rouge_l"] == pytest.approx(total, abs=1e-12)
    assert metric.per_item() == pytest.approx(list(each), abs=1e-12)


@pytest.mark.real
def test_gives_the_reference_value(coco_scores):
    assert coco_scores.scores["rouge_l"] == pytest.approx(0.39625269357570847, abs=1e-9)
