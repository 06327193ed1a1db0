"""A file in a part folder is the registration: listed, gettable, usable in a recipe, and held to its contract."""

import json
import os
import shutil
import subprocess
import sys
import types
from importlib import import_module
from pathlib import Path

import pytest

from tuwen import registry
from tuwen.errors import ConfigError, UnknownNameError
from tuwen.recipe import Recipe

ROOT = Path(__file__).parents[1]


class Plugin:
    """Stands for an entry point."""

    value = "somewhere.else:part"

    def load(self):
        return types.SimpleNamespace(Config=dict, __name__="somewhere.else")


@pytest.fixture
def plugged(monkeypatch):
    """Gives a function that installs a plugin of one kind."""

    def install(kind, name):
        known = registry._plugins
        monkeypatch.setattr(registry, "_plugins", lambda k: {name: Plugin()} if k == kind else known(k))

    return install


@pytest.fixture
def dropped(tmp_path, monkeypatch):
    """Copies space/projection.py under a new name into a folder that space looks into."""
    folder = import_module("tuwen.space")
    shutil.copy(Path(folder.__path__[0]) / "projection.py", tmp_path / "copied_projection.py")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    yield "copied_projection"
    sys.modules.pop("tuwen.space.copied_projection", None)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_names_are_sorted_files_without_machinery(kind):
    found = registry.names(kind)
    assert found == sorted(found)
    assert not [name for name in found if name.startswith("_")]


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in registry.KINDS for n in registry.names(k)])
def test_every_part_has_a_summary_in_its_docstring(kind, name):
    line = registry.summary(kind, name)
    assert len(line) > 10
    assert line.endswith(".")


def test_get_gives_the_module():
    assert registry.get("space", "projection").__name__ == "tuwen.space.projection"


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"no space is called 'projecton'\. Did you mean 'projection'\?.*tuwen list space"
    ):
        registry.get("space", "projecton")


def test_an_unknown_kind_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no kind is called 'encoder'\. Did you mean 'encode'"):
        registry.names("encoder")


def test_a_private_file_is_no_part():
    with pytest.raises(UnknownNameError, match="no decode is called '_text'"):
        registry.get("decode", "_text")


def test_a_dropped_file_is_listed_and_gettable(dropped):
    assert dropped in registry.names("space")
    assert registry.summary("space", dropped) == registry.summary("space", "projection")
    assert registry.get("space", dropped).Config.tiny().width == 16


def test_a_dropped_file_goes_through_a_recipe(dropped):
    recipe = Recipe(name="drop", space={"image": registry.get("space", dropped).Config(width=32)})
    raw = json.loads(json.dumps(recipe.to_dict()))
    assert raw["space"]["image"]["use"] == dropped
    assert Recipe.from_dict(raw) == recipe
    assert type(recipe.with_setting(f"space.text={dropped}").space["text"]).__module__.endswith(dropped)


def test_no_file_names_a_part_centrally(dropped):
    """Only its own file, and files that use it, may know a part: no list in the machinery."""
    for name in ("registry", "recipe", "model", "directory"):
        assert "projection" not in (Path(registry.__file__).parent / f"{name}.py").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "part"),
    [("encode", "image_cnn"), ("space", "projection"), ("decode", "text_transformer"), ("objective", "caption")],
)
def test_a_dropped_file_is_held_to_its_contract(kind, part, tmp_path):
    """The contract tests of a copied tree with one more file find it, and it passes them."""
    contract = ROOT / "tests" / "contract" / f"test_{kind}.py"
    if not contract.is_file() or part not in registry.names(kind):
        pytest.skip(f"{contract.name} or {kind}/{part}.py does not exist")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignore)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    folder = tmp_path / "src" / "tuwen" / kind
    copied = f"{part}_copied"  # contracts tell by the beginning of a name what a part makes
    shutil.copy(folder / f"{part}.py", folder / f"{copied}.py")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"tests/contract/test_{kind}.py",
            "-k",
            copied,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    assert " passed" in run.stdout


def test_a_plugin_is_listed_and_loaded(plugged):
    plugged("fuse", "my_fusion")
    assert "my_fusion" in registry.names("fuse")
    assert registry.get("fuse", "my_fusion").Config is dict
    assert registry.summary("fuse", "my_fusion") == "plugin: somewhere.else:part"


def test_a_plugin_of_a_built_in_name_is_refused(plugged):
    plugged("space", "projection")
    with pytest.raises(
        ConfigError, match=r"plugins redefine the built-in space \['projection'\]; rename them in the plugin"
    ):
        registry.get("space", "projection")


def test_entry_points_are_read_by_group(monkeypatch):
    asked = []
    monkeypatch.setattr(registry, "entry_points", lambda group: asked.append(group) or [])
    registry._plugins.__wrapped__("metric")
    assert asked == ["tuwen.metric"]


def test_a_recipe_is_found_with_either_dash():
    name = next((n for n in registry.names("recipe") if "-" in n), None)
    if name is None:
        pytest.skip("there is no recipe yet with a dash in its name")
    assert registry.get_recipe(name) is registry.get_recipe(name.replace("-", "_"))
    assert len(registry.summary("recipe", name)) > 10


def test_a_plugin_recipe_is_found_with_either_dash_and_may_not_have_the_name_of_a_built_in_one(plugged):
    plugged("recipe", "my_recipe")
    assert "my-recipe" in registry.names("recipe")
    assert registry.get_recipe("my_recipe") == registry.get_recipe("my-recipe")
    plugged("recipe", "cnn_gru")
    with pytest.raises(
        ConfigError, match=r"plugins redefine the built-in recipe \['cnn-gru'\]; rename them in the plugin"
    ):
        registry.get_recipe("my-recipe")


def test_an_unknown_recipe_says_where_to_look():
    with pytest.raises(UnknownNameError, match=r"no recipe is called 'no-such-thing'.*`tuwen list recipe`"):
        registry.get_recipe("no_such_thing")
