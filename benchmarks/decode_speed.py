"""Captions of a trained model beside transformers' `generate` with the same weights: the same texts, and pictures a second.

    python benchmarks/decode_speed.py MODEL DATA [--pictures 500] [--timed 128] [--batch 64] [--beams 5] [--tokens 20]

MODEL: a directory with a text_transformer as wide as its latent (cnn-transformer on Flickr8k), DATA: what it learned from.
Both sides get the same latents, in the same batches. First `--pictures` rows of the split are written greedily and by
beam search, in float32, and the texts compared, all of which must be the same. Then beam search over the first `--timed`
rows is measured, the two sides in turn, the best of `--repeats` counts: texts that end by themselves, at most `--tokens`
long, and texts of exactly that length. In bfloat16 both sides have their weights in it, and CIDEr says what that costs. With one
thread the clock is the processor time of the process, so that other programs disturb less.

The bound is the arithmetic that our search needs (every product of matrices, for the beams of the pictures that are not
done) at the rate that this machine reaches in the product of such a batch with the weights of an MLP.

One column for the machine as it is, one restricted to AVX2, each in a process of its own. Where products in bfloat16 take twice
the time of float32 or more, as they do with AVX2 alone, nothing is asked in bfloat16.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import tuwen
from tuwen.card import versions
from tuwen.command._read import read_rows
from tuwen.decode._gpt2 import to_gpt2
from tuwen.generate.beam import Config as Beam
from tuwen.generate.greedy import Config as Greedy
from tuwen.metric._captions import prepare
from tuwen.metric.cider import Cider
from tuwen.task.caption import latent_of
from tuwen.tokenizer import BOS, EOS, PAD, UNK
from tuwen.types import Latent

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
PRECISIONS = ("float32", "bfloat16")
Texts = list[list[int]]


def main() -> int:
    args = arguments()
    if args.child:
        print(json.dumps(measure(args)))
        return 0
    print(f"{datetime.date.today()}  {versions()['system']}, {cpu()}  torch {versions()['torch']}")
    print(" ".join(f"--{name} {value}" for name, value in vars(args).items() if value is not False), "\n")
    columns = {"as it is": child({}), "AVX2 only": child(AVX2)}
    print("| figure | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name in next(iter(columns.values())):
        print(f"| {name} | " + " | ".join(str(column.get(name, "")) for column in columns.values()) + " |")
    return int(any(value for column in columns.values() for name, value in column.items() if "differ" in name))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data")
    parser.add_argument("--split", default="val")
    for name, value in dict(pictures=500, timed=128, batch=64, beams=5, tokens=20, repeats=3).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def child(environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, __file__, *sys.argv[1:], "--child"]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Every figure of this process, by name."""
    torch.set_num_threads(max(args.threads))
    model = tuwen.load(args.model)
    rows = list(read_rows("decode_speed", model.recipe, args.data, split=args.split, settings=(), rows=args.pictures))
    with torch.inference_mode():
        latents = [latent_of(model, model.batch(part)) for part in parts(rows, args.batch)]
    sides = {"tuwen": Ours(model.decoders["text"], args), "transformers": Theirs(model.decoders["text"], args)}
    figures = compare(sides, latents, model, rows)
    counts = sizes(min(args.timed, args.pictures), args.batch)
    timed = [latent.rows(torch.arange(n)) for latent, n in zip(latents, counts, strict=False)]
    for threads in args.threads:
        torch.set_num_threads(threads)
        figures |= speeds(sides, timed, args)
    return figures


def compare(sides: dict[str, Any], latents: list[Latent], model: Any, rows: list[Any]) -> dict[str, Any]:
    """How many texts differ in float32; how different the captions are; CIDEr in either precision."""
    ours, theirs = (
        {beams: [text for latent in latents for text in side(latent, beams=beams)] for beams in (side.args.beams, 1)}
        for side in sides.values()
    )
    figures: dict[str, Any] = {}
    for beams, texts in ours.items():
        differ = sum(mine != other for mine, other in zip(texts, theirs[beams], strict=True))
        figures[f"of {len(texts)} texts, {beams} beams, differ"] = differ
    best = next(iter(ours.values()))
    figures["different captions"] = f"{len({tuple(text) for text in best}) / len(best):.1%}"
    figures["tokens of a caption, mean"] = round(sum(map(len, best)) / len(best), 1)

    def cider(texts: Texts) -> float:
        said = model.decoders["text"].texts(texts)
        return float(Cider(prepare(said, [row.fields["text"] for row in rows])).result()["cider"])

    full = figures["CIDEr"] = round(cider(best), 4)
    for name, side in sides.items():
        if "bfloat16" not in precisions(side.args.batch * side.args.beams):
            continue
        with side.precision("bfloat16"):
            value = cider([text for latent in latents for text in side(latent)])
        figures[f"CIDEr, {name} in bfloat16"] = f"{value:.4f} ({value / full - 1:+.1%})"
    return figures


