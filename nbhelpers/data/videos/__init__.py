"""Videos of packing work: drawn, labelled, read and sampled. PyAV is imported when a file is opened."""

from nbhelpers.data.videos.annotations import load_videos
from nbhelpers.data.videos.draw import make_videos
from nbhelpers.data.videos.frames import Frames, read_all_frames, read_frames
from nbhelpers.data.videos.probe import VideoFacts, probe_video
from nbhelpers.data.videos.records import NULL, LabelledSegment, LabelledVideo, VideoSet, working
from nbhelpers.data.videos.sampling import sample_times

__all__ = [
    "NULL",
    "Frames",
    "LabelledSegment",
    "LabelledVideo",
    "VideoFacts",
    "VideoSet",
    "load_videos",
    "make_videos",
    "probe_video",
    "read_all_frames",
    "read_frames",
    "sample_times",
    "working",
]
