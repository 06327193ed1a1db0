"""Files that are there whole or not at all: written beside their place, flushed to the disk, then renamed."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path

from tuwen.errors import CheckpointError, ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

STALE_S = 3600.0
"""Seconds after which a temporary file is taken for one that a killed process left behind."""

_number = count()
_UMASK = os.umask(0)
os.umask(_UMASK)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path in the folder of `path`; what was written there becomes `path` if no error came.

    A process killed at any moment leaves the earlier file or the new one, never half of one.

    Raises:
        CheckpointError: the file cannot be written (full disk, no permission); the earlier one is intact.
    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with atomic(place) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> place.read_text(), len(list(place.parent.iterdir()))
        ('whole', 1)
    """
    path = Path(path)
    _sweep(path.parent.absolute())
    name = path.name[:50]  # the whole may be as long as names can be
    temporary = path.with_name(f".{name}.{os.getpid()}-{next(_number)}.writing")
    try:
        with cannot_write(path):
            yield temporary
            os.chmod(temporary, 0o666 & ~_UMASK)  # some writers make files that only their owner can read
            sync(temporary)
            os.replace(temporary, path)
            sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def write_atomic(path: str | Path, data: bytes | str) -> None:
    """Writes a whole file, text as UTF-8 with its line ends as they are. See `atomic`.

    Raises:
        CheckpointError: the file cannot be written; the earlier one is intact.
    """
    with atomic(path) as temporary:
        # names of files that are not UTF-8: \\udce9, which JSON reads as what it was
        write_bytes(temporary, data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data)


def check_file(path: str, read: Iterable[str | os.PathLike] = (), *, example: str = "report.json") -> None:
    """Says before hours are spent that a file cannot be written there.

    Args:
        read: files that are read; however they are spelled, none of them is replaced.
    Raises:
        ConfigError: it is a folder, stands below a file, or is one of those that are read.
    """
    if os.path.realpath(path) in map(os.path.realpath, read):
        raise ConfigError(f"{path} would be replaced, and is read; name another file")
    if path.endswith(("/", os.sep)) or Path(path).is_dir():
        raise ConfigError(f"{path} is a folder; name a file in it, as in {Path(path) / example}")
    if above := next((one for one in Path(path).parents if one.is_file()), None):
        raise ConfigError(f"{path} cannot be written, since {above} is a file; name another place")


@contextmanager
def alone(place: Path, *, wait: bool = False) -> Iterator[None]:
    """Keeps other processes from this folder or file that ask for the same; where the system has no locks, it lets all in.

    Args:
        wait: until no other one is in it.
    Raises:
        ConfigError: another one is in it, and this one does not wait.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(place, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ConfigError(
                f"another run writes into {place} now; wait for it, stop it, or name another directory with -o."
            ) from None
        except OSError:  # some network file systems have none
            pass
        yield
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a new file, not yet synchronised; the smallest step that can fail."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Waits until a file's content is on the disk."""
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network file systems cannot
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


@contextmanager
def cannot_write(path: Path) -> Iterator[None]:
    """Turns an OSError into one line that says what could not be written, and why."""
    try:
        yield
    except OSError as error:
        intact = f" What was at {path} before is intact." if path.exists() else ""
        raise CheckpointError(f"cannot write {path}: {reason(error, path.parent)}{intact}") from error


def reason(error: OSError, folder: Path) -> str:
    """Why writing into a folder failed, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"no space left on the disk ({_free_mb(folder)}). Free some, or write to another disk with -o."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write into {folder}. Write elsewhere with -o."
    if error.errno == errno.ENOENT:
        return f"there is no folder {folder}. Make it first."
    return f"{error.strerror or error}."


def _free_mb(folder: Path) -> str:
    try:
        state = os.statvfs(folder)
    except (AttributeError, OSError):
        return "its free space is unknown"
    return f"{state.f_bavail * state.f_frsize // 2**20} MB are free at {folder}"


@cache
def _sweep(folder: Path) -> None:
    """Removes what killed processes left in a folder; once, since it may have very many files."""
    for left in folder.glob(".*.writing"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_S:
                left.unlink()
