"""Decoding, header checks and the pictures that cannot be read."""

import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tuwen.data._config import Data
from tuwen.data._dataset import open_data
from tuwen.data._picture import check_picture, looks_cut, open_picture, square
from tuwen.data._split import content_hash
from tuwen.errors import DataError
from tuwen.types import Located

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quadrants(height=64, width=96):
    """Red, green / blue, white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, WHITE
    return pixels


def encoded(image, format, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def bomb(side=20_000):
    """A PNG of `side` x `side` one-bit pixels, all zero: about 50 KB that would take 400 MB as 8 bits."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_back_exactly(format):
    assert np.array_equal(open_picture(encoded(quadrants(), format)), quadrants())


@pytest.mark.parametrize(
    ("format", "options"), [("JPEG", {"quality": 98, "subsampling": 0}), ("WEBP", {"lossless": True}), ("GIF", {})]
)
def test_other_formats_come_back_nearly(format, options):
    assert np.abs(open_picture(encoded(quadrants(), format, **options)).astype(int) - quadrants()).mean() < 2


def test_the_format_is_read_from_the_content_not_the_name(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(quadrants(), "PNG"))
    assert check_picture(tmp_path / "a.jpg").format == "PNG"
    assert np.array_equal(open_picture(tmp_path / "a.jpg"), quadrants())


# What each corner is after turning, by EXIF orientation: the first row and column of the stored picture are ...
CORNERS = {
    1: (RED, GREEN, BLUE, WHITE),  # as shown
    2: (GREEN, RED, WHITE, BLUE),  # top, right: mirrored
    3: (WHITE, BLUE, GREEN, RED),  # bottom, right: half a turn
    4: (BLUE, WHITE, RED, GREEN),  # bottom, left: upside down in a mirror
    5: (RED, BLUE, GREEN, WHITE),  # left, top: transposed
    6: (BLUE, RED, WHITE, GREEN),  # right, top: a quarter clockwise
    7: (WHITE, GREEN, BLUE, RED),  # right, bottom: transposed over the other diagonal
    8: (GREEN, WHITE, RED, BLUE),  # left, bottom: a quarter anticlockwise
}


@pytest.mark.parametrize("orientation", CORNERS)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_is_respected(orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    raw = encoded(quadrants(), format, exif=exif, **({"quality": 98} if format == "JPEG" else {}))
    pixels, header = open_picture(raw), check_picture(raw)
    turned = orientation >= 5
    assert pixels.shape == ((96, 64, 3) if turned else (64, 96, 3))
    assert (header.height, header.width) == pixels.shape[:2]
    corners = [pixels[y, x].astype(int) for y in (4, -5) for x in (4, -5)]
    for got, wanted in zip(corners, CORNERS[orientation], strict=True):
        assert np.abs(got - wanted).max() < 12


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_loses_no_picture():
    raw = encoded(quadrants(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert open_picture(raw).shape == (64, 96, 3)


def test_greyscale_and_one_bit():
    grey = np.full((4, 5), 77, np.uint8)
    for raw in (encoded(grey, "PNG"), grey, grey[:, :, None], encoded(grey, "JPEG", quality=100)):
        assert np.abs(open_picture(raw).astype(int) - 77).max() <= 1 and open_picture(raw).shape == (4, 5, 3)
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert open_picture(encoded(bits, "PNG")).tolist() == [[[0] * 3, [255] * 3]]


def test_16_bit_grey_is_scaled_by_its_full_range():
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    for format in ("PNG", "TIFF"):
        assert open_picture(encoded(values, format))[0, :, 0].tolist() == [0, 1, 128, 255]
    dark = np.array([[0, 2570]], np.uint16)
    assert open_picture(encoded(dark, "PNG"))[0, :, 0].tolist() == [0, 10]  # not stretched: 2570 / 257


def test_float_pictures_are_scaled_by_what_they_hold():
    for values in ([0.0, 0.5, 1.0], [0.0, 128.0, 255.0], [-1.0, 0.0, 1.0]):
        raw = encoded(np.array([values], np.float32), "TIFF")
        assert open_picture(raw)[0, :, 0].tolist() == [0, 128, 255]


def test_palette_with_and_without_transparency():
    image = Image.fromarray(quadrants()).quantize(8)
    assert np.array_equal(open_picture(encoded(image, "PNG")), quadrants())
    at_red = image.getpixel((0, 0))
    assert open_picture(encoded(image, "PNG", transparency=at_red))[0, 0].tolist() == [255, 255, 255]
    assert open_picture(encoded(image, "GIF", transparency=at_red))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_lies_over_white(mode):
    image = Image.fromarray(np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [0, 0, 0, 51]]], np.uint8)).convert(mode)
    pixels = open_picture(encoded(image, "PNG"))
    assert pixels[0, :, 0].tolist() == [255, 0, 204]  # 255 * (1 - 51 / 255)
    assert np.array_equal(pixels, open_picture(image))
    assert open_picture(np.zeros((2, 2, 4), np.uint8)).min() == 255


