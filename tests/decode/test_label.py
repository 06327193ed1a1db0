"""Classes: what is learned of the labels, one or several a row, and labels that training never saw."""

import math

import pytest
import torch

from tuwen.decode.label import UNKNOWN, Config
from tuwen.errors import DataError
from tuwen.types import Feed, Latent, Widths


def fitted(values, **fields):
    part = Config(**fields).build(Widths(4, 3))
    part.fit(values)
    return part.eval()


def test_classes_are_sorted_and_numbered():
    part = fitted(["dog", "cat", "dog", 7])
    assert part.classes == ["7", "cat", "dog"] and not part.several
    data, mask = part.prepare(["cat", 7, " dog "])
    assert data.tolist() == [1, 0, 2] and mask is None


@pytest.mark.parametrize("values", [[["a", "b"], ["a"]], ["a", ["b"]], [("a",), ("b",)]])
def test_a_list_says_that_rows_may_have_several(values):
    assert fitted(values).several


def test_several_labels_are_a_row_of_0_and_1():
    part = fitted([["dog", "grass"], ["cat"], "dog"])
    assert part.prepare([["grass", "dog"], "cat", []])[0].tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]


def test_labels_that_training_never_saw():
    assert fitted(["a", "b"]).prepare(["a", "new", ["b"], ["a", "b"]])[0].tolist() == [0, UNKNOWN, 1, UNKNOWN]
    assert fitted([["a"], ["b"]]).prepare([["a", "new"], ["new"]])[0].tolist() == [[1, 0], [0, 0]]


def test_it_may_be_told_how_many_a_row_has():
    assert fitted(["a", "b"], labels="several").several and not fitted([["a"], ["b"]], labels="one").several


def test_balanced_weights_by_hand():
    # a has 3 of 4 rows, b 1: 4 / (2 * 3) and 4 / (2 * 1). With several labels: without over with, 1/3 and 3/1
    weight = {
        part.several: part.balance_K.tolist() for part in (fitted(["a", "a", "a", "b"]), fitted([["a"]] * 3 + [["b"]]))
    }
    assert weight == {False: pytest.approx([2 / 3, 2]), True: pytest.approx([1 / 3, 3])}


def test_weights_stand_beside_the_targets():
    latent = Latent(torch.randn(4, 3))
    for values in (["a", "a", "a", "b"], [["a"], ["a"], ["a"], ["b"]]):
        part = fitted(values)
        made = part(latent, Feed(part.prepare(values)[0], torch.arange(4)))
        assert made.weight.shape == made.target.shape and made.prediction.shape == (4, 2)
    # 0 of the other class counts 1, a label counts as above
    assert made.weight[0].tolist() == pytest.approx([1 / 3, 1]) and made.weight[3].tolist() == pytest.approx([1, 3])


def test_values_belong_to_rows_by_their_owner():
    part, latent = fitted(["a", "b"], dropout=0.0), Latent(torch.randn(3, 3))
    made = part(latent, Feed(torch.tensor([0, 1]), torch.tensor([2, 0])))
    torch.testing.assert_close(made.prediction, part.logits(latent)[[2, 0]])


def test_probabilities_by_hand():
    logits = torch.tensor([[0.0, math.log(3)]])
    assert fitted(["a", "b"]).probabilities(logits).tolist() == [pytest.approx([1 / 4, 3 / 4])]
    assert fitted([["a"], ["b"]]).probabilities(logits).tolist() == [pytest.approx([1 / 2, 3 / 4])]
    part, latent = fitted(["a", "b"]), Latent(torch.randn(3, 3))
    torch.testing.assert_close(part.make(latent), part.probabilities(part.logits(latent)))


def test_a_hidden_layer_learns_what_no_direction_tells():
    """Exclusive or: by chance, and for any linear layer, at most 3 of 4."""
    torch.manual_seed(0)
    pooled = torch.tensor([[0.0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]])
    right = {}
    for hidden in (0, 16):
        part = fitted(["same", "other", "other", "same"], hidden=hidden, dropout=0.0)
        target = Feed(part.prepare(["same", "other", "other", "same"])[0], torch.arange(4))
        optimiser = torch.optim.Adam(part.parameters(), lr=0.05)
        for _ in range(200):
            made = part(Latent(pooled), target)
            torch.nn.functional.cross_entropy(made.prediction, made.target).backward()
            optimiser.step()
            optimiser.zero_grad()
        right[hidden] = int((part.logits(Latent(pooled)).argmax(1) == target.data).sum())
    assert right[16] == 4 and right[0] < 4


@pytest.mark.parametrize(
    ("values", "fields", "message"),
    [
        ([], {}, "the training part has none as label; there is nothing to tell apart. Two classes are needed; `tuwen data"),
        (["a", "a"], {}, "the training part has only 'a' as label; there is nothing to tell apart"),
        ([["a", "b"], "a"], {"labels": "one"}, "a row has 2 labels (a, b) and has room for one; set decode.label.labels=several"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_learned_are_named(values, fields, message):
    with pytest.raises(DataError) as caught:
        fitted(values, **fields)
    assert message in str(caught.value)
