"""Which layer a device fails in: the graph that failed is run again, layer by layer, in a new process."""

import logging

from converter.checks.device.process import GuestProcess
from converter.checks.device.runner import GuestRunner
from converter.errors import ConversionError

log = logging.getLogger(__name__)


def blame(failed: GuestRunner, process: GuestProcess) -> str:
    """What there is to say of a run that failed, to be added to its message; empty where the new process fails earlier.

    Args:
        failed: its ``failed_on`` is what it was fed.
        process: a new one, not started yet; it is stopped.
    """
    if failed.failed_on is None:
        return ""
    try:
        process.start()
        runner = GuestRunner(process, failed.files, failed.graph)
        layer = runner.first_failing(failed.failed_on)
    except ConversionError as error:
        log.debug("layer by layer: %s", error)
        return ""
    finally:
        process.stop()
    if layer is None:
        return f"; run again layer by layer, {failed.graph.name} did not fail"
    return f"; run again layer by layer, it fails in layer {layer.name} ({layer.type}) of {failed.graph.name}"
