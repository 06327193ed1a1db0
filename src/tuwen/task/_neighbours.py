"""Texts of pictures that are like a picture: what people said of its neighbours in the shared space."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuwen.data._vectors import Vector, read_vectors
from tuwen.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from tuwen.model import CrossModal
    from tuwen.types import Latent

_SHARP = 10.0
"""How much more a nearer neighbour is heard: its share is e to the power of this times its cosine."""
_SAME = 0.9999
"""Cosine from which on a neighbour is the picture itself, whose own texts would be its answer."""


def neighbours_of(matcher: CrossModal, path: str) -> Neighbours:
    """The pictures of a file, kept for the next request as long as file and model are the same.

    Args:
        matcher: the model that the vectors are of.
        path: what `tuwen embed` wrote of pictures and their texts.
    Raises:
        CannotError: the model was not trained to match.
        ConfigError: the file cannot be read, has no pictures with texts, or its vectors are of another model.
        MissingExtraError: it is Parquet, and pyarrow is not installed.
    """
    matcher.require("match", verb="find pictures that are alike")
    changed = Path(path).stat().st_mtime_ns if Path(path).is_file() else 0
    try:
        return _opened(matcher, path, changed)
    except DataError as error:  # an option is wrong, not a picture that is asked about
        raise ConfigError(str(error)) from None


@lru_cache(maxsize=1)
def _opened(matcher: CrossModal, path: str, changed: int) -> Neighbours:
    vectors = read_vectors(path)
    _check_made_by(matcher, [one for one in vectors if one.text.strip()][:8], path)
    return Neighbours(vectors, path)


def _check_made_by(matcher: CrossModal, told: Sequence[Vector], path: str) -> None:
    """Some texts are embedded again: vectors of another model lie elsewhere."""
    import numpy as np
    import torch

    if not told:
        return
    now_TD = matcher.encode([one.text for one in told], field="text").float().cpu()
    kept_TD = torch.from_numpy(np.stack([one.place for one in told]))
    if kept_TD.shape != now_TD.shape or float((kept_TD * now_TD).sum(1).min()) < 0.99:
        names = getattr(matcher, "names", ())  # of those that match as one, in the order of their vectors
        order = "; or name the models in the order in which they made them" if len(names) > 1 else ""
        raise ConfigError(
            f"the vectors in {path} are not those of the model that matches here; make them with it: "
            f"tuwen embed {','.join(names) or 'MODEL'} DATA --split train -o {path}{order}"
        )


class Neighbours:
    """Pictures with texts, in the order of a file.

    Args:
        vectors: of pictures, and of the texts of the same rows; what has no partner is passed over.
        path: for messages.
    """

    def __init__(self, vectors: Sequence[Vector], path: str = "vectors"):
        import numpy as np
        import torch

        texts: dict[str, list[str]] = defaultdict(list)
        for one in vectors:
            if one.text.strip():
                texts[one.key].append(one.text)
        seen = [one for one in vectors if not one.text and one.field == "image" and one.key in texts]
        if not seen:
            raise DataError(
                f"{path} has no pictures with texts of the same rows; embed both: tuwen embed MODEL DATA --split train "
                f"-o {path}"
            )
        self.texts = [texts[one.key] for one in seen]
        self.picture_ND = torch.from_numpy(np.stack([one.place for one in seen]))

    def __call__(self, latent: Latent, num: int) -> list[dict[str, float]]:
        """For each row the texts of the `num` pictures most like its own, and their shares, in sum 1.

        Args:
            latent: of pictures as the model that matches reads them, or with these beside (`tuwen.ensemble`).
        """
        from torch.nn.functional import normalize

        read: Any = getattr(latent, "matched", None) or latent
        cosine_BN = normalize(read.pooled.float(), dim=-1).cpu() @ self.picture_ND.T
        cosine_BN[cosine_BN > _SAME] = -math.inf
        near_BK, number_BK = cosine_BN.topk(min(num, len(self.texts)), dim=1)
        share_BK: Tensor = (_SHARP * near_BK).softmax(1)
        return [
            self._shared(numbers, shares) for numbers, shares in zip(number_BK.tolist(), share_BK.tolist(), strict=True)
        ]

    def _shared(self, numbers: Sequence[int], shares: Sequence[float]) -> dict[str, float]:
        """Text -> its share: that of its picture, whose texts have equal parts."""
        found: dict[str, float] = defaultdict(float)
        for number, share in zip(numbers, shares, strict=True):
            if not share > 0:  # itself, or all there are
                continue
            for text in self.texts[number]:
                found[text] += share / len(self.texts[number])
        return dict(found)
