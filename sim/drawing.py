"""Plots as SVG files: whole, and the same bytes for the same measurements."""

from contextlib import contextmanager

from siommu.generate.files import whole

__all__ = ["drawn"]


@contextmanager
def drawn(path, rows=1, columns=1, **options):
    """The axes of a new drawing, as matplotlib's ``subplots`` gives them, which is in ``path`` when
    the block ends without an error. ``options``: those of ``subplots``.

    Raises
    ------
    WriteError
        The file cannot be written.
    """
    # Here: it takes a second, and most runs draw nothing.
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "siommu"
    from matplotlib import pyplot
    drawing, axes = pyplot.subplots(rows, columns, **{
        "figsize": (7, 4.2), "layout": "constrained", **options})
    try:
        yield axes
        with whole(path) as scratch:
            drawing.savefig(scratch, metadata={"Date": None})
    finally:
        pyplot.close(drawing)
