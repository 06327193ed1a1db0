"""Built once, found again, never wrong: another picture, other weights and other preprocessing are noticed."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from tuwen.data._config import Data
from tuwen.data._files import cache_folder
from tuwen.data._views import view_of
from tuwen.encode import image_cnn
from tuwen.encode.image_cnn import ImageCnn
from tuwen.errors import ConfigError, DataError
from tuwen.train.cache import Cached
from tuwen.types import Located, Sample


class Frozen(ImageCnn):
    """An encoder whose tokens are made once."""

    frozen = True

    def features(self, data, mask=None):
        return super().forward(data, mask).tokens


def picture(path, shade):
    Image.fromarray(np.full((20, 24, 3), shade, np.uint8)).save(path)


def samples(folder, count=5):
    for i in range(count):
        picture(folder / f"{i}.png", 20 * i)
    return [Sample(f"k{i}", {"image": folder / f"{i}.png"}, where=f"row {i}") for i in range(count)]


class Counting:
    """Counts what is prepared and run, and collects what is skipped."""

    def __init__(self, part):
        self.part, self.prepared, self.ran, self.skipped = part, 0, 0, []
        self._prepare = part.prepare
        part.prepare = self.prepare

    def prepare(self, values):
        self.prepared += len(values)
        return self._prepare(values)

    def run(self, data):
        self.ran += len(data)
        with torch.inference_mode():
            return self.part.features(data, None)

    def skip(self, row, error):
        self.skipped.append((row, str(error)))


def part(kind=Frozen, seed=0, **settings):
    torch.manual_seed(seed)
    return kind(image_cnn.Config(**{"size": 16, "stem": 8, "widths": (8, 16), "blocks": (1, 1), **settings})).eval()


def built(rows, cache, made=None, views=(), learned=0, precision="torch.float32"):
    made = Counting(made or part())
    cached = Cached("image", made.part, Data(cache=str(cache), views=views), precision)
    cached.build(rows, made.run, skip=made.skip, progress=lambda done, of: None, learned=learned)
    return cached, made


def read(cached, rows, view=0):
    return cached.cache.read([cached.place(row.key, view) for row in rows])


@pytest.fixture
def rows(tmp_path):
    return samples(tmp_path)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_features_are_what_the_encoder_makes(rows, cache):
    cached, made = built(rows, cache)
    data, _ = made._prepare([row.fields["image"] for row in rows])
    torch.testing.assert_close(read(cached, rows).float(), made.run(data), atol=2e-3, rtol=2e-3)
    assert cached.encoded
    assert len(read(cached, rows).unique(dim=0)) == 5


def test_pixels_of_an_encoder_that_learns(rows, cache):
    cached, made = built(rows, cache, part(ImageCnn))
    data, _ = made._prepare([row.fields["image"] for row in rows])
    assert torch.equal(read(cached, rows), data)
    assert data.dtype is torch.uint8
    assert (made.ran, cached.encoded) == (0, False)


def test_a_second_build_makes_nothing_but_the_probe(rows, cache):
    first, made = built(rows, cache)
    assert (made.prepared, made.ran) == (6, 6)  # five and the probe of the shape
    second, again = built(rows, cache)
    assert (again.prepared, again.ran) == (1, 1)
    assert torch.equal(read(first, rows), read(second, rows))


def test_new_rows_are_added_and_old_ones_stay_where_they_are(rows, cache):
    first, _ = built(rows[:3], cache)
    second, made = built(rows, cache)
    assert made.ran == 3  # two and the probe
    assert [second.places[row.key] for row in rows[:3]] == [first.places[row.key] for row in rows[:3]]


def test_the_same_picture_twice_is_one_row(rows, cache):
    twice = [*rows, Sample("again", rows[2].fields)]
    cached, made = built(twice, cache)
    assert made.ran == 6
    assert cached.places["again"] == cached.places["k2"]


def test_a_changed_picture_is_noticed(rows, cache):
    first, _ = built(rows, cache)
    before = read(first, rows)
    picture(rows[1].fields["image"], 250)
    second, made = built(rows, cache)
    after = read(second, rows)
    assert made.ran == 2  # it and the probe
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, False, True, True, True]


@pytest.mark.parametrize(
    "other",
    [lambda: part(seed=1), lambda: part(size=32), lambda: part(fit="pad"), lambda: part(ImageCnn)],
    ids=["weights", "size", "preprocessing", "learning"],
)
def test_other_weights_or_preprocessing_have_another_key(rows, cache, other):
    first, _ = built(rows, cache)
    second, made = built(rows, cache, other())
    assert second.cache.data_path != first.cache.data_path
    assert made.prepared == 6
    again, made = built(rows, cache)
    assert (again.cache.data_path, made.prepared) == (first.cache.data_path, 1)


def test_pixels_do_not_depend_on_the_weights(rows, cache):
    first, _ = built(rows, cache, part(ImageCnn))
    second, made = built(rows, cache, part(ImageCnn, seed=1))
    assert (second.cache.data_path, made.prepared) == (first.cache.data_path, 1)


@pytest.mark.parametrize("left", ["data only", "half a row", "half a line", "data gone"])
def test_a_kill_loses_at_most_the_last_batch(rows, cache, left):
    """Data is written before its index: whatever is missing behind it is made anew."""
    whole, _ = built(rows, cache)
    expected, row = read(whole, rows), whole.cache.row_bytes
    data, index = whole.cache.data_path, whole.cache.index_path
    if left in ("data only", "half a row"):
        index.write_bytes(index.read_bytes()[: 3 * 33])
    if left == "half a row":
        data.write_bytes(data.read_bytes()[: 3 * row + row // 2])
    if left == "half a line":
        index.write_bytes(index.read_bytes()[: 3 * 33 + 10])
    if left == "data gone":
        data.write_bytes(data.read_bytes()[: 3 * row])
    mended, made = built(rows, cache)
    assert made.ran == 3  # two and the probe
    assert torch.equal(read(mended, rows), expected)
    assert (data.stat().st_size, index.stat().st_size) == (5 * row, 5 * 33)


def test_what_stands_behind_a_damaged_line_of_the_index_is_not_believed(rows, cache):
    """Else every row behind it would be another picture's."""
    whole, _ = built(rows, cache)
    expected, index = read(whole, rows), whole.cache.index_path
    lines = index.read_bytes().split(b"\n")
    index.write_bytes(b"\n".join([lines[0], b"\xff" * 7, *lines[2:]]))
    mended, made = built(rows, cache)
    assert torch.equal(read(mended, rows), expected)
    assert made.ran == 5


