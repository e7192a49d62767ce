"""What a search leaves behind for people: the page beside its journal, those that were asked for, and the picture."""

from converter.quantize.options import QuantizeOptions
from converter.quantize.page import report_of
from converter.quantize.result import QuantizeResult
from converter.quantize.workplace import PAGE
from converter.report.text import now
from converter.report.writing import write_report


def write_pages(options: QuantizeOptions, result: QuantizeResult) -> None:
    """The page beside the journal, those that were asked for, and the picture.

    Raises:
        ConversionError: when one cannot be written; what was published stays.
    """
    report = report_of(result, options, now())
    for path in (options.workplace / PAGE, *options.reports):
        write_report(path, report)
    if options.plot:
        from converter.quantize.plot import draw  # matplotlib, which nothing else needs

        draw(options.plot, result)
