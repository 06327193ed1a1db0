"""The reward of one caption is what CIDEr-D of the whole set gives it, and the end of a text counts."""

import math

import pytest

from tuwen.metric._consensus import Consensus
from tuwen.metric.cider import Cider

REFERENCES = [
    ["A red dog runs over the grass.", "a dog runs"],
    ["two green birds sit on a branch", "Two birds on a long branch .", "birds"],
    ["a man in a red shirt jumps", "the man jumps over a dog"],
    ["a dog and a bird", "one dog, one bird"],
]
SAID = ["a red dog runs on grass", "two birds sit on a branch", "a dog jumps", ""]


def test_with_the_same_documents_it_is_cider():
    whole = Cider()
    whole.update(SAID[:3], REFERENCES[:3])
    alone = Consensus(REFERENCES[:3], end=False)
    found = [alone.scores([text], group)[0] for text, group in zip(SAID, REFERENCES[:3], strict=False)]
    assert found == pytest.approx(whole.per_item(), abs=1e-9)
    assert min(found[:2]) > 1 and alone.scores(SAID[:2], REFERENCES[1])[1] == found[1]


def test_without_documents_it_is_cider_without_rarity():
    whole = Cider(rarity=False)
    whole.update(SAID[:3], REFERENCES[:3])
    alone = Consensus(end=False)
    found = [alone.scores([text], group)[0] for text, group in zip(SAID, REFERENCES[:3], strict=False)]
    assert found == pytest.approx(whole.per_item(), abs=1e-9)


def test_by_hand():
    """Of two documents 'dog' is in one, 'a' in both: only 'dog', 'a dog' and 'dog <end>', 'a dog <end>' count."""
    reward = Consensus([["a dog"], ["a bird"]])
    assert reward.scores(["a dog"], ["a dog"])[0] == pytest.approx(10 * 3 / 4)  # there is no run of four tokens
    # 'dog' of order 1 (and 'a' and the end weigh nothing) is whole, 'a dog' is one of two equal parts of order 2
    [broken] = reward.scores(["a dog"], ["a dog"], [False])
    assert broken == pytest.approx(10 / 4 * (1 + math.sqrt(1 / 2)) * math.exp(-1 / 72))


def test_a_text_that_breaks_off_is_worth_less():
    reward = Consensus(REFERENCES)
    whole, broken = (reward.scores(["a dog runs"], REFERENCES[0], [end])[0] for end in (True, False))
    assert broken < 0.8 * whole


@pytest.mark.parametrize("references", [[], [""], REFERENCES[0]])
def test_nothing_that_is_said_or_compared_with_is_worth_nothing(references):
    assert Consensus(REFERENCES).scores(["", " . "], references, [False, False]) == [0.0, 0.0]
    assert Consensus(REFERENCES).scores(["two men"], []) == [0.0]
