"""A composition for people: one HTML page, and its pictures as figures.

The figures need matplotlib.
"""

from chainopt.report.load_curve import exact_curve, plot_load_curve, save
from chainopt.report.page import write_report
from chainopt.report.plots import plot_composition, plot_memory

__all__ = ["exact_curve", "plot_composition", "plot_load_curve", "plot_memory", "save", "write_report"]