@pytest.mark.parametrize("broken", [0, 2])
def test_a_broken_picture_is_skipped_or_raised_and_named(rows, cache, broken):
    rows[broken].fields["image"].write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    rows.append(Sample("twin", {**rows[broken].fields, "image": rows[broken].fields["image"].with_name("twin.png")}))
    rows[5].fields["image"].write_bytes(rows[broken].fields["image"].read_bytes())
    cached, made = built(rows, cache)
    assert sorted(row for row, _ in made.skipped) == [broken, 5]
    assert {row: f"{name}.png" in text for row, text in made.skipped for name in [{5: "twin"}.get(row, row)]} == {
        broken: True,
        5: True,
    }
    assert cached.places.keys() == {f"k{i}" for i in range(5)} - {f"k{broken}"}

    def refuse(row, error):
        raise error

    with pytest.raises(DataError, match=f"row {broken}"):
        Cached("image", part(), Data(cache=str(cache))).build(rows, made.run, skip=refuse, progress=print)


def test_a_picture_that_is_gone_is_named(rows, cache):
    rows[3].fields["image"].unlink()
    cached, made = built(rows, cache)
    assert [row for row, _ in made.skipped] == [3]
    assert "row 3 cannot be read: " in made.skipped[0][1]
    assert "k3" not in cached.places


def test_no_picture_that_can_be_read_is_no_cache(rows, cache):
    for row in rows:
        row.fields["image"].write_bytes(b"GIF89a")
    cached, made = built([*rows, Sample("none", {"image": None})], cache)
    assert len(made.skipped) == 5
    assert cached.places == {}
    assert cached.estimate_bytes(10) == 0


def test_the_size_is_estimated_from_one_row(rows, cache):
    cached, _ = built(rows, cache)
    assert cached.estimate_bytes(1000) == 1000 * 2 * 2 * 2 * 16  # a 2 x 2 grid of 16 numbers of 2 bytes


# -- views -------------------------------------------------------------------------------------------------------------


def spotted(folder):
    """Three pictures with a white spot at the left, in another row each."""
    for i in range(3):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[4 * i : 4 * i + 4, :4] = 255
        Image.fromarray(pixels).save(folder / f"spot{i}.png")
    return [Sample(f"s{i}", {"image": folder / f"spot{i}.png"}, where=f"row {i}") for i in range(3)]


