"""The documents are true: pages of verbs are those of the source, every recipe is described, the tutorial runs."""

import functools
import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from tests.test_readme import blocks, understood
from tests.tiny import SETTINGS

from tuwen import cli, registry
from tuwen.data import scenes
from tuwen.errors import TuwenError

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
RECIPES = (ROOT / "docs" / "recipes.md").read_text("utf-8")


def sections(text):
    """Heading -> what stands below it."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def shell_lines(text):
    """Every line of the shell blocks, also of indented ones."""
    found = re.findall(r"^( *)```sh\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for _, block in found for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.pages = functools.cache(module.pages)
    return module


# -- verbs --------------------------------------------------------------------------------------------------------


def test_pages_of_verbs_are_those_of_the_source(generate):
    assert generate.drift() == [], "run `make docs`"


def test_drift_is_found(generate, tmp_path):
    generate.write(tmp_path)
    assert generate.drift(tmp_path) == []
    (tmp_path / "train.md").write_text("old")
    (tmp_path / "paint.md").write_text("a verb that is gone")
    (tmp_path / "info.md").unlink()
    assert generate.drift(tmp_path) == ["info.md", "paint.md", "train.md"]
    generate.write(tmp_path)
    assert generate.drift(tmp_path) == [] and not (tmp_path / "paint.md").exists()


def test_a_page_has_what_help_has(generate):
    page = generate.pages()["train.md"]
    assert "| `--out -o STR` | Model directory to write; needed. |  |" in page
    assert (
        "| `--recipe -r STR` | What to build; `tuwen list recipe` shows all; empty: coca, or as in --start-from. |  |"
        in page
    )
    assert "| `--beam INT` | Sentences that are followed at once; 1: greedy. | `5` |" in generate.pages()["evaluate.md"]
    assert "| `[DATA]` |" in page and "| `best_step` | Step that the model is of. |" in page
    assert "| `--on-error stop \\| skip` |" in generate.pages()["caption.md"]
    assert "| `--check-pictures / --no-check-pictures` |" in generate.pages()["data.md"]
    assert "| `scores[].share` | Softmax among" in generate.pages()["match.md"]


@pytest.mark.parametrize("verb", cli.verbs())
def test_examples_of_verbs_can_be_typed(verb, generate):
    examples = shell_lines(generate.pages()[f"{verb}.md"])
    assert examples, f"{verb} has no example in its docstring"
    for line in examples:
        assert understood(line) is not None


# -- recipes ------------------------------------------------------------------------------------------------------


def test_every_recipe_is_described_and_no_other():
    assert set(sections(RECIPES)) == set(registry.names("recipe"))


@pytest.mark.parametrize("name", registry.names("recipe"))
def test_a_recipe_has_a_figure_some_lines_and_a_source(name):
    text = sections(RECIPES).get(name, "")
    figure = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert figure and "->" in figure[1] and "<=" in figure[1]
    assert re.search(r"^Source: .*\d{4}", text, re.MULTILINE)
    words = text.replace(figure[0], "").split()
    assert 60 < len(words) < 260, f"{len(words)} words"


def test_parts_in_the_figures_exist():
    for kind, parts in re.findall(r"\[(encode|space|fuse|decode): ([a-z_]+)", RECIPES):
        assert parts in registry.names(kind), f"{kind}: {parts}"


# -- tutorial -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", shell_lines(TUTORIAL))
def test_commands_of_the_tutorial_can_be_typed(line):
    assert understood(line)


def small(words):
    """The same command at a size that takes a second."""
    if words[1] != "train" or "--resume" in words:
        return words[1:]
    at = words.index("--time-limit")
    recipe = words[words.index("-r") + 1] if "-r" in words else "coca"
    settings = [part for setting in SETTINGS[recipe] for part in ("--set", setting)]
    return [*words[1:at], "--steps", "6", *words[at + 2 :], *settings]


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path, monkeypatch, capsys):
    """All of it in order, without the pretrained encoder: 30 scenes as photos, five of them as new ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUWEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "new-photos").mkdir()
    for i, name in enumerate(["boat", "church", *(f"p{i}" for i in range(28))]):
        one = scenes.draw_one(0, "train", i).fields
        Image.fromarray(one["image"]).save(tmp_path / "photos" / f"{name}.jpg")
        (tmp_path / "photos" / f"{name}.txt").write_text("\n".join(one["text"]), "utf-8")
        if i < 5:
            Image.fromarray(one["image"]).save(tmp_path / "new-photos" / f"{name}.jpg")
    lines = [line for line in shell_lines(TUTORIAL) if "encode.image.source" not in line]
    assert len(lines) >= 10
    for line in lines:
        assert cli.main(small(shlex.split(line))) == 0, f"{line}\n{capsys.readouterr().err}"
    made = (
        "report.html",
        "report.json",
        "captions.csv",
        "alt-texts/boat.txt",
        "vectors.npy",
        "vectors.jsonl",
        "map.html",
        "other.html",
    )
    assert [name for name in made if not (tmp_path / name).is_file()] == []
    assert len((tmp_path / "captions.csv").read_text("utf-8-sig").splitlines()) == 6
    for block in blocks(TUTORIAL, "python"):
        exec(compile(block, "tutorial.md", "exec"), {})


def test_a_command_of_the_tutorial_that_is_wrong_would_be_found():
    with pytest.raises(TuwenError):
        understood("tuwen embed model photos/ --to vectors.parquet")
