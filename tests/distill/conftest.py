"""A small drawn set and a student trained on it once, for the tests of this room."""

import pytest
from drawn_shapes import draw_set, quick  # type: ignore[import-not-found]


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """(train, val): 8 and 4 drawn images with two classes."""
    from nbhelpers.data import load_coco

    folder = tmp_path_factory.mktemp("shapes")
    return load_coco(draw_set(folder / "train", 8, seed=1)), load_coco(draw_set(folder / "val", 4, seed=2))


@pytest.fixture(scope="session")
def trained(shapes, tmp_path_factory):
    """A mask student that has learnt the shapes, and the settings it was trained with."""
    from nbhelpers.distill import train_student

    settings = quick(image_size=96, epochs=40, batch=2, validations=3, warmup=0.05)
    return train_student(
        *shapes, settings, tmp_path_factory.mktemp("trained"), say=lambda line: None
    ), settings
