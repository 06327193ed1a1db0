"""Training beside transformers' Trainer: the same captioner on the same cached features, in captions a second.

    python benchmarks/trainer_speed.py DATA --source BACKBONE [--peer PYTHON] [--pictures 1024] [--steps 12] [--threads 1]

The recipe is cnn-transformer with a frozen BACKBONE. The peer is what a user of transformers would write: a Dataset that
gives features and tokens, a collator that pads to the longest caption, GPT-2 with cross-attention of the same sizes and
dropout behind the same projection, and Trainer with nothing set but the batch and the number of steps: as it comes, and
with bf16=True. Every caption is a row to it. It runs in processes of its own, by PYTHON, an interpreter that has
transformers and accelerate (default: this one); nothing of tuwen is imported there.

Two readings: a batch of 32 captions of as many pictures, and the recipe's own, 32 pictures with all of their captions, beside
as many captions to a batch of the peer. Both sides move their weights with AdamW; the recipe's own optimiser stands beside
it. Ours hides parts of pictures and of texts too, as the recipe says, and keeps an average of the weights.

The sides take turns, the best of `--rounds` counts. With one thread ratios and shares are those of processor time, so
that other programs disturb less, else of wall time. The arithmetic is that of all products of matrices in our step, forward and
backward, and of Muon's; the rate that of a product of 2048 tokens with the weights of an MLP, in the precision of our step, which
the self-test of the machine has chosen.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

WARM = 3
"""Steps of each turn that are not counted."""
PRECISIONS = ("as it comes", "bf16=True")


class Rate(NamedTuple):
    """Captions a second."""

    wall: float
    processor: float


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    if args.peer_folder:
        print(json.dumps(as_peer(args)))
        return
    from tuwen.card import versions

    print(f"{datetime.date.today()}  {versions()['system']}  torch {versions()['torch']}  {args.threads} threads")
    told = ", ".join(f"{product_rate(kind) / 1e9:.0f} in {kind}" for kind in (torch.float32, torch.bfloat16))
    print(f"{args.data}, {args.pictures} pictures; GFLOP/s in products of matrices: {told}\n")
    print("| batch | system | captions/s, wall | by processor time | GFLOP a caption | share of the rate |")
    print("|---|---|---|---|---|---|")
    ratios = [line for captions in ("one", "all") for line in reading(args, captions)]
    print("", *ratios, sep="\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--source", required=True, help="a frozen backbone: a folder or a hub name")
    parser.add_argument("--peer", default=sys.executable, help="interpreter that has transformers and accelerate")
    for name, value in dict(pictures=1024, steps=12, rounds=3, threads=1).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--peer-folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--precision", default=PRECISIONS[0], help=argparse.SUPPRESS)
    return parser.parse_args()


def reading(args: argparse.Namespace, captions: str) -> list[str]:
    """Prints the lines of one reading; gives what the ratios are."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {"tuwen, adamw": make_run(args, captions, "adamw", Path(folder) / "adamw")}
        if captions == "all":
            runs["tuwen, muon"] = make_run(args, captions, "muon", Path(folder) / "muon")
        run = runs["tuwen, adamw"]
        batch = round(sum(len(run.sources.plan.lengths[row]) if c < 0 else 1 for row, c in some_items(run)) / 8)
        hand_over(run, batch, Path(folder))
        sides: dict[str, Callable[[], Rate]] = {}
        for name, one in runs.items():
            sides[name] = lambda one=one: our_rate(one, args.steps)
        for name in PRECISIONS:
            sides[f"Trainer, {name}"] = lambda name=name: ask_peer(args, name, folder)
        best = dict.fromkeys(sides, Rate(0.0, 0.0))
        for _ in range(args.rounds):
            for name, rate in sides.items():
                best[name] = Rate(*map(max, best[name], rate()))
        of = f"{batch} captions of {len(some_items(run)) // 8} pictures"
        kind, clock = run.machine.precision, "processor" if args.threads == 1 else "wall"
        for name, rate in best.items():
            flops = arithmetic(runs[name]) if name in runs else 0.0
            counted = f"{flops / 1e9:.3f} | {flops * getattr(rate, clock) / product_rate(kind):.0%}" if flops else "|"
            ours = f"{name}, {run.machine.precision_name}" if flops else name
            print(f"| {of} | {ours} | {rate.wall:.1f} | {rate.processor:.1f} | {counted} |", flush=True)
    return [
        f"{of}: {ours} against Trainer {name}: "
        f"{getattr(best[ours], clock) / getattr(best[f'Trainer, {name}'], clock):.2f} times by {clock} time"
        for ours in runs
        for name in PRECISIONS
    ]


