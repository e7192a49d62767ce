"""The charts of the page: inline SVG, coloured by the page's style sheet, readable without colour.

Series differ in dashes, failures in shape, and everything that matters is also written beside it.
"""

from converter.report.charts.curve import Limit, Series, curve
from converter.report.charts.histogram import histogram
from converter.report.charts.layers import layer_graph
from converter.report.charts.overlap import lowest_tick, overlaps
from converter.report.charts.scatter import Dot, scatter

__all__ = ["Dot", "Limit", "Series", "curve", "histogram", "layer_graph", "lowest_tick", "overlaps", "scatter"]
