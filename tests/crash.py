"""A stand-in for the module os that stops a process dead at one of its calls, as kill -9 or a power cut would."""

import errno
import os

CALLS = ("open", "write", "fsync", "replace", "unlink", "rmdir", "mkdir")
"""What is counted. A write that is hit leaves half of its bytes."""


class Crash(BaseException):
    """The process is gone: nothing of it may run afterwards."""


class CrashingOs:
    """Forwards to os, records the calls, and dies at call number `at`; dead, it lets nothing happen any more."""

    def __init__(self, at=None, error=None):
        self.at, self.error = at, error
        self.calls = []
        self.dead = False

    def __getattr__(self, name):
        real = getattr(os, name)
        if name not in (*CALLS, "close", "listdir"):
            return real

        def call(*args, **kwargs):
            if self.dead:
                if name == "close":
                    return real(*args, **kwargs)  # the system closes the files of a dead process
                raise Crash
            if name in CALLS:
                self.calls.append((name, *map(str, args[:2])))
                if len(self.calls) - 1 == self.at:
                    return self._hit(name, real, args)
            return real(*args, **kwargs)

        return call

    def _hit(self, name, real, args):
        if name == "write":
            real(args[0], bytes(args[1])[: len(args[1]) // 2])
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.dead = True
        raise Crash


class FullOs(CrashingOs):
    """A disk that is full: every write fails, the rest works."""

    def __getattr__(self, name):
        if name == "write":
            raise_full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            def call(*args):
                raise raise_full

            return call
        return super().__getattr__(name)
