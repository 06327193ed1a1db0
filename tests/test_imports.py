"""Arrows go one way: who may import whom, read from the source of src/tuwen."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tuwen

SRC = Path(tuwen.__file__).parent
FILES = sorted(SRC.rglob("*.py"))

CHAIN = ["encode", "space", "fuse", "decode", "generate"]
"""Each of these may import itself and those before it."""
ABOVE = {"train", "task", "command", "serve", "index", "explain", "report", "recipes", "cli", "directory"}
ABOVE |= {"evaluation", "judge"}

FORBIDDEN = {
    **{kind: ABOVE | {"objective", "model", *CHAIN[i + 1 :]} for i, kind in enumerate(CHAIN)},
    "data": ABOVE | {"objective", "model", "metric", *CHAIN},
    "metric": ABOVE | {"objective", "model", *CHAIN},
    "objective": ABOVE | {"model", *CHAIN},
    "train": {"task", "command", "serve", "cli", "index"},
    "judge": {"command", "train", "serve", "cli", "index", "evaluation"},
    "task": {"command", "train", "serve", "cli", "index", "judge", "evaluation"},
    "report": {"train", "command", "serve", "cli", "index"},
    "explain": {"command", "train", "serve", "cli"},
    "serve": {"train", "command", "cli"},
    "index": {"train", "command", "serve", "cli"},
    "registry": ABOVE | {"objective", "model", "data", *CHAIN},
    "types": ABOVE | {"objective", "model", "data", *CHAIN},
    "errors": {"registry", "types", "model", "data"},
}
"""Folder or file -> what none of its files may import, at the top or inside a function."""

LIGHT = ("task", "command", "cli", "__init__", "__main__", "registry", "errors", "types", "recipe", "card", "_files")
"""What the command line imports for --help: no torch at the top of these."""


def place(path):
    """Folder of a part's file, or the name of a file at the top."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return parts[0]


def imports(tree, *, only_top=False):
    """(line, dotted module) of what is imported when the code runs; imports for type checkers are left out."""
    stack = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            stack.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import; say tuwen...."
            # from tuwen import x may mean the module tuwen.x
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif not (only_top and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))


def wrong_arrows(source, here):
    """The imports in a source that its place in the package forbids."""
    found = []
    for line, name in imports(ast.parse(source)):
        first, _, rest = name.partition(".")
        if first == "tuwen" and rest.split(".")[0] in FORBIDDEN.get(here, ()):
            found.append(f"line {line} imports {name}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_arrows_go_one_way(path):
    assert wrong_arrows(path.read_text("utf-8"), place(path)) == []


@pytest.mark.parametrize(
    ("here", "line"),
    [
        ("encode", "from tuwen.objective.caption import caption"),
        ("encode", "import tuwen.decode.text_transformer"),
        ("decode", "def f():\n    from tuwen.train import loop"),
        ("metric", "from tuwen.encode import image_vit"),
        ("objective", "from tuwen import model"),
        ("task", "from tuwen.command import train"),
        ("serve", "from tuwen.train.loop import train"),
    ],
)
def test_a_wrong_arrow_is_seen(here, line):
    assert len(wrong_arrows(line, here)) == 1


def test_types_alone_are_no_arrow():
    assert wrong_arrows("if TYPE_CHECKING:\n    from tuwen.model import CrossModal", "objective") == []


@pytest.mark.parametrize("path", [p for p in FILES if place(p) in LIGHT], ids=lambda p: str(p.relative_to(SRC)))
def test_no_torch_at_the_top(path):
    names = [name for _, name in imports(ast.parse(path.read_text("utf-8")), only_top=True)]
    assert [name for name in names if name.split(".")[0] in ("torch", "transformers")] == []


def test_help_loads_no_torch():
    """What --help needs, imported in a fresh process; also what those modules import in turn."""
    code = (
        "import importlib.util, sys, tuwen\n"
        "from tuwen import registry, errors, types\n"
        "if importlib.util.find_spec('tuwen.cli'): import tuwen.cli\n"
        "for kind in ('task', 'command'):\n"
        "    for name in registry.names(kind):\n"
        "        registry.get(kind, name)\n"
        "        assert 'torch' not in sys.modules, f'{kind}/{name}.py brings torch'\n"
        "assert not {'torch', 'transformers', 'sklearn'} & set(sys.modules)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(SRC.parent)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr[-1500:]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_pickled_code(path):
    tree = ast.parse(path.read_text("utf-8"))
    names = {name.split(".")[0] for _, name in imports(tree)}
    assert not names & {"pickle", "cloudpickle", "dill", "shelve", "marshal"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert "weights_only=True" in ast.unparse(node), f"line {node.lineno}: torch.load without weights_only=True"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_folders_are_one_level_deep(path):
    assert len(path.relative_to(SRC).parts) <= 2 or path.relative_to(SRC).parts[:2] == ("serve", "page")
