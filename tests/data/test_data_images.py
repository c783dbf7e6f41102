"""Odd image files are read as a viewer shows them, and their headers say why they are odd."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nbhelpers.data.images import probe_image, read_image
from nbhelpers.data.paths import ImageIndex, image_folders, resolve_image
from nbhelpers.errors import BadInput


@pytest.fixture
def gradient() -> Image.Image:
    """20 x 10 pixels, red grows to the right and green downwards, so that every turn can be told."""
    pixels = np.zeros((10, 20, 3), dtype=np.uint8)
    pixels[..., 0] = np.arange(20) * 12
    pixels[..., 1] = np.arange(10)[:, None] * 25
    return Image.fromarray(pixels)


def with_orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def test_ordinary_image_has_nothing_odd(tmp_path: Path, gradient: Image.Image) -> None:
    gradient.save(tmp_path / "a.png")
    facts = probe_image(tmp_path / "a.png")
    assert (facts.width, facts.height, facts.mode, facts.format, facts.exif_orientation) == (
        20,
        10,
        "RGB",
        "PNG",
        1,
    )
    assert facts.odd is None
    assert facts.suspect is None
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(gradient))


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a[:, ::-1].transpose(1, 0, 2),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_exif_turns_the_displayed_frame_only(
    tmp_path: Path, gradient: Image.Image, orientation: int, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    gradient.save(
        path, exif=with_orientation(orientation), **({"lossless": True} if suffix == "webp" else {})
    )
    facts = probe_image(path)
    assert (facts.width, facts.height) == (20, 10)
    assert facts.exif_orientation == orientation
    assert facts.displayed_size == ((10, 20) if orientation >= 5 else (20, 10))
    assert facts.odd == (None if orientation == 1 else f"EXIF orientation {orientation}")
    np.testing.assert_array_equal(read_image(path, "displayed"), TURNS[orientation](np.asarray(gradient)))
    np.testing.assert_array_equal(read_image(path, "stored"), np.asarray(gradient))


def test_exif_of_a_jpeg(tmp_path: Path, gradient: Image.Image) -> None:
    gradient.save(tmp_path / "a.jpg", exif=with_orientation(6), quality=95)
    assert probe_image(tmp_path / "a.jpg").displayed_size == (10, 20)
    assert read_image(tmp_path / "a.jpg").shape == (20, 10, 3)


@pytest.mark.parametrize("value", [0, 9, 77])
def test_impossible_orientation_is_no_turn(tmp_path: Path, gradient: Image.Image, value: int) -> None:
    gradient.save(tmp_path / "a.jpg", exif=with_orientation(value))
    assert probe_image(tmp_path / "a.jpg").exif_orientation == 1


def test_orientation_behind_the_pixels_of_a_png(tmp_path: Path, gradient: Image.Image) -> None:
    buffer = io.BytesIO()
    gradient.save(buffer, "PNG")
    data, exif = buffer.getvalue(), with_orientation(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = b"eXIf" + exif
    chunk = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(data[:-12] + chunk + data[-12:])
    assert probe_image(tmp_path / "a.png").exif_orientation == 6
    assert read_image(tmp_path / "a.png").shape == (20, 10, 3)


def test_turned_tiff_agrees_with_its_header(tmp_path: Path, gradient: Image.Image) -> None:
    gradient.save(tmp_path / "a.tif", tiffinfo={0x0112: 6})
    facts = probe_image(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").shape[:2] == facts.displayed_size[::-1]
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), TURNS[6](np.asarray(gradient)))


def test_palette(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png")
    assert probe_image(tmp_path / "a.png").odd == "palette"
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_cmyk_jpeg(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert probe_image(tmp_path / "a.jpg").odd == "CMYK"
    red = read_image(tmp_path / "a.jpg").mean(axis=(0, 1))
    assert red[0] > 240
    assert red[1:].max() < 15


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert probe_image(tmp_path / "a.png").odd == "16-bit"
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_sixteen_bit_colour_is_seen(tmp_path: Path) -> None:
    row = b"\0" + struct.pack(">6H", 65535, 0, 0, 0, 32896, 0)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row)),
        (b"IEND", b""),
    ]
    data = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    assert probe_image(tmp_path / "a.png").odd == "16-bit"
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 0, 0], [0, 128, 0]]]


def test_float_tiff(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)).save(tmp_path / "a.tif")
    assert probe_image(tmp_path / "a.tif").odd == "float"
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_alpha_is_composed_over_white(tmp_path: Path, mode: str) -> None:
    grey = Image.new("LA", (3, 1))
    grey.putdata([(0, 255), (0, 0), (100, 255)])
    image = grey.convert("RGBA")
    (image.quantize(8) if mode == "PA" else image.convert(mode)).save(tmp_path / "a.png")
    assert "alpha" in (probe_image(tmp_path / "a.png").odd or "")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 255, 100]


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_is_ordinary(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4), 1).save(tmp_path / "a.png")
    assert probe_image(tmp_path / "a.png").odd is None
    assert read_image(tmp_path / "a.png").shape == (4, 4, 3)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp"])
def test_a_cut_file_is_suspect_and_cannot_be_read(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    Image.fromarray(noise).save(whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert probe_image(whole).suspect is None
    try:
        assert probe_image(cut).suspect
    except BadInput as error:  # some formats cannot even be opened when cut
        assert "cut" in str(error)
    with pytest.raises(BadInput, match="cannot be read as an image"):
        read_image(cut)


@pytest.mark.parametrize(
    "content", [b"", b"not an image", b"\xff\xd8\xff\xe0garbage", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]
)
def test_garbage_is_bad_input(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    for read in (probe_image, read_image):
        with pytest.raises(BadInput, match=r"a\.jpg: cannot be read as an image") as caught:
            read(tmp_path / "a.jpg")
        assert "<" not in str(caught.value), "no addresses of Python's objects"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["png", "jpg", "gif", "tif", "webp", "bmp"]), st.data())
def test_damaged_bytes_are_read_or_bad_input(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), "red").save(buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    content = bytearray(buffer.getvalue())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        content[at] = data.draw(st.integers(0, 255))
    (tmp_path / "a").write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        facts = probe_image(tmp_path / "a")
        assert read_image(tmp_path / "a").shape == (*facts.displayed_size[::-1], 3)
    except BadInput:
        return


def test_a_folder_or_nothing_is_bad_input(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(BadInput, match="no such image file"):
            probe_image(path)


def test_real_photographs(shared_data: Path) -> None:
    for path in sorted((shared_data / "photos").glob("*.jpg")):
        facts = probe_image(path)
        assert facts.suspect is None
        assert read_image(path).shape == (*facts.displayed_size[::-1], 3)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a.png", "train/b.png", "train/c.png", "val/c.png", "val/Käse.png", "deep/er/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path.parent / "outside.png").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "how", "found"),
    [
        ("a.png", "exact", "a.png"),
        ("./a.png", "exact", "a.png"),
        ("train/../a.png", "exact", "a.png"),
        ("train\\b.png", "exact", "train/b.png"),
        ("b.png", "sub_folder", "train/b.png"),
        ("er/d.png", "sub_folder", "deep/er/d.png"),
        ("C:\\data\\images\\train\\c.png", "base_name", "train/c.png"),
        ("/srv/someone/set/val/c.png", "base_name", "val/c.png"),
        ("other/d.PNG", "base_name", "deep/er/d.png"),
        ("Ka\u0308se.png", "sub_folder", "val/Käse.png"),
        ("c.png", "ambiguous", None),
        ("../outside.png", "outside", None),
        ("train/../../outside.png", "outside", None),
        ("none.png", "missing", None),
        ("", "missing", None),
        ("a\0b", "missing", None),
        ("\ud800.png", "missing", None),
        ("x" * 3000, "missing", None),
        ("/", "missing", None),
        ("train", "missing", None),
    ],
)
def test_resolve_image(tree: Path, name: str, how: str, found: str | None) -> None:
    resolved = resolve_image(name, tree)
    assert (resolved.how, resolved.relative) == (how, found)


def test_full_paths(tree: Path) -> None:
    inside = resolve_image(str(tree / "train" / "b.png"), tree)
    assert (inside.how, inside.relative) == ("absolute", "train/b.png")
    elsewhere = resolve_image(str(tree / "a.png"), tree / "train")
    assert (elsewhere.how, elsewhere.path, elsewhere.relative) == ("absolute", tree / "a.png", None)


def test_the_folders_are_listed_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = ImageIndex([tree])
    assert resolve_image("b.png", tree, index).path
    monkeypatch.setattr("os.walk", lambda folder: pytest.fail("listed again"))
    assert resolve_image("d.png", tree, index).path


def test_where_images_are_looked_for(tree: Path) -> None:
    assert image_folders(tree / "a.json", tree / "train") == (tree / "train",)
    assert image_folders(tree / "a.json") == (tree,)
    (tree / "images").mkdir()
    (tree / "annotations").mkdir()
    assert image_folders(tree / "a.json") == (tree, tree / "images")
    assert image_folders(tree / "annotations" / "a.json") == (tree / "annotations", tree, tree / "images")
    with pytest.raises(BadInput, match="no such folder"):
        image_folders(tree / "a.json", tree / "none")
