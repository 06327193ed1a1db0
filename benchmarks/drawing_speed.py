"""Seconds of a drawn picture, and of a step of learning to draw, beside other libraries and beside the arithmetic alone.

    python benchmarks/drawing_speed.py flow [--peer PYTHON] [--batch 16] [--steps 20] [--rounds 5] [--threads 1 2]
    python benchmarks/drawing_speed.py codes [--batch 16] [--rounds 5] [--threads 1 2]

flow   the recipe `flow` on the drawn world, at 64 x 64. The peer is diffusers' UNet2DConditionModel on the same grids (blocks
       of 4 x 4 pixels are its channels), as wide, with as many residual blocks and the same words, followed by its
       FlowMatchEulerDiscreteScheduler in as many steps. Both sides compute what is said and what guidance leads away from in
       one batch, all the way; `tuwen, as it comes` is led for half of the way, and then looks at what is said alone. The
       peer's middle has two residual blocks that ours has not, and layers that cost half as much again, so it is built twice:
       with as many layers as ours, and with as many as come nearest to our multiply-adds. It runs in its own process, by
       PYTHON, an interpreter that has it (`python -m venv peer && peer/bin/pip install torch==2.13.0 diffusers
       transformers`). In bfloat16 its weights are bfloat16; ours computes in autocast. Then a step of training: forward,
       backward and the optimiser.
codes  the transformer of the recipe `gpt-vqvae` (as wide as what it reads, 192, as GPT-2 asks) and transformers' GPT-2 with its
       weights and cache: first the most probable codes of each picture, which must be the same on both sides, then codes
       drawn at random, of each side in float32 and in bfloat16.

Weights are random: they change no time. The sides are measured in turn; a cell has the median of the rounds and the least and
the most. With one thread the clock is the processor time of the process, so that other programs disturb less. `of the bound`
is the share of that time that the products of matrices and the convolutions alone would take (torch.utils.flop_counter) at
the rate that large products of the same precision reach here.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

PRECISIONS = ("float32", "bfloat16")
GUIDANCE = 3.0
CELL = 4
"""Side of the block of pixels that is a cell of the finest grid, on both sides."""
PRODUCT = 1024
"""Side of the matrices whose product gives the rate of the machine."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["flow", "codes", "peer"])
    parser.add_argument("folder", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--peer", default="", help="of flow: an interpreter that has diffusers; none: ours alone")
    for name, value in dict(batch=16, steps=20, rounds=5).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    if args.what == "peer":
        return as_peer(args.folder)
    from tuwen.card import versions

    print(f"{datetime.date.today()}  {versions()['system']}, {cpu()}  torch {versions()['torch']}")
    print(" ".join(f"--{name} {value}" for name, value in vars(args).items() if value and name != "what"), "\n")
    return flow(args) if args.what == "flow" else codes(args)


# -- along a flow ------------------------------------------------------------------------------------------------------


def flow(args: argparse.Namespace) -> int:
    from tuwen.generate.euler import Config as Euler

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = {kind: training(args, folder / kind, kind) for kind in PRECISIONS}
        ours, usual = (Ours(runs["float32"].model, args, until) for until in (1.0, Euler.guidance_until))
        sides: dict[str, Any] = {"tuwen": ours, "tuwen, as it comes": usual}
        if args.peer:
            sides |= peers(args, folder, ours)
        print("| network | parameters | million multiply-adds of a picture, a step, guidance included |\n|---|---|---|")
        for side, about in sides.items():
            print(f"| {side} | {about.parameters:,} | {about.flops / 2e6 / args.batch:.1f} |")
        head = ("threads", "precision", "system", "s/picture", "GFLOP/s", "of the bound", "tuwen's time")
        print("\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        for threads in args.threads:
            torch.set_num_threads(threads)
            rates = {kind: product_rate(kind) for kind in PRECISIONS}
            took = in_turn(args.rounds, {(kind, side): (sides[side], kind) for kind in PRECISIONS for side in sides})
            for (kind, side), seconds_R in took.items():
                rate = sides[side].flops * args.steps / statistics.median(seconds_R)
                share = rate / rates[kind]
                beside = statistics.median(took[kind, "tuwen"]) / statistics.median(seconds_R)
                cells = (
                    spread([s / args.batch for s in seconds_R]),
                    f"{rate / 1e9:.1f}",
                    f"{share:.2f}",
                    f"{beside:.2f}",
                )
                print(f"| {threads} | {kind} | {side} | " + " | ".join(cells) + " |", flush=True)
            for kind, rate in rates.items():
                bound_s = ours.flops * args.steps / rate / args.batch
                print(f"| {threads} | {kind} | tuwen's arithmetic alone | {bound_s:.4f} | {rate / 1e9:.1f} | 1 | |")
        steps_of_training(args, runs)
        for side in sides.values():
            side.close()
    return 0


def training(args: argparse.Namespace, folder: Path, precision: str) -> Any:
    """A run of the recipe that has begun."""
    from tuwen.train.loop import Run
    from tuwen.train.setup import Setup

    settings = [f"train.precision={precision}", f"data.cache={folder.parent}/cache", "train.metric=loss"]
    run = Run(Setup("scenes:0:256", folder, "flow", [*settings, "train.steps=1000"]))
    run.begin()
    return run


class Ours:
    """The walk from noise to pictures, of texts of the drawn world, led until some moment."""

    def __init__(self, model: Any, args: argparse.Namespace, until: float):
        from tuwen import open_data
        from tuwen.generate.euler import Config as Euler
        from tuwen.task._texts import of_texts

        texts = [row.fields["text"][0] for row in open_data("scenes:0:256").split("train")]
        self.model, self.decoder, model = model, model.decoders["image"], model.eval()
        with torch.inference_mode():
            self.latent = of_texts(model, texts[: args.batch])
        self.noise = self.decoder.noise(args.batch, torch.Generator().manual_seed(0))
        self.walks = {
            kind: Euler(steps=args.steps, guidance=GUIDANCE, guidance_until=until, precision=kind).build()
            for kind in PRECISIONS
        }
        self.parameters = sum(p.numel() for p in self.decoder.network.parameters())
        with FlopCounterMode(display=False) as counted, torch.no_grad():
            self.decoder.velocity(self.noise, 0.5, self.latent, GUIDANCE)
        self.flops = counted.get_total_flops() * (1 + until) / 2

    def __call__(self, precision: str) -> float:
        self.model.eval()
        return seconds(lambda: self.walks[precision](self.decoder, self.latent, self.noise))

    def close(self) -> None: ...


def peers(args: argparse.Namespace, folder: Path, ours: Ours) -> dict[str, Any]:
    """The peer's network with as many layers as ours, and with as many as come nearest to our multiply-adds."""
    import numpy as np

    config, words = ours.decoder.config, ours.latent
    mask_PT = torch.ones(words.tokens.shape[:2]) if words.mask is None else words.mask
    np.savez(folder / "given.npz", noise=ours.noise.numpy(), words=words.tokens.numpy(), mask=mask_PT.numpy())
    about = {
        "widths": config.widths, "blocks": config.blocks, "layers": config.layers, "heads": config.heads,
        "steps": args.steps, "flops": ours.flops,
    }  # fmt: skip
    (folder / "about.json").write_text(json.dumps(about), "utf-8")
    whole, nearest = Theirs(args, folder, fit=False), Theirs(args, folder, fit=True)
    return {f"diffusers, layers: {one.layers}": one for one in (whole, nearest)}


class Theirs:
    """The peer's process: a precision and a number of threads on a line, and seconds come back."""

    def __init__(self, args: argparse.Namespace, folder: Path, *, fit: bool):
        command = [args.peer, __file__, "peer", str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        found = self.ask("fit" if fit else "begin")
        self.parameters, self.flops, self.layers = found["parameters"], found["flops"], found["layers"]

    def ask(self, what: str) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the peer has ended; what it said stands above")
        return json.loads(line)

    def __call__(self, precision: str) -> float:
        return float(self.ask(f"{precision} {torch.get_num_threads()}"))

    def close(self) -> None:
        self.process.communicate()


def as_peer(folder: Path) -> int:
    """Runs where diffusers is installed, as `Theirs` asks. Nothing of tuwen is imported."""
    import os

    import numpy as np
    from diffusers.utils import logging

    logging.set_verbosity_error()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed is no answer
    about = json.loads((folder / "about.json").read_text("utf-8"))
    given = {name: torch.from_numpy(array) for name, array in np.load(folder / "given.npz").items()}
    pipe: Pipe | None = None
    for line in sys.stdin:
        what, *threads = line.split()
        if pipe is None:
            pipe = Pipe(about, given, about["layers"])
            if what == "fit":
                several = [Pipe(about, given, layers) for layers in range(1, about["layers"] + 1)]
                pipe = min(several, key=lambda one: abs(one.flops - about["flops"]))
            found: Any = {"parameters": pipe.parameters, "flops": pipe.flops, "layers": pipe.layers}
        else:
            torch.set_num_threads(int(*threads))
            pipe.to(getattr(torch, what))
            found = seconds(pipe.draw)
        answers.write(json.dumps(found) + "\n")
        answers.flush()
    return 0


class Pipe:
    """diffusers' network and scheduler, put together as its own pipelines do."""

    def __init__(self, about: dict[str, Any], given: dict[str, Tensor], layers: int):
        from diffusers import FlowMatchEulerDiscreteScheduler, UNet2DConditionModel

        self.given, self.steps, self.layers = given, about["steps"], layers
        channels, side, grids = 3 * CELL**2, given["noise"].shape[-1] // CELL, len(about["widths"])
        self.unet = UNet2DConditionModel(
            sample_size=side, in_channels=channels, out_channels=channels, block_out_channels=tuple(about["widths"]),
            layers_per_block=about["blocks"], down_block_types=("DownBlock2D",) * grids,
            mid_block_type="UNetMidBlock2DCrossAttn", up_block_types=("UpBlock2D",) * grids,
            transformer_layers_per_block=layers, cross_attention_dim=given["words"].shape[-1],
            attention_head_dim=about["heads"], norm_num_groups=8, use_linear_projection=True,
        ).eval()  # fmt: skip
        self.scheduler = FlowMatchEulerDiscreteScheduler()
        self.parameters = sum(p.numel() for p in self.unet.parameters())
        self.to(torch.float32)
        with FlopCounterMode(display=False) as counted, torch.no_grad():
            self.velocity(self.x, torch.tensor(500.0))
        self.flops = counted.get_total_flops()

    def to(self, precision: torch.dtype) -> None:
        self.unet.to(precision)
        self.x = nn.functional.pixel_unshuffle(self.given["noise"], CELL).to(precision)
        words = self.given["words"].to(precision)
        self.words, self.mask = (
            torch.cat([torch.zeros_like(words), words]),
            self.given["mask"].repeat(2, 1).to(precision),
        )

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        both = self.unet(
            torch.cat([x, x]), t, encoder_hidden_states=self.words, encoder_attention_mask=self.mask
        ).sample
        without, with_it = both.chunk(2)
        return without + GUIDANCE * (with_it - without)

    @torch.inference_mode()
    def draw(self) -> Tensor:
        self.scheduler.set_timesteps(self.steps)
        x = self.x
        for t in self.scheduler.timesteps:
            x = self.scheduler.step(self.velocity(x, t), t, x, return_dict=False)[0]
        return nn.functional.pixel_shuffle(x, CELL)


def steps_of_training(args: argparse.Namespace, runs: dict[str, Any]) -> None:
    """Prints how long a step takes in each precision, beside its arithmetic."""
    batch = runs["float32"].sources.learned.batch(runs["float32"].sources.plan.items(0))
    with FlopCounterMode(display=False) as counted:
        runs["float32"].learn(batch)
    flops = counted.get_total_flops()
    print(f"\nA step of training: {len(batch)} rows, {flops / 2e6 / len(batch):.0f} million multiply-adds of a row\n")
    print("| threads | precision | s/step | rows/s | GFLOP/s | of the bound |\n|---|---|---|---|---|---|")
    for threads in args.threads:
        torch.set_num_threads(threads)
        steps = {kind: (lambda kind: seconds(lambda: runs[kind].learn(batch)), kind) for kind in PRECISIONS}
        for kind, seconds_R in in_turn(2 * args.rounds, steps).items():
            step_s, bound = statistics.median(seconds_R), product_rate(kind)
            cells = (spread(seconds_R), f"{len(batch) / step_s:.0f}", f"{flops / step_s / 1e9:.1f}")
            print(f"| {threads} | {kind} | " + " | ".join(cells) + f" | {flops / step_s / bound:.2f} |", flush=True)


# -- code by code ------------------------------------------------------------------------------------------------------


def codes(args: argparse.Namespace) -> int:
    decoder, latent = code_decoder(args)
    gpt2 = as_gpt2(decoder)
    with torch.inference_mode():
        memory, mask = decoder._memory(latent, torch.ones(args.batch, dtype=torch.bool))
    ours = raster(decoder, latent, top_k=1, guidance=1.0)
    theirs = generated(decoder, gpt2, memory, mask, do_sample=False)
    differ = int((ours() != (greedy := theirs())).any(1).sum())
    parameters = sum(p.numel() for p in gpt2.parameters())
    c = decoder.config
    print(f"width {c.width}, {c.layers} layers, {parameters:,} parameters, {decoder.length} codes of {decoder.size}")
    print(f"of {args.batch} pictures, each of the most probable codes, differ: {differ}; ", end="")
    print(f"different codes in them: {len(greedy.unique())}\n")
    print("| threads | system | precision | guidance | s/picture | times as fast as GPT-2 |\n|---|---|---|---|---|---|")
    drawn: dict[tuple[str, str, float], Callable[[], Tensor]] = {}
    for precision in PRECISIONS:
        other = gpt2 if precision == "float32" else copy.deepcopy(gpt2).to(torch.bfloat16)
        given = memory.to(other.dtype)
        drawn["tuwen", precision, 1.0] = raster(decoder, latent, guidance=1.0, precision=precision)
        drawn["GPT-2", precision, 1.0] = generated(decoder, other, given, mask, do_sample=True, top_k=0)
        drawn["tuwen", precision, GUIDANCE] = raster(decoder, latent, guidance=GUIDANCE, precision=precision)
    for threads in args.threads:
        torch.set_num_threads(threads)
        took = in_turn(args.rounds, {name: (lambda run: seconds(run), run) for name, run in drawn.items()})
        for (side, precision, guidance), seconds_R in took.items():
            peer = statistics.median(took["GPT-2", precision, 1.0]) / statistics.median(seconds_R)
            cell = spread([one / args.batch for one in seconds_R])
            print(f"| {threads} | {side} | {precision} | {guidance:g} | {cell} | {peer:.2f} |", flush=True)
    return int(differ > 0)


def code_decoder(args: argparse.Namespace) -> tuple[Any, Any]:
    """The recipe's decoder of codes as large as for pictures of 64 x 64, with weights that make codes varied; texts to read."""
    from tuwen import open_data
    from tuwen.model import CrossModal
    from tuwen.task._texts import of_texts
    from tuwen.train.setup import choose_recipe

    torch.manual_seed(0)
    data = open_data("scenes:0:256")
    width = choose_recipe("gpt-vqvae", data, ()).decode["image@codes"].width
    rows = list(data.split("train"))
    model = CrossModal.create(choose_recipe("gpt-vqvae", data, [f"fuse.words.width={width}"]), rows).eval()
    decoder: Any = model.decoders["image@codes"]
    for part in decoder.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=0.15)
    with torch.inference_mode():
        latent = of_texts(model, [row.fields["text"][0] for row in rows[: args.batch]])
    return decoder, latent


def as_gpt2(decoder: Any) -> Any:
    """The GPT-2 that computes what the decoder does; its begin stands for its end too, which no picture has."""
    from tuwen.decode._gpt2 import to_gpt2

    decoder.max_tokens, decoder.eos = decoder.length, decoder.bos
    return to_gpt2(decoder)


def raster(decoder: Any, latent: Any, **settings: Any) -> Callable[[], Tensor]:
    from tuwen.generate.raster import Config

    walk, noise = Config(**settings).build(), decoder.noise(len(latent), torch.Generator().manual_seed(0))
    return lambda: walk(decoder, latent, noise)


def generated(decoder: Any, gpt2: Any, memory: Tensor, mask: Tensor | None, **settings: Any) -> Callable[[], Tensor]:
    begin = torch.full((len(memory), 1), decoder.bos)

    @torch.inference_mode()
    def run() -> Tensor:
        made: Tensor = gpt2.generate(
            begin, attention_mask=torch.ones_like(begin), encoder_hidden_states=memory, encoder_attention_mask=mask,
            suppress_tokens=[decoder.bos], min_new_tokens=decoder.length, max_new_tokens=decoder.length, **settings,
        )  # fmt: skip
        return made[:, 1:]

    return run


# -- all ---------------------------------------------------------------------------------------------------------------


def in_turn(rounds: int, runs: dict[Any, tuple[Callable[[Any], float], Any]]) -> dict[Any, list[float]]:
    """Seconds of each run, of as many rounds, after one that does not count."""
    took: dict[Any, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, (run, given) in runs.items():
            took[name].append(run(given))
    return {name: some[1:] for name, some in took.items()}


def spread(seconds_R: list[float]) -> str:
    return f"{statistics.median(seconds_R):.4f} ({min(seconds_R):.4f} to {max(seconds_R):.4f})"


def product_rate(precision: str) -> float:
    """Operations a second of the product of two large matrices, the best of some."""
    a, b = torch.randn(2, PRODUCT, PRODUCT).to(getattr(torch, precision))
    with torch.inference_mode():
        return 2 * PRODUCT**3 / min(seconds(lambda: a @ b) for _ in range(10))


def seconds(run: Callable[[], object]) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    run()
    return clock() - start


def cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next(
            (line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor"
        )


if __name__ == "__main__":
    sys.exit(main())
