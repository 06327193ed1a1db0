"""The public names: few, and lazy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tuwen


def python(code: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(Path(tuwen.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_import_is_light():
    loaded = python("import sys, tuwen; print([n for n in ('torch', 'numpy', 'rich', 'cyclopts') if n in sys.modules])")
    assert loaded.strip() == "[]"


@pytest.mark.slow
def test_import_takes_less_than_a_tenth_of_importing_torch():
    code = "import time; a = time.time(); import {}; print(time.time() - a)"
    own, torch = (min(float(python(code.format(name))) for _ in range(2)) for name in ("tuwen", "torch"))
    print(f"import tuwen: {own * 1000:.1f} ms")
    assert own < torch / 10


def test_every_public_name_is_there():
    assert {name: getattr(tuwen, name) for name in tuwen.__all__}
    assert set(tuwen.__all__) <= set(dir(tuwen))


def test_unknown_name():
    with pytest.raises(AttributeError, match="tuwen has no 'trian'; it has: CrossModal, Recipe, TuwenError"):
        _ = tuwen.trian


@pytest.mark.parametrize("before", ["", "import tuwen.train.plan; ", "import tuwen.train.loop as loop; loop.train; "])
def test_train_is_a_function_and_a_folder(before):
    code = f"{before}import tuwen; assert callable(tuwen.train); import tuwen.train.plan as p; print(p.Plan.__name__)"
    assert python(code).strip() == "Plan"


def test_train_passes_its_arguments_on(tmp_path):
    from tuwen.errors import DataError

    with pytest.raises(DataError, match="there is no file or folder 'no-such-place'"):
        tuwen.train("no-such-place", out=tmp_path / "m")
