"""Shards: what goes in comes out, whatever was cut short or harmed in between."""

import json
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from nbhelpers.artifacts import sha256_file
from nbhelpers.data.clips import Clip, ClipSet, build_clips
from nbhelpers.data.shards import load_shards, read_shards, write, write_shards
from nbhelpers.data.videos import make_videos
from nbhelpers.errors import BadInput


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    videos = make_videos(tmp_path_factory.mktemp("drawn"), 2, duration_s=12.0, size_px=84, jobs=1)
    made = build_clips(videos, stride_s=1.0)
    return replace(made, clips=made.clips[:7])


@pytest.fixture(scope="module")
def shards(clips, tmp_path_factory):
    return write_shards(clips, tmp_path_factory.mktemp("shards"), max_mib=0.12)


def digests(folder):
    return {path.name: sha256_file(path) for path in sorted(folder.glob("*.tar"))}


@pytest.mark.parametrize("picture", ["jpg", "png"])
def test_what_goes_in_comes_out(clips, tmp_path, picture):
    write_shards(clips, tmp_path, picture=picture)
    back = list(read_shards(tmp_path))
    assert len(back) == len(clips)
    for before, after in zip(clips.clips, back, strict=True):
        for name in Clip.__dataclass_fields__:
            assert name == "path" or getattr(before, name) == getattr(after, name)
        difference = np.abs(before.frames().astype(int) - after.frames())
        assert difference.max() == 0 if picture == "png" else difference.mean() < 4


def test_shards_stay_below_their_bound_and_name_their_clips(clips, shards):
    assert len(shards.shards) >= 3 and shards.num_clips == len(clips)
    for shard in shards.shards:
        path = shards.path.parent / shard.file_name
        assert path.stat().st_size == shard.size_bytes and sha256_file(path) == shard.sha256
        assert shard.size_bytes <= 0.12 * 2**20 + 10240 or len(shard.clips) == 1
    assert [name for shard in shards.shards for name in shard.clips] == [clip.clip_id for clip in clips.clips]
    assert load_shards(shards.path.parent) == shards


def test_any_reader_of_the_format_can_read_them(shards):
    with tarfile.open(shards.path.parent / shards.shards[0].file_name) as tar:
        names = tar.getnames()
        first = shards.shards[0].clips[0]
        assert names[:9] == sorted([f"{first}.json", *(f"{first}.{k:02d}.jpg" for k in range(8))])
        entry = json.load(tar.extractfile(f"{first}.json"))
    assert entry["clip_id"] == first and "path" not in entry


def test_the_same_clips_give_the_same_bytes(clips, shards, tmp_path):
    write_shards(clips, tmp_path, max_mib=0.12)
    assert digests(tmp_path) == digests(shards.path.parent)


def test_a_cut_short_call_goes_on_behind_the_last_whole_shard(clips, shards, tmp_path, monkeypatch):
    store, stored = write._store, []

    def fails_at_the_third(folder, number, samples):
        if number == 2 and not stored.count(2):
            stored.append(2)
            raise KeyboardInterrupt
        stored.append(number)
        return store(folder, number, samples)

    monkeypatch.setattr(write, "_store", fails_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        write_shards(clips, tmp_path, max_mib=0.12)
    with pytest.raises(BadInput, match="there is no such file"):
        list(read_shards(tmp_path))  # half a set is none
    assert write_shards(clips, tmp_path, max_mib=0.12).shards == shards.shards
    assert stored == [0, 1, 2, *range(2, len(shards.shards))]  # the first two were not written again
    assert digests(tmp_path) == digests(shards.path.parent)


def test_a_harmed_shard_is_found_and_written_again(clips, shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards.path.parent, folder)
    harmed = folder / shards.shards[1].file_name
    data = bytearray(harmed.read_bytes())
    data[len(data) // 2] ^= 1
    harmed.write_bytes(data)
    with pytest.raises(BadInput, match=r"clips-00001\.tar: the shard is harmed"):
        list(read_shards(folder))
    write_shards(clips, folder, max_mib=0.12)
    assert digests(folder) == digests(shards.path.parent)
    harmed.unlink()
    with pytest.raises(BadInput, match=r"clips-00001\.tar: the shard is missing"):
        list(read_shards(folder))


def test_other_clips_or_settings_are_written_anew(clips, shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards.path.parent, folder)
    turned = replace(clips, clips=clips.clips[::-1])
    made = write_shards(turned, folder, max_mib=0.12)
    assert [clip.clip_id for clip in read_shards(folder)] == [clip.clip_id for clip in turned.clips]
    assert made.shards != shards.shards


def test_a_shard_that_lacks_a_clip_is_refused(clips, shards, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards.path.parent, folder)
    shutil.copy(folder / "clips-00000.tar", folder / "clips-00001.tar")
    with pytest.raises(BadInput, match="harmed"):
        list(read_shards(folder))
    with pytest.raises(BadInput, match="were found, its list has"):
        list(read_shards(folder, check=False))


def test_workers_share_the_shards(clips, shards):
    folder = shards.path.parent
    seen = [[clip.clip_id for clip in read_shards(folder, worker=k, workers=2)] for k in range(2)]
    assert all(seen) and sorted(seen[0] + seen[1]) == sorted(clip.clip_id for clip in clips.clips)


def test_bad_input_is_named(clips, tmp_path):
    one = clips.clips[0]
    for arguments, reason in (
        ((ClipSet(clips.path, (), ()), tmp_path), "no clip"),
        ((replace(clips, clips=(one, one)), tmp_path), "occurs twice"),
        ((replace(clips, clips=(replace(one, clip_id="a.b"),)), tmp_path), "dots and slashes"),
        ((clips, tmp_path, 0.0), "more than 0"),
        ((clips, tmp_path, 1.0, "gif"), "use jpg or png"),
    ):
        with pytest.raises(BadInput, match=reason):
            write_shards(*arguments)
    with pytest.raises(BadInput, match="count from 0"):
        list(read_shards(tmp_path, worker=2, workers=2))
    (tmp_path / "shards.json").write_text("{}")
    with pytest.raises(BadInput, match="is no list of shards"):
        load_shards(tmp_path)
