"""How codes are used and foreseen: chance where nothing was learned, better where it was, and the text matters."""

import math

import pytest
import torch
from tests import codes, eight

from tuwen.evaluation import evaluate
from tuwen.judge import codes as judge
from tuwen.types import Decoded


def judged(model, **options):
    return evaluate(model, [model.batch(eight.samples(16), targets=True)], **options)


def test_codes_that_are_foreseen_and_depend_on_the_text():
    found, new = judged(codes.model()), judged(codes.tokenizer())
    assert found.chance["nats_per_code"] == pytest.approx(math.log(16)) and found.chance["code_gap"] == 0.0
    assert found.figures["nats_per_code"] == pytest.approx(found.figures["codes"], rel=1e-5)
    assert found.figures["nats_per_code"] < 0.7 < 2.0 < new.figures["nats_per_code"]
    assert found.figures["code_gap"] > 0.6 > 0.3 > abs(new.figures["code_gap"])
    assert {"code_use", "mse"} <= found.figures.keys()


def test_figures_have_intervals():
    found = judged(codes.model(), bootstrap=True)
    for name in ("nats_per_code", "code_gap"):
        low, high = found.intervals[name]
        assert low <= found.figures[name] <= high and low < high


def test_unshuffled_there_is_no_gap():
    assert "code_gap" not in judged(codes.model(), shuffled=False).figures


def test_surprise_by_hand():
    """Codes of probability 1/2 and 1/4, then 1/4 and 1/4: (ln 2 + ln 4) / 2, and ln 4."""
    share_PTK = torch.tensor([[[0.5, 0.5], [0.25, 0.75]], [[0.25, 0.75], [0.25, 0.75]]])
    nats_P = judge._nats(Decoded(share_PTK.log(), torch.zeros(2, 2, dtype=torch.int64)))
    torch.testing.assert_close(nats_P, torch.tensor([math.log(8) / 2, math.log(4)]))


def test_a_tokenizer_alone_is_judged_by_its_use():
    model = eight.model()
    assert not judge.able(model) and judge.able(codes.model())
