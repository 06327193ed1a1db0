"""A model directory gives the same model back, or one line that says what is wrong with it."""

import importlib
import json
import sys

import pytest
import torch
from tests.crash import Crash, CrashingOs, FullOs

from tuwen import _files
from tuwen.decode.text_transformer import Config as TextTransformer
from tuwen.directory import load, save
from tuwen.errors import CheckpointError, ConfigError
from tuwen.model import CrossModal
from tuwen.objective.caption import Config as Caption
from tuwen.recipe import FORMAT, Recipe
from tuwen.space.projection import Config as Projection
from tuwen.types import Feed, Latent, Route, Sample

PROBE = '''
"""Numbers as they are, for tests; two names for one weight."""
from dataclasses import dataclass
import torch
from torch import nn
from tuwen.types import Latent, Widths

@dataclass(frozen=True, kw_only=True)
class Config:
    size: int = 6
    """Width."""
    def build(self):
        return Probe(self)

class Probe(nn.Module):
    modality = "image"
    def __init__(self, config):
        super().__init__()
        self.first = nn.Linear(config.size, config.size, bias=False)
        self.second = nn.Linear(config.size, config.size, bias=False)
        self.second.weight = self.first.weight
        self.widths = Widths(config.size, config.size)
    def forward(self, data, mask):
        tokens = self.second(self.first(data))
        return Latent(tokens.mean(1), tokens)
'''
CAPTIONS = ["a red dog runs", "a green cat sleeps", "一只狗在跑"]


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """Drops an encoder file into a folder that encode looks into."""
    folder = importlib.import_module("tuwen.encode")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "probe.py").write_text(PROBE)
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path / "parts")])
    yield importlib.import_module("tuwen.encode.probe")
    sys.modules.pop("tuwen.encode.probe", None)


@pytest.fixture
def model(probe):
    recipe = Recipe(
        name="small",
        encode={"image": probe.Config()},
        space={"image": Projection.tiny()},
        decode={"text": TextTransformer.tiny()},
        objective={"caption": Caption()},
        routes={"caption": Route(given=("image",), make="text")},
    )
    return CrossModal.create(recipe, [Sample("a", {"text": CAPTIONS})])


@pytest.fixture
def path(model, tmp_path):
    save(model, tmp_path / "model")
    return tmp_path / "model"


def logits(model):
    torch.manual_seed(0)
    image = Feed(torch.randn(2, 3, 6), torch.arange(2))
    data, mask = model.decoders["text"].prepare(CAPTIONS[:2])
    with torch.inference_mode():
        latent: Latent = model.latent("image", image)
        return model.decoders["text"](latent, Feed(data, torch.arange(2), mask)).prediction


def test_the_same_model_comes_back(model, path):
    again = load(path)
    assert again.recipe == model.recipe
    assert again.learned() == model.learned()
    assert not again.training
    torch.testing.assert_close(logits(again), logits(model.eval()), rtol=0, atol=0)


def test_tied_weights_are_stored_once_and_stay_tied(path):
    again = load(path)
    assert again.encoders["image"].second.weight is again.encoders["image"].first.weight


def test_a_directory_moves(path, tmp_path):
    path.rename(tmp_path / "moved")
    load(tmp_path / "moved")


def test_files_of_a_directory(path):
    assert sorted(p.name for p in path.iterdir()) == ["card.md", "data.json", "recipe.json", "weights.safetensors"]


def test_no_pickled_code(path):
    """A pickle begins with its protocol, a torch archive is a zip; the files here are JSON, markdown and tensors."""
    for file in path.rglob("*"):
        content = file.read_bytes()
        assert content[:1] != b"\x80" and content[:2] != b"PK", file
        if file.suffix == ".json":
            json.loads(content)
    header = int.from_bytes((path / "weights.safetensors").read_bytes()[:8], "little")
    json.loads((path / "weights.safetensors").read_bytes()[8 : 8 + header])


def test_card_and_figures_are_written_as_given(model, path):
    save(model, path, card="# Mine\n", figures={"cider": 0.5})
    assert (path / "card.md").read_text() == "# Mine\n"
    assert json.loads((path / "figures.json").read_text()) == {"cider": 0.5}
    save(model, path)
    assert not (path / "figures.json").exists(), "those of a model that was here before"


def test_without_a_card_one_is_made(model, path):
    save(model, path, figures={"cider": 0.1234})
    assert "| cider | 0.1234 |" in (path / "card.md").read_text()


def test_other_files_stay(model, path):
    (path / "log.jsonl").write_text("{}\n")
    save(model, path)
    assert (path / "log.jsonl").read_text() == "{}\n"


def test_the_model_has_a_method_for_it(model, tmp_path):
    model.save(tmp_path / "b")
    load(str(tmp_path / "b"))


# -- what can be wrong ---------------------------------------------------------------------------------------------


def message(path):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    return str(caught.value)


def test_a_path_that_does_not_exist(path):
    at = path.with_name("modle")
    assert message(at) == (
        f"there is no model directory {at}. Did you mean 'model'? `tuwen train DATA -o {at}` makes one."
    )


def test_a_path_under_nothing(tmp_path):
    assert "there is no model directory" in message(tmp_path / "a" / "b")


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.jpg").write_text("")
    at = tmp_path / "x"
    assert message(at) == (
        f"{at} is no model directory: it lacks recipe.json, data.json, weights.safetensors; it holds a.jpg. "
        f"`tuwen train DATA -o {at}` makes one."
    )
    (at / "a.jpg").unlink()
    assert "it holds nothing." in message(at)


