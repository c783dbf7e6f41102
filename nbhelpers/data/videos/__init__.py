"""Videos of packing work: drawn, labelled, read and sampled. PyAV is imported when a file is opened."""

from nbhelpers.data.videos.annotations import load_videos
from nbhelpers.data.videos.changes import picture_changes
from nbhelpers.data.videos.draw import make_videos
from nbhelpers.data.videos.encode import encode_video
from nbhelpers.data.videos.frames import Frames, read_all_frames, read_frames
from nbhelpers.data.videos.openpack import load_openpack
from nbhelpers.data.videos.plan import MAIN
from nbhelpers.data.videos.probe import VideoFacts, probe_video
from nbhelpers.data.videos.records import NULL, LabelledSegment, LabelledVideo, VideoSet, working
from nbhelpers.data.videos.sampling import How, sample_times

__all__ = [
    "MAIN",
    "NULL",
    "Frames",
    "How",
    "LabelledSegment",
    "LabelledVideo",
    "VideoFacts",
    "VideoSet",
    "encode_video",
    "load_openpack",
    "load_videos",
    "make_videos",
    "picture_changes",
    "probe_video",
    "read_all_frames",
    "read_frames",
    "sample_times",
    "working",
]
