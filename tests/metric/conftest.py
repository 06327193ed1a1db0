"""Reference captions, only where TUWEN_DATA names a folder that has them."""

import json
import os
import random
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def coco_scores():
    """Scores of the thousand candidate captions of coco-caption's own example."""
    from tuwen.metric._captions import score_captions

    folder = Path(os.environ.get("TUWEN_DATA", "missing")) / "coco_caption_eval"
    if not folder.is_dir():
        pytest.skip("needs coco_caption_eval/ in the folder that TUWEN_DATA names")
    predictions = {
        row["image_id"]: row["caption"]
        for row in json.loads((folder / "captions_val2014_fakecap_results.json").read_text())
    }
    references = {key: [] for key in predictions}
    for row in json.loads((folder / "captions_val2014_1000.json").read_text())["annotations"]:
        references[row["image_id"]].append(row["caption"])
    return score_captions(predictions, references)


@pytest.fixture(scope="session")
def babble():
    """60 predictions and 1 to 5 references each, of few words, so that all lengths of n-grams are shared."""
    draw = random.Random(0)

    def sentence():
        return " ".join(draw.choices("abcdef", k=draw.randint(1, 9)))

    predictions = [sentence() for _ in range(60)]
    return predictions, [[sentence() for _ in range(draw.randint(1, 5))] for _ in predictions]
