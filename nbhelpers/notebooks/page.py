"""An executed notebook as one HTML file that opens without a network."""

from pathlib import Path

from nbhelpers.artifacts import write_atomic


def save_html(notebook: Path) -> Path | None:
    """Write `<notebook>.html` beside an executed notebook.

    Returns:
        The page, or None when there is no notebook: nothing of it was executed.
    """
    if not notebook.is_file():
        return None
    import nbformat
    from nbconvert.exporters import HTMLExporter

    exporter = HTMLExporter(template_name="lab", exclude_anchor_links=True)
    content = nbformat.read(notebook, as_version=4)
    # The template would fetch these from a content network; only formulas need one of them.
    exporter.require_js_url = exporter.mermaid_js_url = ""
    if not any(cell.cell_type == "markdown" and "$" in cell.source for cell in content.cells):
        exporter.mathjax_url = ""
    html, _ = exporter.from_notebook_node(content, {"metadata": {"name": notebook.stem}})
    return write_atomic(notebook.with_suffix(".html"), html)
