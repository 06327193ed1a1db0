"""The confidence of captions: fitted where the truth is known, kept as JSON, refused where nothing can be fitted."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tuwen.confidence import Confidence, cross_fitted, enough, fit
from tuwen.errors import CheckpointError, DataError
from tuwen.metric.calibration import equal_mass, error


def drawn(num, seed=0, strength=2.0):
    """What is known of captions, one number that tells and one that does not, and a CIDEr that follows the first."""
    draw = np.random.default_rng(seed)
    known = {"logprob": draw.normal(-1.0, 0.3, num), "tokens": draw.normal(10, 2, num)}
    telling = strength * (known["logprob"] + 1.0) / 0.3
    return known, np.exp(telling + draw.logistic(size=num))


def test_finds_what_tells():
    """CIDEr is above its median with the probability sigmoid(2 z): the coefficients of z and of noise are 2 and 0."""
    known, cider = drawn(4000)
    found = fit(known, cider)
    assert found.weight["logprob"] == pytest.approx(2.0, abs=0.2) and abs(found.weight["tokens"]) < 0.15
    assert found.cider == np.median(cider) and found.num == 4000


def test_is_logistic_regression():
    known, cider = drawn(300)
    found = fit(known, cider)
    scaled = np.column_stack([(known[name] - known[name].mean()) / known[name].std() for name in known])
    peer = LogisticRegression(C=1.0, tol=1e-10).fit(scaled, cider > np.median(cider))
    assert found(known) == pytest.approx(peer.predict_proba(scaled)[:, 1], abs=1e-5)


def test_is_as_good_as_it_says_on_rows_that_it_has_not_seen():
    """0.04 is what ten bins of 100 give a perfect one by chance; without a connection it says 0.5 of all."""
    known, cider = drawn(1000, seed=1)
    sure, right = cross_fitted(known, cider), cider > np.median(cider)
    assert error(equal_mass(sure, right, np.ones(1000), 10)) < 0.05
    assert cider[sure > np.median(sure)].mean() > 1.3 * cider.mean()
    noise = cross_fitted({name: value[::-1] for name, value in known.items()}, cider)
    assert np.abs(noise - 0.5).max() < 0.25 and np.ptp(sure) > 0.9


def test_a_caption_is_judged_by_the_other_half_only():
    known, cider = drawn(100)
    before = cross_fitted(known, cider)
    half = np.random.default_rng(0).permutation(100) % 2 == 0
    turned, order = cider.copy(), np.flatnonzero(half)[np.argsort(cider[half])]
    turned[order] = cider[order[::-1]]  # the best becomes the worst; the median stays
    after = cross_fitted(known, turned)
    assert after[half] == pytest.approx(before[half]) and not np.allclose(after[~half], before[~half])


def test_survives_json():
    known, cider = drawn(60)
    found = fit(known, cider, written={"use": "beam"})
    again = Confidence.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found and again(known) == pytest.approx(found(known))


def test_a_number_that_never_changes_is_no_trouble():
    known, cider = drawn(60)
    found = fit({**known, "tokens": np.full(60, 3.0)}, cider)
    assert (
        found.weight["tokens"] == 0 and np.isfinite(found({"logprob": known["logprob"], "tokens": np.zeros(60)})).all()
    )


def test_what_cannot_be_fitted_is_named():
    with pytest.raises(DataError, match="39 captions with references are too few to fit a confidence on; it takes 40"):
        enough(39)
    known, _ = drawn(50)
    with pytest.raises(
        DataError, match="no captions are better than CIDEr 0, so there is nothing to tell apart; train"
    ):
        fit(known, np.zeros(50))
    with pytest.raises(DataError, match="all captions are better than CIDEr -1, so there is nothing to tell apart"):
        fit(known, np.zeros(50), cider=-1.0)


def test_a_damaged_or_newer_file_is_named():
    raw = fit(*drawn(60)).to_dict()
    with pytest.raises(CheckpointError, match=r"m/calibration.json has format 9 and this tuwen reads up to 1; update"):
        Confidence.from_dict({**raw, "format": 9}, "m/calibration.json")
    del raw["bias"]
    with pytest.raises(
        CheckpointError, match="calibration.json is damaged: it lacks 'bias'. Calibrate anew: tuwen eval"
    ):
        Confidence.from_dict(raw)
