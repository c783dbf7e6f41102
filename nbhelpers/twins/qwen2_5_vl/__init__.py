"""Tiny Qwen2.5-VL: names the operation in eight drawn frames, its start and end and the next one."""
