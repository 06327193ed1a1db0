import importlib.util
import shutil

import pytest
from tests.metric._java import java, package

from tuwen.errors import ConfigError, MissingExtraError
from tuwen.metric import _java, meteor


def test_counts_are_summed_before_they_are_divided(tmp_path, monkeypatch):
    """The program here counts words that the first reference has: 2 of 3, and 1 of 1; together 3 of 4."""
    java(tmp_path, "meteor", monkeypatch)
    metric = meteor.Config().build()
    metric.update(["a dog runs", "cat"], [["the dog, it runs", "x"], ["a cat"]])
    assert metric.per_item() == pytest.approx([2 / 3, 1.0]) and metric.result() == {"meteor": pytest.approx(3 / 4)}
    rows_NM, of = metric.sums()
    assert rows_NM.tolist() == [[2, 3], [1, 1]] and of(rows_NM[0]) == {"meteor": pytest.approx(2 / 3)}


def test_updates_add_up_and_an_empty_caption_is_kept(tmp_path, monkeypatch):
    java(tmp_path, "meteor", monkeypatch)
    metric = meteor.Config().build()
    metric.update(["a dog"], [["a dog"]])
    assert metric.result()["meteor"] == 1.0
    metric.update([""], [["a dog"]])
    assert metric.per_item() == [1.0, 0.0] and len(metric.sums().rows_NM) == 2


def test_a_program_that_ends_is_named_with_its_complaint(tmp_path, monkeypatch):
    java(tmp_path, "broken", monkeypatch)
    metric = meteor.Config().build()
    metric.update(["a dog"], [["a dog"]])
    with pytest.raises(ConfigError) as caught:
        metric.result()
    assert str(caught.value) == (
        "metric.meteor: its Java program ended with status 3: java.lang.UnsupportedClassVersionError: too new. Try another "
        "Java runtime (JAVA_HOME=FOLDER), or leave meteor out of --metrics."
    )


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    package(tmp_path, monkeypatch, meteor)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="metric.meteor needs Java, and there is no program 'java' on the PATH or in"):
        meteor.Config().build()
    (tmp_path / "meteor" / "meteor-1.5.jar").unlink()
    with pytest.raises(ConfigError, match="needs .*meteor-1.5.jar, which is not there; install the package anew"):
        meteor.Config().build()


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        MissingExtraError, match=r"metric.meteor needs the extra 'captions-java': pip install 'tuwen\[c"
    ):
        _java.folder("meteor")


@pytest.mark.slow
def test_agrees_with_pycocoevalcap():
    peer = pytest.importorskip("pycocoevalcap.meteor.meteor", reason="pycocoevalcap is not installed")
    if not shutil.which("java"):
        pytest.skip("there is no Java")
    said, told = ["a dog runs", "a cat sat there"], [["the dog ran fast", "a dog"], ["a cat sits", "one kitten"]]
    metric = meteor.Config().build()
    metric.update(said, told)
    program = peer.Meteor()
    total, each = program.compute_score(dict(enumerate(told)), {i: [text] for i, text in enumerate(said)})
    program.meteor_p.stdout.close(), program.meteor_p.stderr.close()
    assert metric.result()["meteor"] == pytest.approx(total, abs=1e-9)
    assert metric.per_item() == pytest.approx(each, abs=1e-9) and all(0 < one < 1 for one in each)
