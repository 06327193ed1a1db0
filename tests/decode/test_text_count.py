"""How rare phrases are: counted by picture, kept in the model directory, counted anew in another run."""

import json

import pytest
from tests import eight

from tuwen.directory import load, save
from tuwen.metric._consensus import Consensus
from tuwen.model import CrossModal
from tuwen.types import Sample


def created(rows, **more):
    return CrossModal.create(eight.recipe(match=False), rows, **more)


def captions(*texts):
    """The eight pictures, with these captions each."""
    return [Sample(row.key, {**row.fields, "text": list(texts)}) for row in eight.samples()]


def test_two_captions_of_a_picture_are_one_document():
    consensus = created(captions("a red dog", "a red cat")).decoders["text"].consensus
    assert (consensus.num_documents, consensus.holders["red"], consensus.holders["a red"]) == (8, 8, 8)


def test_what_is_written_stays_the_same_after_loading(tmp_path):
    model = eight.model(match=False)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.decoders["text"].consensus.holders == model.decoders["text"].consensus.holders
    images = [row.fields["image"] for row in eight.samples()]
    for ours, theirs in zip(*(one.caption(images, method="mbr", best=4) for one in (model, again)), strict=True):
        assert ours == theirs


def test_with_more_phrases_than_are_kept_they_weigh_the_same_after_loading():
    """A directory keeps 20,000; what is left out there is left out in memory."""
    words = [f"w{place}" for place in range(26_000)]
    texts = [" ".join(words[at : at + 20]) for at in range(0, len(words), 20)]
    decoder = eight.model(match=False).decoders["text"]
    decoder.count([texts, texts])
    kept = Consensus.from_dict(json.loads(json.dumps(decoder.learned()["consensus"])))
    assert len(decoder.consensus.holders) == 20_000 and kept.holders == decoder.consensus.holders


def test_a_run_counts_what_it_learns_from_itself():
    first = created(captions("a red dog"))
    second = created(captions("two birds", "a bird"), learned=first.learned())
    assert second.decoders["text"].tokenizer.to_json() == first.decoders["text"].tokenizer.to_json()
    holders = second.decoders["text"].consensus.holders
    assert holders["two birds"] == 8 and "red" not in holders


def test_a_model_that_was_made_without_writes_all_the_same():
    """All phrases count alike, and say so: nothing is counted."""
    model = eight.model(match=False)
    learned = model.learned()
    del learned["decode.text"]["consensus"]
    bare = CrossModal.restored(model.recipe, learned).eval()
    bare.load_state_dict(model.state_dict())
    assert bare.decoders["text"].consensus is None and "consensus" not in bare.learned()["decode.text"]
    image = eight.samples()[0].fields["image"]
    assert bare.caption(image, method="mbr").caption


@pytest.mark.parametrize("texts", [[""], ["", " "]])
def test_without_texts_nothing_is_counted(texts):
    decoder = eight.model(match=False).decoders["text"]
    kept = decoder.consensus
    try:
        decoder.count([texts] * 3)
        assert decoder.consensus.num_documents == 0 and not decoder.consensus.holders
    finally:
        decoder.consensus = kept
