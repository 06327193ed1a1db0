import pytest
from tests.metric._java import java

from tuwen.errors import ConfigError
from tuwen.metric import spice


def test_scores_are_read_from_the_program(tmp_path, monkeypatch):
    """The program here gives 1 where the caption is one of the references, and no number to an empty one."""
    java(tmp_path, "spice", monkeypatch)
    metric = spice.Config().build()
    metric.update(["A dog.", "a cat", ""], [["a dog", "x"], ["the cat"], ["a cow"]])
    assert metric.per_item() == [1.0, 0.0, 0.0] and metric.result() == {"spice": pytest.approx(1 / 3)}
    assert metric.sums().of(metric.sums().rows_NM[:2].sum(0)) == {"spice": 0.5}
    assert sorted(path.name for path in (tmp_path / "spice").iterdir()) == ["lib", "spice-1.0.jar"], (
        "nothing is left there"
    )


def test_a_program_that_fails_is_named(tmp_path, monkeypatch):
    java(tmp_path, "broken", monkeypatch)
    metric = spice.Config().build()
    metric.update(["a dog"], [["a dog"]])
    with pytest.raises(ConfigError, match="metric.spice: its Java program ended with status 3: java.lang.Unsupported"):
        metric.result()


def test_missing_models_are_not_fetched_but_named(tmp_path, monkeypatch):
    java(tmp_path, "spice", monkeypatch)
    (tmp_path / "spice" / "lib" / "stanford-corenlp-3.6.0-models.jar").unlink()
    with pytest.raises(
        ConfigError, match="needs the models of Stanford CoreNLP 3.6.0, and there is no .*`python -m pyc"
    ):
        spice.Config().build()
