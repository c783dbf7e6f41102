"""Clips of labelled videos with question and answer: cut, split without leaks, written as a ready subset."""

from nbhelpers.data.clips.build import build_clips
from nbhelpers.data.clips.parts import check_no_leak, split_clips
from nbhelpers.data.clips.records import Clip, ClipSet
from nbhelpers.data.clips.samples import load_clips, make_samples

__all__ = ["Clip", "ClipSet", "build_clips", "check_no_leak", "load_clips", "make_samples", "split_clips"]
