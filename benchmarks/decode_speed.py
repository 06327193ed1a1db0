"""Beam search beside transformers' `generate`, in one process, on the same weights: pictures a second and the ratio.

    python benchmarks/decode_speed.py --layers 3 --width 384 --vocabulary 4000 --memory 49 --pictures 64 --beams 5 \
        --tokens 20 --threads 1

Weights are random, so both sides write exactly --tokens tokens; with --end 10 the weights are bent so that texts end
by themselves, about that long, and --tokens is only the limit. Both sides must write the same texts in float32.
The two take turns; the best of --repeats counts. With one thread the clock is the processor time of the process, so
that other programs disturb less. The bound is what the matrix products of exactly --tokens steps alone would take at
the rate that this machine reaches on the same shapes.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import itertools
import platform
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tuwen.decode._gpt2 import to_gpt2
from tuwen.decode.text_transformer import Config, TextTransformer
from tuwen.generate.beam import Config as Beam
from tuwen.tokenizer import BOS, EOS, PAD, UNK
from tuwen.types import Latent, Widths


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    decoder, latent = model(args)
    gpt2 = to_gpt2(decoder)
    written = ours(decoder, latent, args)
    assert written == theirs(gpt2, latent.tokens, args), "the two write different texts"
    print(f"{datetime.date.today()}  {cpu()}  torch {torch.__version__}  threads {args.threads}")
    print(" ".join(f"--{name} {value}" for name, value in vars(args).items()))
    lengths = sorted(len(tokens) for tokens in written)
    print(
        f"same texts on both sides; tokens a text: from {lengths[0]} to {lengths[-1]}, mean {sum(lengths) / len(lengths):.1f}"
    )
    rates: dict[tuple[str, str], float] = {}
    for precision in ("float32", "bfloat16"):
        sides = {
            "tuwen": lambda: ours(decoder, latent, args),
            "transformers": lambda: theirs(gpt2, latent.tokens, args),
        }
        best = dict.fromkeys(sides, float("inf"))
        for _ in range(args.repeats):
            for name, run in sides.items():
                with autocast(precision):
                    best[name] = min(best[name], seconds(run, args.threads))
        for name, value in best.items():
            rates[precision, name] = args.pictures / value
        bound = args.pictures / bound_s(args, precision)
        us, them = rates[precision, "tuwen"], rates[precision, "transformers"]
        print(
            f"{precision:9} tuwen {us:7.1f} pictures/s  transformers {them:7.1f}  ratio {us / them:5.2f}  "
            f"matrix products alone {bound:7.1f} ({us / bound:.0%} of it reached)"
        )
    top = max(rates["float32", "tuwen"], rates["bfloat16", "tuwen"])
    print(
        f"our faster precision against transformers in float32 (its default): {top / rates['float32', 'transformers']:.2f}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = dict(layers=3, width=384, vocabulary=4000, memory=49, pictures=64, beams=5, tokens=20, end=0, threads=1)
    defaults |= dict(repeats=3)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser.parse_args()


def model(args: argparse.Namespace) -> tuple[TextTransformer, Latent]:
    config = Config(width=args.width, layers=args.layers, heads=args.width // 64, max_tokens=64, dropout=0.0)
    decoder = config.build(Widths(args.width, args.width))
    decoder.settle(args.vocabulary)
    tokens_BMD = torch.randn(args.pictures, args.memory, args.width)
    if args.end:
        bend(decoder, args.end)
        tokens_BMD += torch.randn(args.pictures, 1, args.width)
    return decoder.eval(), Latent(tokens_BMD.mean(1), tokens_BMD)


@torch.no_grad()
def bend(decoder: TextTransformer, end: int) -> None:
    """Pictures weigh more, and the position pushes towards the end token, harder with every token."""
    end_D = nn.functional.normalize(torch.randn(decoder.config.width), dim=0)
    decoder.token.weight.mul_(5)
    decoder.token.weight[decoder.eos] = 3 * end_D
    decoder.position.weight += 10 * torch.arange(decoder.max_tokens)[:, None] / end * end_D
    for block in decoder.blocks:
        block.get_submodule("cross.out").weight.mul_(4)  # type: ignore[operator, union-attr]
        block.get_submodule("cross.memory_kv").weight.mul_(4)  # type: ignore[operator, union-attr]


def ours(decoder: TextTransformer, latent: Latent, args: argparse.Namespace) -> list[list[int]]:
    method = Beam(beams=args.beams, max_tokens=args.tokens, min_tokens=0 if args.end else args.tokens).build()
    return [texts[0].tokens for texts in method(decoder, latent)]


@torch.inference_mode()
def theirs(gpt2: Any, tokens_BMD: Tensor | None, args: argparse.Namespace) -> list[list[int]]:
    assert tokens_BMD is not None
    begin = torch.ones(args.pictures, 1, dtype=torch.int64)
    rows = gpt2.generate(
        begin,
        attention_mask=begin,
        encoder_hidden_states=tokens_BMD,
        num_beams=args.beams,
        do_sample=False,
        min_new_tokens=0 if args.end else args.tokens,
        max_new_tokens=args.tokens,
        suppress_tokens=[PAD, BOS, UNK],
    )
    return [list(itertools.takewhile(lambda token: token != EOS, row[1:])) for row in rows.tolist()]


def bound_s(args: argparse.Namespace, precision: str) -> float:
    """Seconds of the matrix products with weights, at the rate measured for each of their shapes, without anything else."""
    rows, d = args.pictures * args.beams, args.width
    shapes = [(d, 3 * d), (d, d), (d, d), (d, d), (d, 4 * d), (4 * d, d)]  # qkv, out, query, out, up, down
    once = args.layers * product_s(args.pictures * args.memory, d, 2 * d, precision)
    step = args.layers * sum(product_s(rows, k, n, precision) for k, n in shapes)
    return once + args.tokens * (step + product_s(rows, d, args.vocabulary, precision))


def product_s(m: int, k: int, n: int, precision: str) -> float:
    layer, x_MK = nn.Linear(k, n).to(getattr(torch, precision)), torch.randn(m, k, dtype=getattr(torch, precision))
    with torch.inference_mode():
        return min(seconds(lambda: layer(x_MK), torch.get_num_threads()) for _ in range(20))


def autocast(precision: str) -> contextlib.AbstractContextManager[Any]:
    return contextlib.nullcontext() if precision == "float32" else torch.autocast("cpu", torch.bfloat16)


def seconds(run: Callable[[], object], threads: int) -> float:
    clock = time.process_time if threads == 1 else time.perf_counter
    start = clock()
    run()
    return clock() - start


def cpu() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        return next(
            (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor()
        )
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
