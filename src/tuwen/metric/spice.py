"""SPICE of captions: objects, attributes and relations in common with the references, as an F-measure.

Needs the extra captions-java, Java, and the models of Stanford CoreNLP 3.6.0, which pycocoevalcap does not bring.

Source:
    Anderson et al. 2016, "SPICE: Semantic Propositional Image Caption Evaluation", ECCV, arXiv:1607.08822; the program
    is that of the package pycocoevalcap.
Differs:
    parses are not kept between runs: the program's store of them does not work with every Java. A caption of which
    nothing can be said scores 0.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuwen.errors import ConfigError
from tuwen.metric._captions import CaptionMetric, Captions
from tuwen.metric._java import command, failed, folder

_MODELS = "stanford-corenlp-3.6.0-models.jar"


@dataclass(frozen=True, kw_only=True)
class Config:
    """SPICE; nothing to set, so that numbers stay comparable."""

    def build(self) -> Spice:
        """Raises MissingExtraError without pycocoevalcap, ConfigError without Java or the models."""
        return Spice()

    def tiny(self) -> Config:
        return self

    def example(self, batch: int) -> tuple[list[str], list[list[str]]]:
        return ["a red circle"] * batch, [["a red circle", "one circle"]] * batch


class Spice(CaptionMetric):
    """`result`: spice, the mean of `per_item`."""

    costly = True
    """Takes longer than everything else together: what chance gives is not asked for."""

    def __init__(self, captions: Captions | None = None) -> None:
        super().__init__(captions)
        self._place = folder("spice")
        self._how = command("spice", "8G", self._place / "spice-1.0.jar")
        if not (self._place / "lib" / _MODELS).is_file():
            raise ConfigError(
                f"metric.spice needs the models of Stanford CoreNLP 3.6.0, and there is no {self._place / 'lib' / _MODELS}; "
                "`python -m pycocoevalcap.spice.get_stanford_models` fetches them while you are online, or leave spice "
                "out of --metrics."
            )

    def result(self) -> dict[str, float]:
        return {"spice": float(np.mean(self.per_item()))}

    def _score(self, captions: Captions) -> list[float]:
        asked = [
            {"image_id": item, "test": captions.spelled(own), "refs": [captions.spelled(one) for one in group]}
            for item, (own, group) in enumerate(zip(captions.predictions, captions.references, strict=True))
        ]
        with tempfile.TemporaryDirectory(prefix="tuwen-spice-") as place:
            given, made = Path(place) / "asked.json", Path(place) / "scores.json"
            given.write_text(json.dumps(asked), "utf-8")
            done = subprocess.run(
                [*self._how, str(given), "-out", str(made), "-silent"],
                cwd=self._place, capture_output=True, encoding="utf-8", errors="replace",
            )  # fmt: skip
            if done.returncode or not made.is_file():
                raise failed("spice", done.returncode, done.stderr or done.stdout)
            scores = {row["image_id"]: row["scores"]["All"]["f"] for row in json.loads(made.read_text("utf-8"))}
        return [_number(scores.get(item)) for item in range(len(asked))]


def _number(value: object) -> float:
    """A score as the program writes it; 0 where it says nothing, or that it is no number."""
    found = float(value) if isinstance(value, int | float | str) else math.nan
    return 0.0 if math.isnan(found) else found