# -- ours --------------------------------------------------------------------------------------------------------------


def make_run(args: argparse.Namespace, captions: str, optimiser: str, out: Path) -> Any:
    from tuwen import open_data
    from tuwen.train.loop import Run
    from tuwen.train.setup import Setup

    data = open_data(args.data)
    rows = data.take(range(min(args.pictures, len(data))))
    settings = ["encode.image=image_pretrained", f"encode.image.source={args.source}", f"data.captions={captions}"]
    settings += [f"train.optimiser={optimiser}", f"train.threads={args.threads}", "train.steps=1000"]
    run = Run(Setup(rows, out, "cnn-transformer", [*settings, f"data.cache={out.parent}/cache"]))
    run.begin()
    return run


def our_rate(run: Any, steps: int) -> Rate:
    """A step is what the loop does: take a batch that a thread has made of the cache, learn from it."""
    from tuwen.train.feed import Ahead

    ahead, marks, captions, first = Ahead(run.sources.learned, run.sources.plan), [now()], [], run.step
    run.model.train()
    for step in range(first, first + WARM + steps):
        batch = ahead.take(step)
        run.learn(batch)
        captions.append(len(batch.targets["text"]))
        marks.append(now())
    ahead.close()
    return rate_of(marks, captions)


def some_items(run: Any) -> list[tuple[int, int]]:
    return [item for step in range(8) for item in run.sources.plan.items(step)]


