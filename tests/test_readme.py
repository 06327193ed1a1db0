"""What the documents say can be typed: commands parse, cheap ones print what is written there, Python blocks run."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuwen import cli, registry
from tuwen.command import _ask
from tuwen.command._verb import parameters, parse
from tuwen.errors import TuwenError
from tuwen.types import Facts

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/design.md", "docs/results.md", "docs/recipes.md",
    "docs/tutorial.md",
)  # fmt: skip
TEXT = {name: (ROOT / name).read_text("utf-8") for name in DOCUMENTS}
CHEAP = ("list", "data")
"""Verbs whose commands are run where their output is written too."""
FACTS = Facts(num_train=1000, num_captions=5000)


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def transcripts(text: str) -> list[tuple[str, str]]:
    """(command, what it printed) of the console blocks, in order."""
    found = []
    for block in blocks(text, "console"):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = piece.partition("\n")
            found.append((command, output))
    return found


def commands() -> list[tuple[str, str]]:
    """(document, command line) of every `tuwen ...` in a block or between backquotes; abbreviated ones are left out."""
    found = []
    for name, text in TEXT.items():
        lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
        lines += [command for command, _ in transcripts(text)]
        lines += re.findall(r"`(tuwen [^`]+)`", text)
        found += [(name, line.strip()) for line in lines if line.startswith("tuwen ") and "..." not in line]
    whole = {(name, line) for name, line in found if "<" not in line and "VERB" not in line}
    return sorted((name, line) for name, line in whole if len(line.split()) > 2 or line.endswith("list"))


def understood(line: str) -> dict[str, object]:
    """What the real command line reads from `line`."""
    _, verb, *tokens = shlex.split(line, comments=True)
    kind = cli.verbs()[verb]
    module = registry.get(kind, verb)
    wanted = _ask.task_parameters(module) if kind == "task" else parameters(module.Request)
    return parse(verb, module, [*wanted, *parameters(cli.Common)], tokens) or {}


@pytest.mark.parametrize(("document", "line"), commands(), ids=[f"{d}: {c}" for d, c in commands()])
def test_commands_can_be_typed(document: str, line: str) -> None:
    if shlex.split(line)[1] in ("--help", "--version"):
        return
    values = understood(line)
    assert values or "--help" in line
    recipe = registry.get_recipe(str(values.get("recipe") or "coca"))(FACTS)
    for setting in values.get("set") or ():  # type: ignore[attr-defined]
        recipe = recipe.with_setting(setting)


def test_a_command_that_cannot_be_typed_is_found() -> None:
    with pytest.raises(TuwenError):
        understood("tuwen caption model photo.jpg --beems 5")
    with pytest.raises(KeyError):
        understood("tuwen paint model")


def test_many_commands_are_found() -> None:
    assert len(commands()) > 15 and len(transcripts(TEXT["README.md"])) >= 4


def test_settings_between_backquotes_can_be_set() -> None:
    found = {s for text in TEXT.values() for s in re.findall(r"`--set ([a-z_.]+=[^`\s]+)`", text)}
    found |= set(re.findall(r"`((?:train|data|encode|weight)\.[a-z_.]+=[^`\s]+)`", "".join(TEXT.values())))
    assert len(found) > 3
    for setting in found - {"objective.caption=focal"}:  # the plugin of CONTRIBUTING.md
        recipe = "gpt-vqvae" if setting.startswith("stages.") else "coca"
        registry.get_recipe(recipe)(FACTS).with_setting(setting)


def test_cheap_transcripts_are_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = 0
    for command, output in transcripts(TEXT["README.md"]):
        if shlex.split(command)[1] in CHEAP:
            assert cli.main(shlex.split(command)[1:]) == 0
            assert capsys.readouterr().out == output, f"README.md: paste what `{command}` prints now"
            ran += 1
    assert ran >= 2


def test_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {t for text in TEXT.values() for b in blocks(text, "sh") for t in re.findall(r"^make ([a-z-]+)", b, re.M)}
    assert named and named <= targets


def test_the_tree_has_a_line_for_everything_and_nothing_else() -> None:
    (tree,) = [block for block in blocks(TEXT["README.md"], "text") if "src/tuwen/" in block]
    lines = [line for line in tree.splitlines() if line.strip()]
    inside, listed = "", set()
    for line in lines:
        name = line.split()[0]
        path = ROOT / (inside + name if line.startswith(" ") else name)
        assert path.exists(), f"the tree names {name}, which is not there"
        assert len(line.split()) > 2, f"{name} has no words"
        listed.add(path.resolve())
        inside = name if not line.startswith(" ") and name.endswith("/") else inside
    here = {p for p in (ROOT / "src" / "tuwen").iterdir() if p.suffix == ".py" or (p.is_dir() and any(p.glob("*.py")))}
    lacks = sorted(p.name for p in here if p.resolve() not in listed and not p.name.startswith("_"))
    assert not lacks, f"the tree of README.md lacks {lacks}"


def test_links_lead_somewhere() -> None:
    for name, text in TEXT.items():
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"


@pytest.mark.slow
def test_the_python_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUWEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    for i, name in enumerate("abcdefghijkl"):
        colour = np.full((48, 48, 3), 20 * i, np.uint8)
        Image.fromarray(colour).save(tmp_path / "photos" / f"{name}.jpg")
        (tmp_path / "photos" / f"{name}.txt").write_text(f"a picture of the brightness {i}\n")
    (block,) = blocks(TEXT["README.md"], "python")
    assert "steps=2000" in block
    names: dict[str, object] = {}
    exec(compile(block.replace("steps=2000", "steps=2"), "README.md", "exec"), names)
    assert names["vectors"].shape[0] == 2 and names["cosines"].shape == (1, 2)  # type: ignore[attr-defined]
    assert len(names["captions"]) == 2  # type: ignore[arg-type]
    assert "photos/missing.jpg" in capsys.readouterr().out


def test_the_plugin_of_contributing_is_an_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from tuwen.objective.caption import caption
    from tuwen.types import Batch, Decoded, Made

    (block,) = blocks(TEXT["CONTRIBUTING.md"], "python")
    (tmp_path / "focal_of_contributing.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    config = importlib.import_module("focal_of_contributing").Config
    logits_NV, target_N = torch.randn(5, 7), torch.randint(7, (5,))
    made = Made(routes={"caption": Decoded(logits_NV, target_N)})
    focal = [config(gamma=g).build()(made, Batch([], {})).values["caption"] for g in (0.0, 2.0)]
    torch.testing.assert_close(focal[0], caption(logits_NV, target_N))
    assert focal[1] < focal[0]
