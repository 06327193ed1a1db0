"""What people said of pictures that are alike: found by their vectors, heard by minimum Bayes risk, of the right model alone."""

import json
import os

import numpy as np
import pytest
import torch
from tests import eight

from tuwen import cli
from tuwen.data._vectors import Vector, open_sink, read_vectors
from tuwen.errors import CannotError, ConfigError
from tuwen.task._neighbours import Neighbours, neighbours_of
from tuwen.types import Latent


def vector(key, place, text=""):
    return Vector(key=key, field="text" if text else "image", text=text, place=np.array(place, np.float32))


def of(*place):
    return Latent(pooled=torch.tensor([place]))


def write(path, vectors):
    with open_sink(str(path)) as sink:
        sink.write(vectors)
    return str(path)


def near_by(shift=12):
    """Vectors of pictures a little darker than the eight, and of what is said of them: "so very red"."""
    model, made = eight.model(), []
    for row in eight.samples():
        darker = np.clip(row.fields["image"].astype(int) - shift, 0, 255).astype(np.uint8)
        text = f"so very {row.key}"
        made.append(Vector(key=row.key, field="image", text="", place=model.encode([darker], field="image")[0].numpy()))
        made.append(Vector(key=row.key, field="text", text=text, place=model.encode([text], field="text")[0].numpy()))
    return made


def test_shares_by_hand():
    """Cosines 0.8 and 0.6, ten times their difference: the second picture has 1 of 1 + e^2, and its texts half each."""
    found = Neighbours(
        [vector("a", [1, 0]), vector("a", [0, 1], "one"), vector("b", [0, 1]), vector("b", [0, 1], "two"), vector("b", [0, 1], "one")]
    )  # fmt: skip
    [shares] = found(of(4.0, 3.0), 5)
    second = 1 / (1 + np.exp(2))
    assert shares == pytest.approx({"one": 1 - second / 2, "two": second / 2}, abs=1e-5)
    [nearest] = found(of(4.0, 3.0), 1)
    assert nearest == pytest.approx({"one": 1.0})


def test_a_picture_does_not_hear_its_own_texts():
    found = Neighbours(
        [vector("a", [1, 0]), vector("a", [0, 1], "own"), vector("b", [0, 1]), vector("b", [0, 1], "other")]
    )
    [shares] = found(of(2.0, 0.0), 2)
    assert shares == {"other": 1.0}


def test_alone_in_the_file_it_hears_nothing():
    found = Neighbours([vector("a", [1, 0]), vector("a", [0, 1], "own")])
    assert found(of(2.0, 0.0), 3) == [{}]


def test_what_has_no_partner_is_passed_over():
    found = Neighbours(
        [vector("a", [1, 0]), vector("b", [1, 0]), vector("b", [0, 1], "said"), vector("c", [0, 1], "lost")]
    )
    assert found.texts == [["said"]] and found.picture_ND.shape == (1, 2)


@pytest.mark.parametrize("name", ["v.npy", "v.parquet"])
def test_both_files_are_read_as_they_were_written(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="Parquet needs the extra 'parquet'")
    wanted = near_by()
    found = read_vectors(write(tmp_path / name, wanted))
    assert [(one.key, one.field, one.text) for one in found] == [(one.key, one.field, one.text) for one in wanted]
    assert all(np.array_equal(one.place, other.place) for one, other in zip(found, wanted, strict=True))


def test_what_is_said_of_pictures_that_are_alike_is_said(tmp_path):
    """The model has learned "a red picture" and "this is red" by heart; the neighbours say which words count: chance 1 in 2."""
    model, vectors = eight.model(), near_by()
    for begin in ("this is", "a"):
        said = [vector_of(model, one.key, _as(begin, one.key)) if one.text else one for one in vectors]
        path = write(tmp_path / f"{begin[0]}.npy", said)
        asked = {"method": "mbr", "seed": 1, "temperature": 1.0}
        heard = [model.caption(row.fields["image"], **asked, neighbours=path).caption for row in eight.samples()]
        assert heard == [_as(begin, row.key) for row in eight.samples()]


