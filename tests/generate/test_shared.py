"""Rows that several threads share are written as by one."""

import threading

import pytest
import torch
from tests import eight

from tuwen.generate._shared import by_cores, shared
from tuwen.generate.beam import Config as Beam
from tuwen.generate.diverse import Config as Diverse
from tuwen.generate.greedy import Config as Greedy


@pytest.fixture
def latent():
    """Of 16 pictures, while torch has two threads."""
    model, before = eight.model(match=False), torch.get_num_threads()
    with torch.inference_mode():
        made = model.latent("image", model.batch(eight.samples() * 2).inputs["image"])
    torch.set_num_threads(2)
    yield made
    torch.set_num_threads(before)


@pytest.mark.parametrize("way", [Beam, Greedy, Diverse])
def test_texts_are_those_of_one_thread(latent, way):
    decoder, method = eight.model(match=False).decoders["text"], way().build()
    together = method(decoder, latent)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert [some[0].tokens for some in method(decoder, latent)] == [some[0].tokens for some in together]


def test_each_thread_takes_a_part_in_order(latent):
    seen, meet = [], threading.Barrier(2, timeout=30)

    def write(decoder, part, emit, cancelled):
        meet.wait()
        seen.append(len(part))
        return [[row] for row in part.pooled[:, 0].tolist()]

    rows = [[row] for row in latent.pooled[:, 0].tolist()]
    assert shared(write, None, latent, None, None) == rows and seen == [8, 8]


def test_an_error_comes_out_and_leaves_the_threads_as_they_were(latent):
    def write(decoder, part, emit, cancelled):
        raise ValueError("no ink")

    with pytest.raises(ValueError, match="no ink"):
        shared(write, None, latent, None, None)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("cast", [True, False])
def test_products_have_the_precision_of_the_caller_in_every_thread(latent, cast):
    def product(row_R):
        assert threading.current_thread() is not threading.main_thread()
        part_RD = latent.pooled[row_R]
        return (part_RD @ part_RD.T).dtype

    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=cast):
        assert by_cores(product, latent) == [torch.bfloat16 if cast else torch.float32] * 2
