"""Plots of what was measured, in matplotlib's own way."""

from __future__ import annotations

from pathlib import Path

from bench.measuring import Section

__all__ = ["draw"]


def draw(section: Section, path: Path) -> None:
    """One plot as SVG, the same bytes for the same figures."""
    import matplotlib as mpl  # noqa: PLC0415 -- of the bench group alone

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "interop"
    from matplotlib import pyplot  # noqa: PLC0415

    assert section.axes is not None
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, points in section.plot.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=name)
    if max(x for points in section.plot.values() for x, _ in points) > 1000:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlabel(section.axes[0])
    axes.set_ylabel(section.axes[1])
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
