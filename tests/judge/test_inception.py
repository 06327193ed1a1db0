"""The Inception network of published distances: beside the reference, its two pools, and files that are something else."""

import shutil
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from tests import drawing
from torch import nn

from tuwen.command import _ask
from tuwen.command.evaluate import Request, run
from tuwen.errors import CheckpointError, ConfigError
from tuwen.judge import _inception
from tuwen.judge._eyes import matcher_of, open_eye
from tuwen.judge._inception import FILE, Network

X, Y = np.meshgrid(np.arange(40), np.arange(30))
WAVES = np.stack([(X * 6) % 256, (Y * 8) % 256, (X * Y) % 256], 2).astype(np.uint8)
SQUARES = np.repeat(((np.arange(64) // 8 + np.arange(64)[:, None] // 8) % 2 * 255).astype(np.uint8)[:, :, None], 3, 2)
LARGE = np.tile(WAVES, (11, 9, 1))


def weights(names_and_shapes):
    """Random ones that neither vanish nor grow from layer to layer."""
    random, made = torch.Generator().manual_seed(0), {}
    for name, shape in sorted(names_and_shapes.items()):
        if name.endswith("conv.weight"):
            made[name] = torch.randn(shape, generator=random) * (2 / shape[1:].numel()) ** 0.5
        elif name.endswith(("running_var", "bn.weight")):
            made[name] = 0.5 + torch.rand(shape, generator=random)
        elif not name.startswith("fc.") and not name.endswith("num_batches_tracked"):
            made[name] = 0.3 * torch.randn(shape, generator=random)
    return made


def shapes():
    with torch.device("meta"):
        return {name: one.shape for name, one in Network().state_dict().items()}


def head(classes=1008):
    return {"fc.weight": torch.zeros(()).expand(classes, 2048), "fc.bias": torch.zeros(()).expand(classes)}


def hollow(**more):
    """Every tensor of the network with its shape, in a file of a few KB."""
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes().items()} | head() | more


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(weights(shapes()) | head(), path)
    yield path
    shutil.rmtree(path.parent)  # 95 MB


@pytest.fixture(scope="module")
def eye(file):
    return open_eye(str(file))


def test_features_are_those_of_the_reference(eye):
    """Numbers of pytorch-fid 0.3.0 over torchvision 0.29.2, with these weights and pictures."""
    places = [0, 320, 704, 1088, 1472, 1856, 2047]  # of each branch of the last block
    found = eye.look([WAVES, SQUARES, LARGE])
    feature_ND = found.feature_ND
    assert feature_ND.shape == (3, 2048) and feature_ND.dtype == np.float64 and found.named == eye.classes == []
    waves = [1.6263, 3.3556, 2.6984, 0.0375, 2.4369, 1.9882, 5.9674]
    squares = [2.7234, 5.8932, 3.6953, 0.0724, 3.0609, 1.8635, 5.431]
    large = [2.4143, 5.3548, 3.4258, 0.0618, 2.7958, 2.4211, 5.1999]
    np.testing.assert_allclose(feature_ND[:, places], [waves, squares, large], atol=2e-4)
    assert np.linalg.norm(feature_ND, axis=1) == pytest.approx([207.1663, 277.9038, 257.7292], rel=1e-5)
    assert matcher_of(eye) is None


def test_pixels_are_seen_as_pictures_are_and_get_a_gradient(eye, monkeypatch):
    """Also grey ones; at a side for which the last grid is one place."""
    monkeypatch.setattr(_inception, "SIDE", 75)
    grey = np.repeat(WAVES[:, :, :1], 3, 2)
    pixels_P1HW = (torch.tensor(grey[None, None, :, :, 0]).float() / 255).requires_grad_()
    grid_PTD = eye.grid(pixels_P1HW)
    assert grid_PTD.shape == (1, 1, 2048)
    np.testing.assert_allclose(grid_PTD.mean(1).detach().numpy(), eye.look([grey]).feature_ND, atol=1e-4)
    grid_PTD.square().sum().backward()
    assert pixels_P1HW.grad.any() and not any(one.requires_grad for one in eye.model.parameters())


def test_pictures_do_not_depend_on_those_beside_them(eye, monkeypatch):
    monkeypatch.setattr(_inception, "SIDE", 75)
    monkeypatch.setattr(_inception, "_AT_ONCE", 2)
    of_three = eye.look([WAVES, SQUARES, WAVES[::-1]]).feature_ND
    np.testing.assert_allclose(eye.look([WAVES[::-1]]).feature_ND[0], of_three[2], atol=1e-4)
    assert np.abs(of_three[0] - of_three[2]).max() > 0.1


def blocks():
    with torch.device("meta"):
        return dict(Network().named_children())


@pytest.mark.parametrize("name", ["5b", "5c", "5d", "6b", "6c", "6d", "6e", "7b"])
def test_an_average_leaves_out_what_lies_beyond_the_edge(name):
    """Of ones it is 1 in the corner too, of 4 cells there; with the edge counted it would be 4 / 9. A 9 alone is 1."""
    pool = blocks()[f"Mixed_{name}"].pool
    assert torch.equal(pool(torch.ones(1, 1, 5, 5)), torch.ones(1, 1, 5, 5))
    peak_1155 = torch.zeros(1, 1, 5, 5)
    peak_1155[0, 0, 2, 2] = 9
    assert (pool(peak_1155)[0, 0, 1:4, 1:4] == 1).all() and pool(peak_1155).sum() == 9


def test_the_last_block_takes_the_largest():
    """A 9 is 9 in all cells around it; of -1 it is -1 at the edge too."""
    pool = blocks()["Mixed_7c"].pool
    peak_1155 = torch.zeros(1, 1, 5, 5)
    peak_1155[0, 0, 2, 2] = 9
    assert (pool(peak_1155)[0, 0, 1:4, 1:4] == 9).all() and pool(peak_1155).sum() == 81
    assert torch.equal(pool(-torch.ones(1, 1, 5, 5)), -torch.ones(1, 1, 5, 5))


def test_drawn_pictures_beside_real_ones(file, tmp_path, monkeypatch):
    """By `tuwen evaluate`, with a smaller side; a model that has learned nothing."""
    monkeypatch.setattr(_inception, "SIDE", 75)
    monkeypatch.setattr(_ask, "open_model", lambda path, device, **more: drawing.model())
    (tmp_path / "photos").mkdir()
    for i in range(16):
        Image.fromarray(np.roll(WAVES, i, 1) // 2 + np.uint8(8 * i)).save(tmp_path / "photos" / f"{i}.png")
        (tmp_path / "photos" / f"{i}.txt").write_text(f"picture {i}")
    asked = {"model": "m", "data": str(tmp_path / "photos"), "split": "", "device": "cpu"}
    [response] = run(Request(**asked, features=str(file)))
    figures = response.figures
    assert figures["fid"] > 3 * figures["fid_real"] and figures["kid"] > figures["kid_real"]
    assert "classifier_accuracy" not in figures and "r_precision" not in figures
    assert any("fid is of 16 pictures in 2048 features" in note for note in response.notes)


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_any_age_and_what_they_hold_besides(tmp_path, zipped):
    """The published one was written before 2020 and counts batches; some hold a second head, or numbers of 16 bits."""
    path = tmp_path / "weights.pth"
    more = {"Mixed_5b.branch1x1.bn.weight": torch.zeros(()).half().expand(64), "AuxLogits.fc.bias": torch.zeros(1)}
    torch.save(hollow(**more), path, _use_new_zipfile_serialization=zipped)
    eye = open_eye(str(path))
    assert all(one.dtype == torch.float32 for one in eye.model.parameters()) and not eye.model.training
    uncounted = {name: one for name, one in hollow().items() if not name.endswith("num_batches_tracked")}
    torch.save(uncounted, path)
    open_eye(str(path))


SAID = " The Inception network of published numbers is the file pt_inception-2015-12-05-6726825d.pth, which pytorch-fid takes"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            head(1000) | {"AuxLogits.fc.bias": torch.zeros(1000)},
            "is an Inception v3 of other classes, as torchvision has one of 1000: another network, whose distances do not "
            "compare with published ones.",
        ),
        (
            {"Mixed_7c.branch_pool.conv.weight": torch.zeros(192, 2048, 3, 3)},
            "holds other weights: of 472 tensors of the Inception network of 2015, 1 are lacking or of another shape, such as "
            "Mixed_7c.branch_pool.conv.weight.",
        ),
    ],
)
def test_weights_of_another_network(tmp_path, content, said):
    path = tmp_path / "weights.pth"
    torch.save(hollow(**content), path)
    with pytest.raises(ConfigError) as caught:
        open_eye(str(path), where="objective.perceptual")
    assert str(caught.value).startswith(f"objective.perceptual {path} {said}{SAID}")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3, "fc.weight": "none"}, nn.Linear(2, 2).state_dict()])
