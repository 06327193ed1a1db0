"""Caption metrics beside the reference: the same numbers, without Java, and how much faster.

    TUWEN_DATA=FOLDER python benchmarks/caption_metrics.py [--captions 5000] [--references 5] [--only equal]

Equal: `tuwen evaluate --captions --references --json` on the thousand captions of coco-caption's own example, against
the values that the reference gives for them, and the tokenizer against 20,245 sentences that the Stanford PTBTokenizer
has cut. Faster: as many captions as asked for, with references each, from strings, cold: each side in a fresh process
that tokenizes and computes BLEU, ROUGE-L and CIDEr once; imports stand beside. The peer is pycocoevalcap (PTBTokenizer
in Java, the three scorers in Python). Both must give the same numbers. Sentences: those of COCO's example and of Flickr8k.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REFERENCE = {
    "bleu_1": 0.5793995754573356,
    "bleu_2": 0.40439129741018104,
    "bleu_3": 0.2785363856619147,
    "bleu_4": 0.1908290437674253,
    "rouge_l": 0.39625269357570847,
    "cider": 0.5998952026835711,
}
"""What coco-caption gives for its example."""
EXACT, TOKENIZER, TIMES = 1e-9, 25, 10.0
"""Most that a figure may differ, most sentences that may be cut otherwise, least ratio of the times."""


def main() -> int:
    args = arguments()
    if args.side:
        print(json.dumps(SIDES[args.side](json.loads(Path(args.file).read_text("utf-8")))))
        return 0
    root = Path(os.environ.get("TUWEN_DATA", ""))
    if not (root / "coco_caption_eval").is_dir():
        print("needs coco_caption_eval/ in the folder that the variable TUWEN_DATA names", file=sys.stderr)
        return 2
    print(f"{datetime.date.today()}  {sys.platform}  Python {sys.version.split()[0]}  {os.cpu_count()} cores")
    good = equal(root / "coco_caption_eval")
    if args.only != "equal":
        good &= faster(root, args.captions, args.references)
    return int(not good)


# -- the same numbers -------------------------------------------------------------------------------------------------


def equal(folder: Path) -> bool:
    files = folder / "captions_val2014_fakecap_results.json", folder / "captions_val2014_1000.json"
    command = ["evaluate", "--captions", str(files[0]), "--references", str(files[1]), "--json"]
    done = subprocess.run([sys.executable, "-m", "tuwen", *command], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["figures"]
    print("\ntuwen evaluate --captions --references --json, and the reference")
    for name, value in REFERENCE.items():
        print(f"  {name:<8} {found[name]:.16f}  {value:.16f}  differ by {abs(found[name] - value):.1e}")
    differ, num = tokenizer(folder / "ptb_tokenizer_pairs.tsv.gz")
    print(f"sentences that are cut otherwise: {differ} of {num} (at most {TOKENIZER})")
    return differ <= TOKENIZER and all(abs(found[name] - value) <= EXACT for name, value in REFERENCE.items())


def tokenizer(path: Path) -> tuple[int, int]:
    """Pairs that differ, and all; punctuation is dropped on both sides, as coco-caption does."""
    from tuwen.metric._tokens import DROPPED, ptb_tokenize

    with gzip.open(path, "rt", encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t") for line in file]
    wrong = [raw for raw, cut in pairs if ptb_tokenize(raw) != [token for token in cut.split() if token not in DROPPED]]
    return len(wrong), len(pairs)


# -- how much faster --------------------------------------------------------------------------------------------------


def faster(root: Path, captions: int, references: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sentences.json"
        file.write_text(json.dumps(sentences(root, captions, references)), "utf-8")
        found = {side: timed(side, file) for side in SIDES}
    print(f"\n{captions} captions with {references} references each, tokenizing included; seconds")
    for side, one in found.items():
        print(f"  {side:<14} {one['seconds']:8.2f}  (imports before that {one['imports']:.2f})")
    ours, theirs = found["tuwen"], found["pycocoevalcap"]
    ratio = theirs["seconds"] / ours["seconds"]
    apart = max(abs(ours["figures"][name] - value) for name, value in theirs["figures"].items())
    print(f"  ratio {ratio:.1f} (at least {TIMES:g}); figures differ by at most {apart:.1e}")
    return ratio >= TIMES and apart < 1e-3  # the tokenizers may cut a few sentences in two ways


def timed(side: str, file: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", side, "--file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def sentences(root: Path, captions: int, references: int) -> list[Any]:
    """[captions, their groups of references]: a caption is a sentence of another picture."""
    groups: dict[Any, list[str]] = {}
    for row in json.loads((root / "coco_caption_eval" / "captions_val2014_1000.json").read_text())["annotations"]:
        groups.setdefault(row["image_id"], []).append(row["caption"])
    flickr = root / "flickr8k" / "dataset_flickr8k.json"
    if flickr.is_file():
        for image in json.loads(flickr.read_text("utf-8"))["images"]:
            groups[image["filename"]] = [sentence["raw"] for sentence in image["sentences"]]
    kept = [group[:references] for group in groups.values() if len(group) >= references][:captions]
    if len(kept) < captions:
        sys.exit(f"there are {len(kept)} pictures with {references} sentences; ask for fewer with --captions")
    return [[group[0] for group in kept[1:] + kept[:1]], kept]


def ours(given: list[Any]) -> dict[str, Any]:
    began = time.perf_counter()
    from tuwen.metric._captions import score_captions

    imported = time.perf_counter()
    figures = score_captions(*given).scores
    return {"imports": imported - began, "seconds": time.perf_counter() - imported, "figures": figures}


def theirs(given: list[Any]) -> dict[str, Any]:
    began = time.perf_counter()
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    imported = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        said = PTBTokenizer().tokenize({i: [{"caption": text}] for i, text in enumerate(given[0])})
        told = PTBTokenizer().tokenize({i: [{"caption": one} for one in group] for i, group in enumerate(given[1])})
        bleu, _ = Bleu(4).compute_score(told, said, verbose=0)
        rouge, _ = Rouge().compute_score(told, said)
        cider, _ = Cider().compute_score(told, said)
    figures = {f"bleu_{order}": value for order, value in enumerate(bleu, 1)}
    figures |= {"rouge_l": float(rouge), "cider": float(cider)}
    return {"imports": imported - began, "seconds": time.perf_counter() - imported, "figures": figures}


SIDES = {"tuwen": ours, "pycocoevalcap": theirs}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=5000)
    parser.add_argument("--references", type=int, default=5)
    parser.add_argument("--only", choices=["equal"], help="leave out the comparison of speed")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
