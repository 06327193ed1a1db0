"""The reward of one caption is what CIDEr-D of the whole set gives it, and the end of a text counts."""

import json
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
    found = alone.scores(SAID[:3], REFERENCES[:3])
    assert found == pytest.approx(whole.per_item(), abs=1e-9)
    assert min(found[:2]) > 1 and alone.scores(SAID[1:2], REFERENCES[1:2]) == pytest.approx(found[1:2], abs=1e-12)


def test_rarity_is_that_of_the_documents_and_not_of_what_is_scored():
    """A set that scores another one: the weights of the n-grams that both have, and of those that no document has."""
    said = ["a zebra runs over the blue grass .", "two birds sit on a zebra"]
    alone, whole = Consensus(REFERENCES, end=False), Cider()
    whole.update([*said, *SAID[2:]], REFERENCES)
    assert alone.scores(said, REFERENCES[:2]) == pytest.approx(whole.per_item()[:2], abs=1e-9)
    assert "zebra" not in alone.holders, "what is scored leaves nothing behind"


def test_pictures_without_captions_are_no_documents():
    plain, holes = Consensus(REFERENCES), Consensus([*REFERENCES, [], ["", " "]])
    assert holes.num_documents == 4 and holes.scores(SAID, REFERENCES) == plain.scores(SAID, REFERENCES)


def test_without_documents_it_is_cider_without_rarity():
    whole = Cider(rarity=False)
    whole.update(SAID[:3], REFERENCES[:3])
    alone = Consensus(end=False)
    found = alone.scores(SAID[:3], REFERENCES[:3])
    assert found == pytest.approx(whole.per_item(), abs=1e-9)


def test_by_hand():
    """Of two documents 'dog' is in one, 'a' in both: only 'dog', 'a dog' and 'dog <end>', 'a dog <end>' count."""
    reward = Consensus([["a dog"], ["a bird"]])
    assert reward.scores(["a dog"], [["a dog"]])[0] == pytest.approx(10 * 3 / 4)  # there is no run of four tokens
    # 'dog' of order 1 (and 'a' and the end weigh nothing) is whole, 'a dog' is one of two equal parts of order 2
    [broken] = reward.scores(["a dog"], [["a dog"]], [False])
    assert broken == pytest.approx(10 / 4 * (1 + math.sqrt(1 / 2)) * math.exp(-1 / 72))


def test_a_text_that_breaks_off_is_worth_less():
    reward = Consensus(REFERENCES)
    whole, broken = (reward.scores(["a dog runs"], REFERENCES[:1], [end])[0] for end in (True, False))
    assert broken < 0.8 * whole


@pytest.mark.parametrize("references", [[], [""], REFERENCES[0]])
def test_nothing_that_is_said_or_compared_with_is_worth_nothing(references):
    assert Consensus(REFERENCES).scores(["", " . "], [references] * 2, [False, False]) == [0.0, 0.0]
    assert Consensus(REFERENCES).scores(["two men"], [[]]) == [0.0] and Consensus(REFERENCES).scores([], []) == []
    assert Consensus([["dog"], ["cat"]]).scores(["a dog runs over it"], [["a dog runs over it"]])[0] > 9, "no long runs"


def test_agreement_is_the_score_against_all_texts_by_their_voices():
    reward = Consensus(REFERENCES)
    alike = [reward.scores(SAID, [[text]] * len(SAID)) for text in SAID]
    voices = [0.1, 0.2, 0.3, 0.4]
    by_hand = [sum(v * row[i] for v, row in zip(voices, alike, strict=True)) for i in range(len(SAID))]
    assert reward.agreed(SAID, voices) == pytest.approx(by_hand)
    heard = reward.scores(SAID, [["a dog runs"]] * len(SAID))
    with_other = [own + 0.7 * other for own, other in zip(by_hand, heard, strict=True)]
    assert reward.agreed(SAID, voices, others={"a dog runs": 0.7}) == pytest.approx(with_other)


def test_what_is_kept_scores_alike_and_the_rest_counts_as_never_seen():
    whole = Consensus(REFERENCES)
    kept = Consensus.from_dict(json.loads(json.dumps(whole.to_dict())))
    assert kept.scores(SAID, REFERENCES) == pytest.approx(whole.scores(SAID, REFERENCES))
    few = whole.to_dict(most=3)
    assert len(few["holders"]) == 3 and few["documents"] == len(REFERENCES)
    assert min(few["holders"].values()) >= max(n for name, n in whole.holders.items() if name not in few["holders"])
    assert Consensus.from_dict(few).scores(SAID, REFERENCES) != pytest.approx(whole.scores(SAID, REFERENCES))