def speeds(sides: dict[str, Any], latents: list[Latent], args: argparse.Namespace) -> dict[str, Any]:
    """Pictures a second and their ratios at the number of threads that is set."""
    figures, threads, pictures = {}, torch.get_num_threads(), sum(map(len, latents))
    rates = {kind: product_rate(args.batch * args.beams, kind) for kind in precisions(args.batch * args.beams)}
    for kind, rate in rates.items():
        figures[f"{threads} threads, products in {kind}, GFLOP/s"] = round(rate / 1e9)
    for least in (0, args.tokens):
        name = f"{threads} threads, {f'exactly {least} tokens' if least else 'texts that end'}"
        best = turns(sides, latents, least, args.repeats, tuple(rates))
        found = {key: pictures / value for key, value in best.items()}
        for (side, kind), rate in found.items():
            figures[f"{name}, {side} {kind}, pictures/s"] = round(rate, 1)
        fastest = max(found["tuwen", kind] for kind in rates)
        for kind in rates:
            figures[f"{name}, against it in {kind}"] = round(fastest / found["transformers", kind], 2)
        flops = sides["tuwen"].flops(latents, least)
        figures[f"{name}, MFLOP a picture"] = round(flops / pictures / 1e6)
        bound = max(rates.values()) * pictures / flops
        figures[f"{name}, arithmetic alone, pictures/s"] = round(bound, 1)
        figures[f"{name}, arithmetic alone / tuwen"] = round(bound / fastest, 2)
    return figures


def turns(
    sides: dict[str, Any], latents: list[Latent], least: int, repeats: int, kinds: Sequence[str]
) -> dict[tuple[str, str], float]:
    """The least seconds of each side in each precision, taken in turn."""
    best: dict[tuple[str, str], float] = {}
    for _ in range(repeats):
        for kind, (name, side) in itertools.product(kinds, sides.items()):
            with side.precision(kind):
                took_s = seconds(lambda side=side: [side(latent, least=least) for latent in latents])
            best[name, kind] = min(best.get((name, kind), took_s), took_s)
    return best


class Ours:
    """Our search; `flops` counts what it computes."""

    def __init__(self, decoder: Any, args: argparse.Namespace):
        self.decoder, self.args, self.kind = decoder, args, "float32"

    def __call__(self, latent: Latent, *, beams: int = 0, least: int = 0) -> Texts:
        limits: dict[str, Any] = {"max_tokens": self.args.tokens, "min_tokens": least, "precision": self.kind}
        method = Greedy(**limits) if beams == 1 else Beam(**limits, beams=self.args.beams)
        return [texts[0].tokens for texts in method.build()(self.decoder, latent)]

    @contextlib.contextmanager
    def precision(self, kind: str) -> Iterator[None]:
        self.kind = kind
        yield
        self.kind = "float32"

    def flops(self, latents: list[Latent], least: int) -> float:
        """Two for each multiplication: of memories, weights, embeddings, and of queries with what they look at."""
        c, steps = self.decoder.config, Counted(self.decoder)
        memory = sum(latent.tokens.shape[0] * latent.tokens.shape[1] for latent in latents)
        for latent in latents:
            Beam(beams=self.args.beams, max_tokens=self.args.tokens, min_tokens=least).build()(steps, latent)
        layer = 14 * c.width**2  # 4 + 2 of the attentions, 8 of the MLP
        rows = sum(rows for rows, _ in steps.seen)
        looked = sum(rows * (place + latents[0].tokens.shape[1]) for rows, place in steps.seen)
        products = c.layers * (2 * c.width**2 * memory + layer * rows + 2 * c.width * looked)
        return 2.0 * (products + self.decoder.token.num_embeddings * c.width * rows)


class Counted:
    """A decoder that notes how many texts each step went on with, and their length after it."""

    def __init__(self, decoder: Any):
        self.decoder = decoder
        self.seen: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.decoder, name)

    def step(self, state: Any, token_N: torch.Tensor) -> torch.Tensor:
        self.seen.append((len(token_N), state.length + 1))
        return self.decoder.step(state, token_N)


class Theirs:
    """transformers' `generate`, its settings left alone but for beams, lengths and the tokens that nobody writes."""

    def __init__(self, decoder: Any, args: argparse.Namespace):
        self.gpt2: Any = to_gpt2(decoder)
        self.args = args

    @torch.inference_mode()
    def __call__(self, latent: Latent, *, beams: int = 0, least: int = 0) -> Texts:
        begin = torch.full((len(latent), 1), BOS)
        rows = self.gpt2.generate(
            begin,
            attention_mask=torch.ones_like(begin),
            encoder_hidden_states=latent.tokens.to(self.gpt2.dtype),
            num_beams=beams or self.args.beams,
            do_sample=False,
            min_new_tokens=least,
            max_new_tokens=self.args.tokens,
            suppress_tokens=[PAD, BOS, UNK],
        )
        return [list(itertools.takewhile(lambda token: token != EOS, row[1:])) for row in rows.tolist()]

    @contextlib.contextmanager
    def precision(self, kind: str) -> Iterator[None]:
        kept = {name: tensor.clone() for name, tensor in self.gpt2.state_dict().items()}
        self.gpt2.to(getattr(torch, kind))
        yield
        self.gpt2.float().load_state_dict(kept)


@functools.cache
def precisions(rows: int) -> tuple[str, ...]:
    """Those that are asked: a machine may have no quick product in bfloat16."""
    rates = {kind: product_rate(rows, kind) for kind in PRECISIONS}
    return tuple(kind for kind, rate in rates.items() if rate > rates["float32"] / 2)


def product_rate(rows: int, precision: str) -> float:
    """Operations a second of the product of a batch of beams with the weights of an MLP of width 384."""
    kind = getattr(torch, precision)
    x, weight = torch.randn(rows, 384).to(kind), torch.randn(1536, 384).to(kind)
    with torch.inference_mode():
        return 2 * rows * 384 * 1536 / min(seconds(lambda: F.linear(x, weight)) for _ in range(50))


def seconds(run: Callable[[], object]) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    run()
    return clock() - start


def parts(rows: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def sizes(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]


def cpu() -> str:
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo") as lines:
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return "unknown processor"


if __name__ == "__main__":
    sys.exit(main())