def test_what_holds_no_such_weights(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(
        ConfigError, match="holds other weights: of 472 .* 472 are lacking .* as Conv2d_1a_3x3.conv.weight"
    ):
        open_eye(str(tmp_path / "x.pth"))


def test_a_file_that_is_not_there(tmp_path):
    for name in (FILE, "x.pt"):
        with pytest.raises(ConfigError) as caught:
            open_eye(str(tmp_path / name))
        assert str(caught.value).startswith(f"--features {tmp_path / name}: there is no such file.{SAID}")
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(
        ConfigError, match="folder.pt: .* a vision model of transformers, or a file of weights. The Incep"
    ):
        open_eye(str(tmp_path / "folder.pt"))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_truncated_file(tmp_path, zipped, share):
    path = tmp_path / FILE
    torch.save(nn.Linear(50, 50).state_dict(), path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: (size := int(path.stat().st_size * share))])
    with pytest.raises(CheckpointError) as caught:
        open_eye(str(path))
    said = f"{path} cannot be read as weights: it is truncated after {size} bytes, or holds more than weights."
    assert str(caught.value).startswith(f"--features {said}{SAID}")


def test_a_file_that_is_not_what_its_name_says(tmp_path):
    """A byte that flips on its way is not seen by torch."""
    path = tmp_path / FILE
    torch.save(hollow(), path)
    with pytest.raises(
        CheckpointError, match="is damaged: its SHA-256 begins with [0-9a-f]{8}, and by its name with 67268"
    ):
        open_eye(str(path))


def test_files_that_are_no_weights(tmp_path):
    path = tmp_path / "x.pth"
    path.write_text("<!DOCTYPE html><html>")
    with pytest.raises(CheckpointError, match="it is no file of torch, and begins with b'<!DOCTYPE ht'. The Inception"):
        open_eye(str(path))
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(
        CheckpointError, match=r"it holds more than weights \(TorchScript, a whole pickled model\), and noth"
    ):
        open_eye(str(path))
    with zipfile.ZipFile(path, "w") as script:
        script.writestr("archive/constants.pkl", b"")
        script.writestr("archive/version", b"3")
    with warnings.catch_warnings(), pytest.raises(CheckpointError, match=r"it holds more than weights \(TorchScript"):
        warnings.simplefilter("error")  # the error says it all
        open_eye(str(path))
