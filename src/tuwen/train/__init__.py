"""The loop, and what it needs: optimiser, checkpoint, log, feature cache. `tuwen.train(...)` calls the loop."""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """Makes `tuwen.train(data, ...)` work although `tuwen.train` is also this folder."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from tuwen.train.loop import train

        return train(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
