from nbhelpers.plots import verdict_table

CELLS = {
    ("a", "infer", "T4", "auto"): ("fits", 5.24),
    ("a", "infer", "T4", "nf4"): ("tight", 14.0),
    ("b", "attack", "T4", "auto"): ("too large", 20.0),
    ("b", "attack", "T4", "nf4"): ("impossible", None),
    ("b", "attack", "here", "auto"): ("fits", 1.0),
}


def test_rows_and_columns_keep_their_order_and_gaps_are_dashes():
    table = verdict_table(CELLS).data
    assert list(table.index) == [("a", "infer"), ("b", "attack")]
    assert list(table.columns) == [("T4", "auto"), ("T4", "nf4"), ("here", "auto")]
    assert table.loc[("a", "infer")].tolist() == ["fits, 5.2 GiB", "tight, 14.0 GiB", "-"]
    assert table.loc[("b", "attack")].tolist() == ["too large, 20.0 GiB", "-", "fits, 1.0 GiB"]


def test_each_verdict_has_its_colour_and_its_word():
    page = verdict_table(CELLS).to_html()
    assert all(color in page for color in ("#D6EFE3", "#FBEBC8", "#F6D5CC"))
    assert all(word in page for word in ("fits, ", "tight, ", "too large, "))