def test_cmyk_jpeg_keeps_its_colours():
    raw = encoded(Image.fromarray(quadrants()).convert("CMYK"), "JPEG", quality=98)
    assert check_picture(raw).mode == "CMYK"
    assert np.abs(open_picture(raw, side=16)[4, 4].astype(int) - RED).max() < 12


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    for format in ("GIF", "WEBP", "PNG"):
        extra = {"lossless": True} if format == "WEBP" else {}
        raw = encoded(frames[0], format, save_all=True, append_images=frames[1:], **extra)
        assert open_picture(raw)[0, 0].tolist() == list(RED)


def test_a_jpeg_is_decoded_small_where_that_is_enough():
    raw = encoded(quadrants(800, 1200), "JPEG")
    assert open_picture(raw, side=100).shape == (100, 150, 3)
    assert open_picture(raw, side=101).shape[0] >= 101
    assert open_picture(raw, side=5000).shape == (800, 1200, 3)
    assert open_picture(encoded(quadrants(800, 1200), "JPEG", progressive=True), side=64).shape == (100, 150, 3)


def test_kinds_of_raw_pictures_agree(tmp_path):
    raw = encoded(quadrants(), "PNG")
    (tmp_path / "a.png").write_bytes(raw)
    kinds = [
        raw,
        bytearray(raw),
        str(tmp_path / "a.png"),
        tmp_path / "a.png",
        Image.open(tmp_path / "a.png"),
        quadrants(),
    ]
    for kind in (*kinds, Located(raw)):
        assert np.array_equal(open_picture(kind), quadrants())


def test_threads_decode_the_same():
    raw = [encoded(np.full((20, 20 + i, 3), i, np.uint8), "PNG" if i % 2 else "JPEG") for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(open_picture, raw))
    assert [pixels.shape[1] for pixels in found] == list(range(20, 60))
    assert [round(float(pixels.mean())) for pixels in found] == list(range(40))


# ---- square


def test_square_squashes_crops_and_pads():
    tall = np.zeros((40, 20, 3), np.uint8)
    tall[:10], tall[10:30], tall[30:] = RED, GREEN, BLUE
    squashed, cropped, padded = (square(tall, 8, fit) for fit in ("squash", "crop", "pad"))
    for image in (squashed, cropped, padded):
        assert image.shape == (3, 8, 8) and str(image.dtype) == "torch.uint8" and image.is_contiguous()
    assert squashed[:, 0, 4].tolist() == list(RED) and squashed[:, -1, 4].tolist() == list(BLUE)
    assert (cropped[1] == 255).all() and (cropped[0] == 0).all()
    assert (padded[:, :, :2] == 255).all() and (padded[:, :, 6:] == 255).all()
    assert padded[:, 0, 4].tolist() == list(RED)


def test_square_weighs_all_pixels():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::4] = 255
    assert ((square(stripes, 16)[:, 2:-2, 2:-2].int() - 64).abs() <= 2).all()  # 255 / 4; without antialiasing 0


# ---- what cannot be read


def test_a_truncated_jpeg_names_file_row_and_remedy(tmp_path):
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), "JPEG")
    file = tmp_path / "0231.jpg"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as error:
        open_picture(file, where="row 231 of train.csv")
    assert str(error.value) == (
        f"{file} (row 231 of train.csv) cannot be read as an image: truncated after {len(whole) // 2} bytes. "
        'Skip such rows with data.on_error="skip".'
    )
    assert looks_cut(file) and looks_cut(file.read_bytes()) and not looks_cut(whole)
    with pytest.raises(DataError, match="truncated after"):
        square(file, 8)


