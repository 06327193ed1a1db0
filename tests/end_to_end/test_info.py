"""`tuwen info`, `tuwen list` and `tuwen data` in processes of their own."""

import json

from tests import eight
from tests.end_to_end import _trained

from tuwen import registry


def test_info():
    place = _trained.place()
    done = eight.tuwen("info", place / "model")
    assert done.returncode == 0 and "can: caption, classify, match" in done.stdout, done.stderr


def test_info_of_no_model(tmp_path):
    done = eight.tuwen("info", tmp_path)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1


def test_list():
    done = eight.tuwen("list", "recipe", "--json")
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == registry.names("recipe")


def test_data():
    place = _trained.place()
    done = eight.tuwen("data", place / "photos", "--json")
    assert done.returncode == 0, done.stderr
    assert "8" in eight.tuwen("data", place / "photos").stdout and json.loads(done.stdout)["report"]