def test_views_of_pixels_are_mirrored_and_zoomed(tmp_path, cache):
    rows = spotted(tmp_path)
    cached, _ = built(rows, cache, part(ImageCnn), views=("mirror", "zoom", "mirror_zoom"), learned=3)
    plain, mirror, zoom, both = (read(cached, rows, view).float() for view in range(4))
    assert plain[1, 0, 4:8, :4].min() == 255 and plain[1].sum() == 3 * 16 * 255
    assert torch.equal(mirror, plain.flip(-1)) and not torch.equal(mirror, plain)
    assert torch.equal(both, zoom.flip(-1))
    # 0.8 of 16 pixels are 13: rows and columns 1 to 13, made 16 again
    expected = torch.nn.functional.interpolate(plain[:, :, 1:14, 1:14], size=(16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(zoom, expected, atol=1.0, rtol=0)


def test_views_of_features_are_the_features_of_the_view(tmp_path, cache):
    rows = spotted(tmp_path)
    cached, made = built(rows, cache, views=("mirror",), learned=3)
    data, _ = made._prepare([row.fields["image"] for row in rows])
    torch.testing.assert_close(read(cached, rows, 1).float(), made.run(data.flip(-1)), atol=2e-3, rtol=2e-3)
    assert not torch.allclose(read(cached, rows, 1).float(), read(cached, rows).float(), atol=1e-2)


def test_only_rows_that_are_learned_from_have_views(rows, cache):
    cached, made = built(rows, cache, views=("mirror",), learned=3)
    assert [len(cached.places[row.key]) for row in rows] == [2, 2, 2, 1, 1]
    assert made.ran == 1 + 5 + 3


def test_views_are_added_to_the_cache_that_is_there_and_found_again(rows, cache):
    first, _ = built(rows, cache)
    second, made = built(rows, cache, views=("mirror",), learned=5)
    assert second.cache.data_path == first.cache.data_path
    assert made.ran == 1 + 5
    third, made = built(rows, cache, views=("zoom", "mirror"), learned=5)
    assert made.ran == 1 + 5
    assert torch.equal(read(third, rows, 2), read(second, rows, 1))
    assert torch.equal(read(third, rows), read(first, rows))
    assert third.estimate_bytes(10) == 3 * first.estimate_bytes(10)


def test_a_broken_picture_with_views_is_skipped_once(rows, cache):
    rows[2].fields["image"].write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    cached, made = built(rows, cache, views=("mirror", "zoom"), learned=5)
    assert [row for row, _ in made.skipped] == [2]
    assert cached.places.keys() == {"k0", "k1", "k3", "k4"}


def test_what_is_no_picture_has_no_mirror_image(rows, cache):
    def flat(values):
        return torch.zeros(len(values), 4, 8), None

    with pytest.raises(
        ConfigError, match="data.views has 'mirror', and an encoder prepares no pictures but 2 axes for"
    ):
        view_of(flat, Located(rows[0].fields["image"]), "mirror")
    assert view_of(flat, Located(rows[0].fields["image"]), "zoom").shape == (1, 4, 8)


def test_a_view_that_is_not_there_is_said():
    with pytest.raises(
        ConfigError, match=r"data.views has 'miror'. Did you mean 'mirror'\? It can be mirror, zoom, mirr"
    ):
        Data(views=("miror",))


def test_builders_at_once_do_the_work_once_and_corrupt_nothing(rows, cache):
    expected = read(built(rows, cache.with_name("alone"))[0], rows)
    start, found = threading.Barrier(4), []

    def build(made):
        start.wait()
        found.append(built(rows, cache, made))

    threads = [threading.Thread(target=build, args=[part()]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(torch.equal(read(cached, rows), expected) for cached, _ in found)
    assert sum(made.ran for _, made in found) == 4 + 5  # a probe each, the rows once
    assert found[0][0].cache.data_path.stat().st_size == 5 * found[0][0].cache.row_bytes


def test_where_caches_lie(monkeypatch, tmp_path):
    monkeypatch.setenv("TUWEN_CACHE", str(tmp_path / "b"))
    assert cache_folder(str(tmp_path / "a")) == tmp_path / "a"
    assert cache_folder("") == tmp_path / "b"
    monkeypatch.delenv("TUWEN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("") == tmp_path / ".cache" / "tuwen"


def test_features_of_another_precision_are_others(rows, tmp_path):
    for precision, count in (("torch.float32", len(rows)), ("torch.bfloat16", len(rows)), ("torch.float32", 0)):
        _, made = built(rows, tmp_path / "cache", precision=precision)
        assert made.ran >= count if count else made.ran == 1, "a probe, where all are there"
