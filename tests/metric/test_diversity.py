import pytest

from tuwen.errors import DataError
from tuwen.metric import diversity


def scored(captions, training=None):
    metric = diversity.Config().build()
    if training is not None:
        metric.remember(training)
    metric.update(captions)
    return metric.result()


def test_matches_hand_worked_captions():
    # "a dog" twice (case and stop aside) and "a red dog": 7 words said, a dog red are 3; 4 pairs said:
    # a-dog twice, a-red, red-dog: 3 different
    assert scored(["a dog", "A dog.", "a red dog", ""]) == {
        "distinct_captions": 3 / 4,
        "distinct_1": 3 / 7,
        "distinct_2": 3 / 4,
        "vocabulary": 3.0,
        "commonest": 2.0,
        "commonest_share": 2 / 4,
    }


def test_one_sentence_for_all_is_seen():
    result = scored(["a man"] * 50)
    assert result["distinct_captions"] == 1 / 50 and result["commonest_share"] == 1.0 and result["commonest"] == 50


def test_copies_of_training_captions_are_counted():
    assert scored(["a dog", "a cat", "a dog ."], training=["A dog.", "the cat"])["copied"] == 2 / 3
    assert scored(["a dog"], training=[])["copied"] == 0.0


def test_order_changes_nothing():
    captions = ["a b", "c", "a b", "b c a"]
    assert scored(captions) == scored(captions[::-1])


def test_nothing_said_gives_zero_and_nothing_given_an_error():
    assert scored([""])["distinct_1"] == 0.0
    with pytest.raises(DataError, match=r"no captions to compare; call update\(predictions\)"):
        diversity.Config().build().result()
    with pytest.raises(DataError, match=r"predictions is one text \('a dog'\); give a list of texts"):
        diversity.Config().build().update("a dog")
    with pytest.raises(DataError, match=r"captions is one text \('a dog'\); give a list of texts"):
        diversity.Config().build().remember("a dog")
