"""Device and precision are found out, and a device that is not there is said."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tuwen import machine
from tuwen.errors import ConfigError
from tuwen.machine import autocast, bfloat16_pays, choose_device, choose_precision

CPU = torch.device("cpu")


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == CPU
    for wanted in ("cuda", "cuda:1", "tpu"):
        with pytest.raises(ConfigError, match=f"there is no device '{wanted}' here; there is: cpu, auto."):
            choose_device(wanted)


def test_auto_takes_the_accelerator_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"


@pytest.mark.parametrize(("rate", "pays"), [(1.0, False), (1.1, False), (1.4, False), (1.7, True), (0.01, False)])
def test_bfloat16_is_taken_where_it_is_a_good_deal_faster(monkeypatch, rate, pays):
    monkeypatch.setattr(machine, "_rate", lambda kind: 100 * rate if kind == torch.bfloat16 else 100.0)
    bfloat16_pays.cache_clear()
    threads = torch.get_num_threads()
    assert bfloat16_pays("cpu") is pays
    assert torch.get_num_threads() == threads
    assert choose_precision("auto", CPU) is (torch.bfloat16 if pays else torch.float32)
    bfloat16_pays.cache_clear()


def test_threads_that_ask_at_once_hear_one_answer(monkeypatch):
    """Each next test would find something else."""
    turns = itertools.count()
    monkeypatch.setattr(machine, "_rate", lambda kind: time.sleep(0.002) or 100.0 * (1 + next(turns) % 5))
    bfloat16_pays.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: choose_precision("auto", CPU), range(8)))
    asked = next(turns)
    bfloat16_pays.cache_clear()
    assert len(found) == 1 and asked == 2 * machine._ROUNDS


def test_what_the_user_wants_is_not_tested(monkeypatch):
    monkeypatch.setattr(machine, "_rate", lambda kind: pytest.fail("tested"))
    assert choose_precision("float32", CPU) is torch.float32
    assert choose_precision("bfloat16", CPU) is torch.bfloat16
    assert bfloat16_pays("mps") is False


def test_the_self_test_counts_products():
    assert machine._rate(torch.float32, limit_s=0.002) > 1


def test_the_context_computes_in_the_precision():
    a = torch.ones(4, 4)
    with autocast(CPU, torch.bfloat16):
        assert (a @ a).dtype is torch.bfloat16
    with autocast(CPU, torch.float32):
        assert (a @ a).dtype is torch.float32
