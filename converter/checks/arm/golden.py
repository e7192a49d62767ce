"""Golden vectors from the emulated kernels: what a device with the same ones should give, to the last bits."""

import tempfile
from pathlib import Path
from typing import Any

from converter.checks.arm.run import Answered
from converter.checks.arm.section import ArmSection
from converter.folder.golden import GoldenCase, golden_header, write_golden
from converter.folder.manifest import about_network
from converter.folder.vectors import publish_vectors
from converter.spec.options import VerifyOptions
from converter.verifying.reference import GOLDEN_FOLDER, Reference
from converter.verifying.subject import Subject


class Kept:
    """Remembers what :func:`converter.checks.arm.run.check_arm` hands over."""

    def __init__(self):
        self.answered: list[Answered] = []

    def __call__(self, answered: Answered) -> None:
        self.answered.append(answered)

    def write(self, options: VerifyOptions, subject: Subject, reference: Reference, section: ArmSection) -> None:
        """Golden vectors into ``options.write_golden``: inputs and outputs of the chained graphs, nothing from inside.

        Raises:
            ConverterError: when they cannot be written.
        """
        graphs = [model.graph for model in subject.models if model.format == "ncnn"]
        with tempfile.TemporaryDirectory(prefix="lt-verify-") as folder:
            made = Path(folder) / GOLDEN_FOLDER
            made.mkdir()
            header = self._header(options, subject, reference, section)
            cases = [GoldenCase(graphs, answered.feed, answered.tensors, {}) for answered in self.answered]
            index = write_golden(made, header, cases)
            publish_vectors(options.write_golden, made, index)

    def _header(self, options, subject, reference, section) -> dict[str, Any]:
        about = about_network(options.arch, subject.network, subject.dimensions, reference.network)
        (mode,) = section.modes
        words = f"{section.about}, {mode.mode.name} ({mode.mode.about}), graphs chained"
        precision = subject.manifest.precision if subject.manifest else "fp32"
        return golden_header(about, words, precision, subject.tolerances(options))
