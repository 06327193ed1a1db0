"""`tuwen list`: every name with its line, nothing imported."""

import json
import sys

import pytest

from tuwen import cli, registry
from tuwen.command.list import Request, run, show
from tuwen.errors import UnknownNameError


def test_a_kind():
    found = list(run(Request(kind="task")))
    assert [one.name for one in found] == registry.names("task") and all(one.about for one in found)
    assert show(found[0]).startswith("task       caption                Says in a sentence")


def test_all_kinds():
    found = list(run(Request()))
    assert {one.kind for one in found} >= {"recipe", "data", "encode", "task", "command"}
    assert {"coca", "image_cnn", "scenes", "caption"} <= {one.name for one in found}


def test_the_kinds_themselves():
    assert {one.name for one in run(Request(kind="kind"))} == {"recipe", *registry.KINDS}


def test_nothing_is_imported(monkeypatch):
    names = [name for name in sys.modules if name.startswith("tuwen.encode.")]
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    list(run(Request(kind="encode")))
    assert not [name for name in sys.modules if name.startswith("tuwen.encode.")]


def test_json(capsys):
    assert cli.main(["list", "recipe", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(row.keys() == {"kind", "name", "about"} for row in rows) and "coca" in [row["name"] for row in rows]


def test_unknown():
    with pytest.raises(UnknownNameError, match="no kind is called 'recipes'. Did you mean 'recipe'"):
        list(run(Request(kind="recipes")))
