import pytest

from tuwen.errors import DataError
from tuwen.metric import mutual_bleu


def scored(*sets):
    metric = mutual_bleu.Config().build()
    metric.update(sets)
    return metric


def test_matches_hand_worked_sets():
    # "a b" against "a c": 1 of 2 words; the other way round as many; "d e" against "f g": none: 2 of 8 words
    result = scored(["a b", "a c"], ["d e", "f g"]).result()
    assert result["mbleu_1"] == pytest.approx(2 / 8, rel=1e-6) and result["mbleu_4"] < 1e-3


def test_the_same_caption_again_and_again_gives_one():
    assert scored(["a b c d e"] * 5).result()["mbleu_4"] == pytest.approx(1.0, rel=1e-6)


def test_order_changes_nothing():
    sets = [["a b c d", "a b c e", "b c d"], ["x y", "x z"]]
    turned = [one[::-1] for one in sets[::-1]]
    assert scored(*sets).result() == pytest.approx(scored(*turned).result())


def test_sums_are_of_pictures():
    metric = scored(["a b", "a c", "a d"], ["d e", "f g"])
    rows_NM, of = metric.sums()
    assert len(rows_NM) == 2 and of(rows_NM.sum(0)) == metric.result()
    assert of(rows_NM[0]) == pytest.approx(scored(["a b", "a c", "a d"]).result())


def test_single_and_empty_captions_do_not_count():
    assert scored(["a b", "a c", " "], ["x"], []).result() == scored(["a b", "a c"]).result()
    with pytest.raises(DataError, match=r"no picture has two captions to compare; call update\(\[\[first"):
        scored(["x"]).result()
    with pytest.raises(DataError, match=r"a set is one text \('a dog'\); give lists of texts"):
        scored("a dog")


def test_a_picture_that_adds_nothing_keeps_its_row():
    """So that row by row two systems which lose different pictures are compared on the same ones."""
    rows_NM, of = scored(["x"], ["a b", "a c"], [" ", "y"], ["d e", "f g"]).sums()
    assert rows_NM.any(1).tolist() == [False, True, False, True]
    assert of(rows_NM.sum(0)) == scored(["a b", "a c"], ["d e", "f g"]).result()
    assert of(rows_NM[0])["mbleu_1"] < 1e-3, "a sample of such pictures only"