@pytest.mark.parametrize("name", ["recipe.json", "data.json", "weights.safetensors"])
def test_a_file_is_missing(path, name):
    (path / name).unlink()
    assert f"{path} is an incomplete model directory: it lacks {name}; it holds card.md, " in message(path)


def test_a_training_that_has_saved_no_model(tmp_path):
    (tmp_path / "run" / "state").mkdir(parents=True)
    text = message(tmp_path / "run")
    assert "holds an unfinished training that has saved no model yet" in text
    assert f"Continue it: tuwen train DATA -o {tmp_path / 'run'} --resume" in text


def test_a_file_instead_of_a_folder(path):
    assert message(path / "recipe.json").endswith(f"Did you mean {path}?")
    assert "is a file; a model is a folder with recipe.json, data.json, weights.safetensors" in message(
        path / "card.md"
    )


@pytest.mark.parametrize("name", ["recipe.json", "data.json"])
@pytest.mark.parametrize(
    ("content", "text"), [(b'{"a": ', "damaged: "), (b"\xff\xfe", "damaged: "), (b"[]", "it holds list")]
)
def test_damaged_json(path, name, content, text):
    (path / name).write_bytes(content)
    assert message(path).startswith(f"{path / name} is damaged: ")
    assert text in message(path)


def test_damaged_weights(path):
    whole = (path / "weights.safetensors").read_bytes()
    (path / "weights.safetensors").write_bytes(whole[:-10])
    assert f"weights.safetensors ({len(whole) - 10} bytes) cannot be read as tensors" in message(path)


def test_weights_of_another_width(path):
    raw = json.loads((path / "recipe.json").read_text())
    raw["space"]["image"]["embed"] = 4
    (path / "recipe.json").write_text(json.dumps(raw))
    text = message(path)
    assert (
        f"{path / 'weights.safetensors'} does not fit recipe.json: spaces.image.pooled.bias is (8,), the recipe makes it (4,)"
        in text
    )
    assert "The files of" in text and "belong together" in text


def test_weights_of_another_depth(path):
    raw = json.loads((path / "recipe.json").read_text())
    for layers, what in ((1, "is in no part of the recipe"), (3, "is missing")):
        raw["decode"]["text"]["layers"] = layers
        (path / "recipe.json").write_text(json.dumps(raw))
        text = message(path)
        assert what in text
        assert "more)" in text


def test_what_was_learned_by_another_saving(path):
    (path / "data.json").write_text((path / "data.json").read_text() + " ")
    assert "data.json and weights.safetensors are of two different savings" in message(path)
    assert f"tuwen train DATA -o {path} --resume" in message(path)


def test_a_part_without_what_it_learned(path):
    raw = json.loads((path / "recipe.json").read_text())
    raw["decode"]["caption"] = raw["decode"].pop("text")
    raw["routes"]["caption"]["make"] = "caption"
    (path / "recipe.json").write_text(json.dumps(raw))
    assert f"{path / 'data.json'} does not fit recipe.json: it lacks 'decode.caption'" in message(path)


def test_a_newer_format(path):
    raw = json.loads((path / "recipe.json").read_text())
    (path / "recipe.json").write_text(json.dumps({**raw, "format": FORMAT + 1}))
    with pytest.raises(ConfigError, match=f"this recipe has format {FORMAT + 1}.*pip install -U tuwen"):
        load(path)


def test_a_setting_of_use_may_be_edited(path):
    raw = json.loads((path / "recipe.json").read_text())
    raw["train"]["threads"] = 1
    (path / "recipe.json").write_text(json.dumps(raw))
    assert load(path).recipe.train.threads == 1


def test_a_file_where_the_directory_should_be(model, path):
    with pytest.raises(
        CheckpointError, match=r"card\.md is a file; a model directory is a folder\. Name another with -o\."
    ):
        save(model, path / "card.md")


def test_a_full_disk_keeps_the_model_that_was_there(model, path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    before = logits(load(path))
    monkeypatch.setattr("tuwen.directory.write_tensors", full)
    with pytest.raises(
        CheckpointError, match=r"cannot write .*weights\.safetensors: no space left on the disk .* is intact\."
    ):
        save(model, path)
    torch.testing.assert_close(logits(load(path)), before)


def test_a_full_disk_in_a_new_directory(model, tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "os", FullOs())
    with pytest.raises(CheckpointError, match=r"cannot write .*data\.json: no space left on the disk"):
        save(model, tmp_path / "new")


def test_a_crash_at_any_call_leaves_a_model_that_loads(model, path, monkeypatch):
    """Training saves the same recipe and vocabulary again and again; only the weights change."""
    old = logits(load(path))
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.5)
    new = logits(model.eval())
    recorder = CrashingOs()
    with monkeypatch.context() as patch:
        patch.setattr(_files, "os", recorder)
        save(model, path)
    model.load_state_dict(load(path).state_dict())
    for at in range(len(recorder.calls)):
        with monkeypatch.context() as patch:
            patch.setattr(_files, "os", CrashingOs(at))
            with pytest.raises(Crash):
                save(model, path)
        found = logits(load(path))
        assert torch.allclose(found, new) or torch.allclose(found, old)
