import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from tuwen.encode.text_bow import Config
from tuwen.errors import ConfigError, DataError

TEXTS = ["a red dog runs", "a dog and a red cat", "two green birds", "a bird sits on a red dog"]


def made(texts=TEXTS, **option):
    part = replace(Config.tiny(), **option).build()
    part.fit(texts)
    return part


def vector(part, text):
    values = part.prepare([text])[0][0]
    return {term: values[i].item() for i, term in enumerate(part.learned()["vocabulary"]) if values[i]}


def test_a_hand_worked_vector():
    # in two texts "a" is in both: idf ln(3/3) + 1 = 1; "dog" in one: ln(3/2) + 1 = 1.4055; length sqrt(1 + 1.9754) = 1.7249
    part = made(["a dog", "a"], longest=1)
    assert vector(part, "a dog") == pytest.approx({"a": 0.5797, "dog": 0.8148}, abs=1e-4)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("weighting", ["tfidf", "counts"])
@pytest.mark.parametrize("unit", ["word", "char"])
def test_it_is_what_scikit_learn_computes(log, weighting, unit):
    part = made(log=log, weighting=weighting, unit=unit, longest=2)
    split = {"token_pattern": r"\w+"} if unit == "word" else {"analyzer": "char_wb"}
    theirs = TfidfVectorizer(
        ngram_range=(1, 2), max_features=40, use_idf=weighting == "tfidf", sublinear_tf=log, **split
    )
    expected = theirs.fit(TEXTS).transform([*TEXTS, "a a a dog", "unseen"]).toarray()
    np.testing.assert_allclose(part.prepare([*TEXTS, "a a a dog", "unseen"])[0].numpy(), expected, atol=1e-6)


def test_counts_without_logarithm_are_counts():
    part = made(weighting="counts", log=False, longest=1)
    # twice a, once dog: (2, 1) / sqrt(5)
    assert vector(part, "A dog, a") == pytest.approx({"a": 0.8944, "dog": 0.4472}, abs=1e-4)


def test_the_commonest_features_are_kept():
    assert len(made(features=3).learned()["vocabulary"]) == 3
    assert "red" in made(features=3, longest=1).learned()["vocabulary"]


def test_rare_features_are_left_out():
    assert set(made(min_texts=3, longest=1).learned()["vocabulary"]) == {"a", "dog", "red"}


def test_scripts_without_spaces_are_read_letter_by_letter():
    assert {"红", "圆", "红 圆"} <= set(made(["红圆", "红方"]).learned()["vocabulary"])


def test_runs_of_characters_forgive_a_misspelling():
    words, runs = (made(unit=unit, longest=3 if unit == "char" else 1, features=400) for unit in ("word", "char"))
    cosine = [float(part.prepare(["birds"])[0] @ part.prepare(["birdz"])[0].T) for part in (words, runs)]
    assert cosine[0] == 0 and cosine[1] > 0.3


def test_a_text_without_known_words_is_the_zero_vector():
    assert not made().prepare(["unseen", ""])[0].any()


def test_the_only_token_is_the_pooled_vector():
    part = made()
    latent = part(*part.prepare(TEXTS))
    torch.testing.assert_close(latent.tokens[:, 0], latent.pooled)


def test_what_it_learned_is_json_and_enough():
    part = made()
    other = Config.tiny().build()
    other.restore(json.loads(json.dumps(part.learned())))
    assert torch.equal(other.prepare(TEXTS)[0], part.prepare(TEXTS)[0]) and other.widths == part.widths


def test_it_has_no_weights_and_stays_frozen():
    part = made().train()
    assert not list(part.parameters()) and not part.training and part.frozen


def test_no_words_to_learn_from_is_said():
    with pytest.raises(
        DataError, match=r"none is in 2 of the 3 training texts\. `tuwen data DATA`.*min_texts=1 takes every"
    ):
        made(["a", "b", "c"], min_texts=2)
    with pytest.raises(DataError, match="there are no words to learn from"):
        made(["", "  "])


def test_options_that_cannot_work_say_what_can():
    with pytest.raises(ConfigError, match=r"text_bow: features is 0; it is 1 or more\. Set features=1\."):
        Config(features=0).build()
    with pytest.raises(ConfigError, match=r"longest is 1 and shortest is 2; set longest=2 or more\."):
        Config(shortest=2, longest=1).build()
