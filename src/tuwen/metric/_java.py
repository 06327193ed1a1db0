"""Scorers that come as Java programs inside the package pycocoevalcap: where they are, and how they are asked.

Differs:
    from the package's own classes: nothing is fetched, nothing is written into the package's folder, numbers have a point
    in every locale, and what the program complains of is said instead of an endless wait.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO

from tuwen.errors import ConfigError, MissingExtraError

EXTRA = "captions-java"
_PLAIN = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")


def folder(metric: str) -> Path:
    """Where the package keeps what a metric needs.

    Raises:
        MissingExtraError: the package is not installed.
    """
    found = importlib.util.find_spec("pycocoevalcap")
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise MissingExtraError(f"metric.{metric}", EXTRA)
    return Path(places[0]) / metric


def java(metric: str) -> str:
    """The program `java`: of JAVA_HOME, else of the PATH.

    Raises:
        ConfigError: there is none.
    """
    home = os.environ.get("JAVA_HOME", "")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if not found:
        raise ConfigError(
            f"metric.{metric} needs Java, and there is no program 'java' on the PATH or in JAVA_HOME; install a Java "
            f"runtime (on Debian and Ubuntu: apt install default-jre-headless), or leave {metric} out of --metrics."
        )
    return found


def command(metric: str, memory: str, jar: Path, *arguments: str) -> list[str]:
    """What to run a jar with.

    Args:
        memory: most that Java may take, as in 2G.
    Raises:
        ConfigError: there is no Java, or the jar is missing.
    """
    if not jar.is_file():
        raise ConfigError(
            f"metric.{metric} needs {jar}, which is not there; install the package anew: pip install --force-reinstall "
            "pycocoevalcap"
        )
    return [java(metric), *_PLAIN, f"-Xmx{memory}", "-jar", str(jar), *arguments]


class Program:
    """A Java program that answers lines with lines; it ends with this object."""

    def __init__(self, metric: str, command: list[str], folder: Path):
        self.metric = metric
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would block it
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints,
            encoding="utf-8", bufsize=1,
        )  # fmt: skip
        weakref.finalize(self, _end, self._process, self._complaints)

    def ask(self, line: str) -> str:
        """Sends a line, gives the next one that comes.

        Raises:
            ConfigError: the program has ended.
        """
        assert self._process.stdin is not None
        with suppress(OSError):  # it has ended: what comes next is nothing
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        return self.answer()

    def answer(self) -> str:
        """The next line that comes. Errors: as `ask`."""
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line.strip()
        self._process.wait()
        self._complaints.seek(0)
        raise failed(self.metric, self._process.returncode, self._complaints.read().decode("utf-8", "replace"))


def failed(metric: str, status: int, complaints: str) -> ConfigError:
    """What to say of a Java program that has ended by itself."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    why = next((line for line in lines if "rror" in line or "xception" in line), lines[-1] if lines else "")
    return ConfigError(
        f"metric.{metric}: its Java program ended with status {status}{': ' + why[:300] if why else ''}. Try another "
        f"Java runtime (JAVA_HOME=FOLDER), or leave {metric} out of --metrics."
    )


def _end(process: subprocess.Popen[str], complaints: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for file in (process.stdin, process.stdout, complaints):
        if file is not None:
            with suppress(OSError):  # what was not sent yet cannot be sent any more
                file.close()
