"""The twin `tiny/sam`: Segment Anything at 128 px, trained on drawn scenes."""