def _as(begin, key):
    return f"this is {key}" if begin == "this is" else f"a {key} picture"


def vector_of(model, key, text):
    return Vector(key=key, field="text", text=text, place=model.encode([text], field="text")[0].numpy())


def test_another_file_of_that_name_is_read_anew(tmp_path):
    model, path = eight.model(), write(tmp_path / "v.npy", near_by())
    assert len(neighbours_of(model, path).texts) == 8 and neighbours_of(model, path) is neighbours_of(model, path)
    write(tmp_path / "v.npy", near_by()[:4])
    os.utime(path, ns=(1, 1))
    assert len(neighbours_of(model, path).texts) == 2


def test_vectors_of_another_model_are_refused(tmp_path):
    turned = [Vector(key=one.key, field=one.field, text=one.text, place=one.place[::-1].copy()) for one in near_by()]
    shorter = [Vector(key=one.key, field=one.field, text=one.text, place=one.place[:8]) for one in near_by()]
    for number, vectors in enumerate((turned, shorter)):
        path = write(tmp_path / f"{number}.npy", vectors)
        with pytest.raises(ConfigError, match="are not those of the model that matches here; make them with it: tuwen"):
            neighbours_of(eight.model(), path)


def test_what_cannot_be_read_is_said(tmp_path):
    model = eight.model()
    with pytest.raises(CannotError, match="was not trained to find pictures that are alike; it can: caption"):
        neighbours_of(eight.model(match=False), write(tmp_path / "v.npy", near_by()))
    with pytest.raises(ConfigError, match=r"photos is no file of vectors; such files are made by: tuwen embed"):
        neighbours_of(model, "photos")
    with pytest.raises(ConfigError, match=r"there is no file none\.npy; such files are made by"):
        neighbours_of(model, "none.npy")
    (tmp_path / "torn.npy").write_bytes(b"torn")
    (tmp_path / "torn.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match=r"torn\.npy cannot be read as vectors .*; make it again: such files"):
        neighbours_of(model, str(tmp_path / "torn.npy"))
    pictures = [one for one in near_by() if one.field == "image"]
    with pytest.raises(ConfigError, match="has no pictures with texts of the same rows; embed both: tuwen embed"):
        neighbours_of(model, write(tmp_path / "p.npy", pictures))
    with pytest.raises(ConfigError, match="which has no effect with method=beam. Leave it out, or set method to mbr"):
        model.caption(eight.samples()[0].fields["image"], neighbours="v.npy")


def test_from_the_command_line(tmp_path, capsys):
    eight.write_pictures(tmp_path / "photos")
    model, photos, out = str(eight.directory()), str(tmp_path / "photos"), str(tmp_path / "v.npy")
    assert cli.main(["embed", model, photos, "-o", out]) == 0
    capsys.readouterr()
    way = ["--method", "mbr", "--neighbours", out, "--json"]
    assert cli.main(["caption", model, f"{photos}/red.png", *way]) == 0
    assert "red" in json.loads(capsys.readouterr().out)["caption"]
    asked = ["evaluate", model, photos, "--split", "train", "--set", "data.val=0", "--set", "data.test=0"]
    assert cli.main([*asked, *way]) == 0
    assert json.loads(capsys.readouterr().out)["figures"]["num_captions"] == 8


def test_a_wrong_file_is_said_once_and_no_picture_is_blamed(tmp_path, capsys):
    eight.write_pictures(tmp_path / "photos", captions=False)
    asked = ["caption", str(eight.directory()), str(tmp_path / "photos"), "--method", "mbr", "--neighbours", "none.npy"]
    for more in ([], ["--on-error", "skip"]):
        assert cli.main([*asked, *more]) == 2
        said = capsys.readouterr().err
        assert said.count("there is no file none.npy") == 1 and "skip" not in said and "could be read" not in said
