"""Networks that look at pictures: a classifier and a matcher of tuwen, and a vision model in a folder."""

import numpy as np
import pytest
from tests import drawing, eight

from tuwen.data._config import Data
from tuwen.directory import save
from tuwen.errors import CannotError, ConfigError, DataError
from tuwen.judge._eyes import Eyes, matcher_of, open_eye, real
from tuwen.types import Sample

IMAGES = [sample.fields["image"] for sample in eight.samples()]


def test_a_classifier_names_and_has_features(tmp_path):
    save(eight.classifier(), tmp_path / "model")
    eye = open_eye(str(tmp_path / "model"))
    glance = eye.look(IMAGES)
    assert glance.named == [sample.key for sample in eight.samples()] and set(eye.classes) == set(eight.COLOURS)
    assert glance.feature_ND.shape == (8, 256) and glance.feature_ND.dtype == np.float64
    assert matcher_of(eye) is None


def test_several_labels_name_none(tmp_path):
    save(eight.classifier(several=True), tmp_path / "model")
    eye = open_eye(str(tmp_path / "model"))
    assert eye.classes == eye.look(IMAGES[:2]).named == []


def test_a_model_that_matches_compares_by_angle():
    eye = open_eye(str(eight.directory()))
    feature_ND = eye.look(IMAGES).feature_ND
    assert np.linalg.norm(feature_ND, axis=1) == pytest.approx(np.ones(8)) and eye.classes == []
    texts = [sample.fields["text"][0] for sample in eight.samples()]
    assert (feature_ND @ matcher_of(eye).texts(texts).T).argmax(1).tolist() == list(range(8))


def test_a_vision_model_of_transformers():
    pytest.importorskip("transformers", reason="the extra 'pretrained' is not installed")
    from tuwen.encode.image_pretrained import tiny_source

    eye = open_eye(tiny_source())
    glance = eye.look(IMAGES[:3])
    assert glance.feature_ND.shape == (3, 16) and glance.named == eye.classes == [] and matcher_of(eye) is None
    np.testing.assert_allclose(eye.look(IMAGES[1:2]).feature_ND, glance.feature_ND[1:2], atol=1e-6)


def test_what_is_no_network_is_named(tmp_path):
    save(drawing.model(), tmp_path / "draws")
    with pytest.raises(
        CannotError, match="names a model that reads no pictures; it can: draw. `tuwen train DATA -r clas"
    ):
        open_eye(str(tmp_path / "draws"))
    with pytest.raises(
        ConfigError, match="--features /no/such: .* no folder '/no/such'.* The Inception network of publi"
    ):
        open_eye("/no/such")


def test_training_pictures_are_looked_at_once(monkeypatch):
    eye = open_eye(str(eight.directory()))
    rows = [*eight.samples(), Sample("no picture", {"text": "a"})]
    eyes = Eyes(eye, known=rows)
    known, first = eyes.known_at(16)
    monkeypatch.setattr(eye, "look", None)
    assert eyes.known_at(16)[1] is first and len(first) == 8 == len(known)
    assert Eyes(eye).known_at(16)[0] == []


def test_training_pictures_that_cannot_be_read(tmp_path):
    eye = open_eye(str(eight.directory()))
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    broken = Sample("torn", {"image": tmp_path / "torn.jpg"}, where="row 9")
    rows = [*eight.samples()[:3], broken, *eight.samples()[3:]]
    with pytest.raises(DataError, match=r"torn.jpg \(row 9\)"):
        Eyes(eye, known=rows).known_at(16)
    eyes = Eyes(eye, known=rows, options=Data(on_error="skip"))
    known, feature_KD = eyes.known_at(16)
    assert (
        [row.key for row in known] == [row.key for row in eight.samples()]
        and len(feature_KD) == 8
        and "torn.jpg" in eyes.broken["torn"]
    )


def test_real_pictures_are_as_large_as_drawn_ones():
    assert real(IMAGES[0], 16).shape == (16, 16, 3) and (real(IMAGES[0], 16) == IMAGES[0][0, 0]).all()
    assert real(np.zeros((8, 12, 1), np.uint8), 16).shape == (16, 16, 3)
