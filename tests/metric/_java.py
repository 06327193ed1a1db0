"""A program that stands for Java in tests: fast, there everywhere, and as wrong as a test wants it."""

from __future__ import annotations

import sys
from pathlib import Path

_METEOR = """
import sys
for line in sys.stdin:
    what, *parts = line.rstrip("\\n").split(" ||| ")
    if what == "SCORE":  # words said that the first reference has, and words said
        said = parts[-1].split()
        print(float(sum(word in parts[0].split() for word in said)), float(len(said)), flush=True)
    else:
        counts = [[float(one) for one in part.split()] for part in parts]
        for hits, words in [*counts, [sum(column) for column in zip(*counts)]]:
            print(hits / max(words, 1), flush=True)
"""
_SPICE = """
import json, sys
given, made = sys.argv[sys.argv.index("-jar") + 2], sys.argv[sys.argv.index("-out") + 1]
rows = json.load(open(given))
scores = [float(row["test"] in row["refs"]) if row["test"] else "NaN" for row in rows]
json.dump([{"image_id": r["image_id"], "scores": {"All": {"f": s}}} for r, s in zip(rows, scores)], open(made, "w"))
"""
_BROKEN = """
import sys
sys.stderr.write("starting\\njava.lang.UnsupportedClassVersionError: too new\\n\\tat somewhere\\n")
sys.exit(3)
"""
PROGRAMS = {"meteor": _METEOR, "spice": _SPICE, "broken": _BROKEN}


def java(folder: Path, name: str, monkeypatch) -> None:
    """Puts one of the programs first on the PATH as `java`, and a package with empty jars in the place of pycocoevalcap."""
    from tuwen.metric import meteor, spice

    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!{sys.executable}\n{PROGRAMS[name]}")
    program.chmod(0o755)
    package(folder, monkeypatch, meteor, spice)
    monkeypatch.setenv("JAVA_HOME", str(folder))


def package(folder: Path, monkeypatch, *modules) -> None:
    """Folders meteor/ and spice/ with jars that hold nothing."""
    for jar in ("meteor/meteor-1.5.jar", "spice/spice-1.0.jar", "spice/lib/stanford-corenlp-3.6.0-models.jar"):
        (folder / jar).parent.mkdir(parents=True, exist_ok=True)
        (folder / jar).touch()
    for module in modules:
        monkeypatch.setattr(module, "folder", lambda name: folder / name)