@pytest.mark.parametrize("format", ["PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_other_truncated_files_are_refused(format):
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), format)
    with pytest.raises(DataError, match="cannot be read as an image: (truncated|broken)"):
        open_picture(whole[: len(whole) // 2])


def test_a_jpeg_with_harmless_oddities_is_read():
    raw = encoded(quadrants(), "JPEG")
    assert open_picture(raw + b"left over").shape == (64, 96, 3)


def test_a_text_file_called_jpg(tmp_path):
    (tmp_path / "a.jpg").write_text("hello, I am no picture")
    with pytest.raises(
        DataError, match=r"a\.jpg cannot be read as an image: it is no JPEG, .* but text, b'hello, I am "
    ):
        check_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "it is a Git LFS pointer; `git lfs pull` fetches"),
        (b"\x00\x01\x02\x03" * 40, "but unknown bytes"),
        (b"\x89PNG\r\n\x1a\n", "truncated after 8 bytes|broken|but"),
        (b"\xff\xd8\xff", "truncated after 3 bytes|broken|but"),
    ],
)
def test_bytes_that_are_no_picture(content, why):
    with pytest.raises(DataError, match=f"a picture of {len(content)} bytes cannot be read as an image: .*({why})"):
        open_picture(content)


def test_what_is_not_there_or_no_picture_at_all(tmp_path):
    with pytest.raises(
        DataError, match=r"gone\.jpg cannot be read as an image: there is no such file\. Readable formats: JPEG,"
    ):
        open_picture(tmp_path / "gone.jpg")
    with pytest.raises(DataError, match="cannot be read as an image: Is a directory"):
        open_picture(tmp_path)
    with pytest.raises(DataError, match="it is an address; download it first"):
        open_picture("https://example.org/a.jpg")
    with pytest.raises(DataError, match="a value of type int cannot be read as an image: a picture is a path"):
        open_picture(3)
    with pytest.raises(DataError, match=r"a float32 array of shape \(4, 4, 3\) .*is no picture; an array is \(H, W\)"):
        open_picture(np.zeros((4, 4, 3), np.float32), where="row 3")


def test_the_pixel_limit_counts_for_all_kinds():
    for raw in (encoded(quadrants(), "PNG"), encoded(quadrants(), "JPEG"), quadrants(), Image.fromarray(quadrants())):
        assert open_picture(raw, max_pixels=64 * 96).shape == (64, 96, 3)
        with pytest.raises(
            DataError, match=r"its header says 96 x 64 pixels .*the limit is 6,143\. .*data\.max_pixels"
        ):
            open_picture(raw, max_pixels=64 * 96 - 1)
        with pytest.raises(DataError, match="row 9"):
            check_picture(Located(raw, "row 9", 10))


def test_a_small_file_of_a_huge_picture_is_refused_from_its_header(tmp_path):
    file = tmp_path / "bomb.png"
    file.write_bytes(bomb())
    assert file.stat().st_size < 60_000
    code = (
        "import resource, sys\n"
        "from tuwen.data._picture import open_picture, check_picture\n"
        "from tuwen.errors import DataError\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "for opens in (check_picture, open_picture):\n"
        "    try: opens(sys.argv[1], where='row 2')\n"
        "    except DataError as error: print(error)\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, file], capture_output=True, text=True, check=True)
    *messages, grown = done.stdout.splitlines()
    wanted = f"{file} (row 2) cannot be read as an image: its header says 20000 x 20000 pixels (PNG), the limit is 100"
    assert len(messages) == 2 and all(message.startswith(wanted) for message in messages)
    assert int(grown) < 100_000  # KB; Linux. Decoding would take 400,000


def test_pillows_limit_of_the_process_is_left_alone():
    before = Image.MAX_IMAGE_PIXELS
    check_picture(bomb(12_000), max_pixels=10**9)  # above it: would raise a DecompressionBombError or warn
    assert before == Image.MAX_IMAGE_PIXELS


def test_pictures_in_memory_are_told_apart_by_what_is_seen():
    """Two palettes with the same numbers; the hash finds rows in a cache."""
    pictures = []
    for colour in ((255, 0, 0), (0, 0, 255)):
        one = Image.new("P", (4, 4))
        one.putpalette([*colour] * 256)
        pictures.append(one)
    assert content_hash(pictures[0]) != content_hash(pictures[1])
    assert content_hash(pictures[0]) == content_hash(pictures[0].convert("RGB"))


def test_a_cut_picture_of_pil_is_a_broken_picture():
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(stream, "JPEG")
    rows = [{"image": Image.open(io.BytesIO(stream.getvalue()[:-400])), "text": "cut"}] + [
        {"image": Image.new("RGB", (8, 8), (i, 0, 0)), "text": "whole"} for i in range(9)
    ]
    with pytest.raises(DataError, match=r"a picture of mode RGB .*cannot be read as an image: broken"):
        open_picture(rows[0]["image"])
    found = open_data(rows, Data(on_error="skip"))
    assert sum(len(found.split(part)) for part in found.splits) == 10, "who reads it says what is wrong with it"