def arithmetic(run: Any) -> float:
    """Operations a caption, two for each multiplication, over eight steps."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    batches = [run.sources.learned.batch(run.sources.plan.items(step)) for step in range(8)]
    run.model.train()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # the others are not counted
        for batch in batches:
            run.backward(batch)
            run.optimiser.step()
            run.optimiser.zero_grad()
    return counter.get_total_flops() / sum(len(batch.targets["text"]) for batch in batches)


def product_rate(kind: torch.dtype) -> float:
    """Operations a second of a product of the size that a step is made of."""
    x, weight = torch.randn(2048, 256).to(kind), torch.randn(1024, 256).to(kind)
    took_s = []
    for _ in range(50):
        began = time.perf_counter()
        nn.functional.linear(x, weight)
        took_s.append(time.perf_counter() - began)
    return 2 * 2048 * 256 * 1024 / min(took_s)


# -- the peer's --------------------------------------------------------------------------------------------------------


def hand_over(run: Any, batch: int, folder: Path) -> None:
    """What the peer learns from: features, the tokens of every caption, whose they are, and the sizes of the model."""
    source, model = run.sources.learned, run.model
    cached, decoder = source.caches["image"], model.decoders["text"]
    np.save(folder / "features.npy", cached.cache.read([cached.place(s.key) for s in source.samples]).numpy())
    captions = [(row, text) for row, sample in enumerate(source.samples) for text in sample.fields["text"]]
    data_PT, mask_PT = decoder.prepare([text for _, text in captions])
    c = decoder.config
    about = {
        "tokens": [row[mask].tolist() for row, mask in zip(data_PT, mask_PT, strict=True)],
        "owner": [row for row, _ in captions],
        "sizes": {
            "vocab_size": decoder.token.num_embeddings, "n_positions": c.max_tokens, "n_embd": c.width,
            "n_layer": c.layers, "n_head": c.heads, "resid_pdrop": c.dropout, "embd_pdrop": c.dropout,
        },
        "space": {"dropout": model.spaces["image"].config.dropout, "width": model.spaces["image"].config.width},
        "smoothing": run.recipe.objective["caption"].smoothing,
        "batch": batch,
    }  # fmt: skip
    (folder / "about.json").write_text(json.dumps(about))


def ask_peer(args: argparse.Namespace, precision: str, folder: str) -> Rate:
    command = [args.peer, __file__, args.data, "--source", args.source, "--peer-folder", folder]
    command += ["--precision", precision, "--steps", str(args.steps), "--threads", str(args.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return Rate(*json.loads(done.stdout.strip().split("\n")[-1]))


class Captions(torch.utils.data.Dataset):  # type: ignore[type-arg]
    """Every caption is a row, with the features of its picture."""

    def __init__(self, folder: Path, about: dict[str, Any]):
        self.features = np.load(folder / "features.npy", mmap_mode="r")
        self.tokens, self.owner = about["tokens"], about["owner"]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        features = torch.from_numpy(np.array(self.features[self.owner[row]]))
        return {"features": features, "input_ids": torch.tensor(self.tokens[row])}


def padded(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """To the longest caption of the batch, on the right."""
    tokens = [row["input_ids"] for row in rows]
    ids = nn.utils.rnn.pad_sequence(tokens, batch_first=True)
    real = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in tokens], batch_first=True)
    features = torch.stack([row["features"] for row in rows]).float()
    return {"features": features, "input_ids": ids, "attention_mask": real, "labels": ids.masked_fill(real == 0, -100)}


class Captioner(nn.Module):
    """Features through a projection to GPT-2, which looks at them."""

    def __init__(self, about: dict[str, Any], width: int):
        super().__init__()
        from transformers import GPT2Config, GPT2LMHeadModel

        space = about["space"]
        self.space = nn.Sequential(
            nn.LayerNorm(width),
            nn.Dropout(space["dropout"]),
            nn.Linear(width, space["width"]),
            nn.LayerNorm(space["width"]),
        )
        config = GPT2Config(**about["sizes"], attn_pdrop=0.0, add_cross_attention=True, bos_token_id=1, eos_token_id=2)
        self.gpt2, self.smoothing = GPT2LMHeadModel(config), about["smoothing"]

    def forward(self, features: Tensor, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        memory = self.space(features)
        logits = self.gpt2(input_ids, attention_mask=attention_mask, encoder_hidden_states=memory).logits
        said, wanted = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        return {"loss": nn.functional.cross_entropy(said, wanted, label_smoothing=self.smoothing)}


def as_peer(args: argparse.Namespace) -> Rate:
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.marks: list[tuple[float, float]] = []

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.marks.append(now())

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.marks.append(now())

    folder, clock = Path(args.peer_folder), Clock()
    about = json.loads((folder / "about.json").read_text())
    data = Captions(folder, about)
    settings = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=about["batch"],
        max_steps=WARM + args.steps,
        use_cpu=True,
        bf16=args.precision == "bf16=True",
        report_to="none",
        save_strategy="no",
    )
    model = Captioner(about, data.features.shape[-1])
    Trainer(model, settings, data_collator=padded, train_dataset=data, callbacks=[clock]).train()
    return rate_of(clock.marks, [about["batch"]] * (len(clock.marks) - 1))


# -- both --------------------------------------------------------------------------------------------------------------


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def rate_of(marks: Sequence[tuple[float, float]], captions: Sequence[int]) -> Rate:
    """Captions a second of the steps between the marks, without the first ones."""
    num = sum(captions[WARM:])
    wall_s, processor_s = (end - begin for begin, end in zip(marks[WARM], marks[-1], strict=True))
    return Rate(num / wall_s, num / processor_s)


if __name__ == "__main__":
    main()
