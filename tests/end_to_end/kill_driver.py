"""Runs short trainings in processes of their own and kills them; what is left is judged by test_kill.py.

    python kill_driver.py FOLDER RECIPE SEED NUM_KILLS FILE...

One process imports torch, computes nothing, and forks one child for each attempt. Prints one JSON object a run.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import torch._dynamo  # noqa: F401 (the optimiser needs it, and it takes seconds: once here, not in every child)
from tests.tiny import SETTINGS

from tuwen import _files, directory, registry
from tuwen.train import best, checkpoint, log, loop, setup
from tuwen.train.checkpoint import newest_state
from tuwen.train.loop import train

STEPS = 30
ONCE = ("frozen.safetensors", "run.json", "first-1.safetensors")
"""Files that are written once a run; of all others the second writing is hit."""


def die():
    os.kill(os.getpid(), signal.SIGKILL)


RANDOM = {"cnn-transformer": "decode.text.dropout=0.2", "gpt-vqvae": "decode.image@codes.dropout=0.2"}
"""Recipe -> a setting that makes its steps random."""


def attempt(out, *, recipe, resume, kill_after_s=None, in_loop=True, inside=""):
    """One process that trains; says whether it came to its end.

    Args:
        kill_after_s: seconds until it is killed, from its first step or (not `in_loop`) from its start.
    """
    begun, tell_begun = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            tell_when_it_begins(tell_begun)
            if inside:
                die_inside(inside)
            more = ("train.metric=loss", "train.save_every_s=0", "train.evaluations=5", RANDOM[recipe])
            more = (*more, "train.average_best=3")
            settings = () if resume else (*SETTINGS[recipe], *more)
            train(
                "scenes:0:64",
                out=out,
                recipe=recipe,
                settings=settings,
                steps=0 if resume else STEPS,
                resume=resume,
            )
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(tell_begun)
    if kill_after_s is not None:
        if in_loop:
            os.read(begun, 1)
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(begun)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"the run in {out} failed")
    return not os.WIFSIGNALED(status)


def tell_when_it_begins(pipe):
    def begin(*args, real=loop._loop):
        os.write(pipe, b"x")
        real(*args)

    loop._loop = begin


def die_inside(name):
    """Lets this process write half of a file, and no more."""
    left = [1 if name in ONCE else 2]

    def hit(path):
        left[0] -= name in Path(path).name
        return left[0] == 0 and name in Path(path).name

    def tensors(path, *args, real=setup.write_tensors):
        real(path, *args)
        if hit(path):
            os.truncate(path, Path(path).stat().st_size // 2)
            die()

    def plain(path, data, real=_files.write_bytes):
        if hit(path):
            real(path, data[: len(data) // 2])
            die()
        real(path, data)

    def line(self, kind, real=log.Log.__call__, **values):
        if name == "log.jsonl" and values.get("step") == 9:
            with self.path.open("a") as file:
                file.write('{"kind": "step", "st')
            die()
        real(self, kind, **values)

    for module in (setup, checkpoint, directory, best):
        module.write_tensors = tensors
    _files.write_bytes = plain
    log.Log.__call__ = line


def state_of(out):
    """Step of the newest state that loads, and step of the newest that has its name."""
    names = [int(path.name[:8]) for path in (out / "state").glob("[0-9]*")]
    state = newest_state(out)
    return [state.step if state else None, max(names, default=None)]


def tell(**values):
    print(json.dumps(values), flush=True)


def main(folder, recipe, seed, num_kills, *files):
    folder, rng, kills, runs = Path(folder), random.Random(int(seed)), 0, 0
    for kind in registry.KINDS:
        for name in registry.names(kind):
            registry.get(kind, name)
    began = time.monotonic()
    assert attempt(folder / "whole", recipe=recipe, resume=False)
    whole_s = time.monotonic() - began
    while kills < int(num_kills):
        out, left, done, runs = folder / f"random-{runs}", [], False, runs + 1
        while not done:
            after_s = rng.uniform(0, whole_s / 2) if kills < int(num_kills) else None
            resume = (out / "state" / "run.json").exists()
            done = attempt(out, recipe=recipe, resume=resume, kill_after_s=after_s, in_loop=rng.random() < 0.7)
            if not done:
                kills += 1
                left.append(state_of(out))
        tell(out=out.name, states=left)
    for name in files:
        out = folder / name
        died = not attempt(out, recipe=recipe, resume=False, inside=name)
        left = state_of(out)
        done = attempt(out, recipe=recipe, resume=(out / "state" / "run.json").exists())
        tell(out=out.name, states=[left], died=died and done)


if __name__ == "__main__":
    main(*sys.argv[1:])
