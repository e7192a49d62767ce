"""What everything behind the comparisons looks at."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from converter.errors import UsageError
from converter.formats.isolated import IsolatedRunner
from converter.proof.comparison import Comparison
from converter.spec.model import Model, TrackerModels
from converter.spec.options import VerifyOptions
from converter.verifying.reference import NetworkReference, Reference
from converter.verifying.subject import Subject

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork

Runners = Mapping[Model, IsolatedRunner]


@dataclass(frozen=True)
class Run:
    """One verification.

    Attributes:
        comparisons: at every size, that of the options first.
        runners: of the models at the first size.
    """

    options: VerifyOptions
    subject: Subject
    reference: Reference
    comparisons: tuple[Comparison, ...]
    runners: Runners

    @property
    def comparison(self) -> Comparison:
        """At the first size."""
        return self.comparisons[0]

    @property
    def network(self) -> "LoadedNetwork":
        """The network itself; what needs it is refused without a checkpoint before anything is done."""
        if isinstance(self.reference, NetworkReference):
            return self.reference.network
        raise UsageError("the network itself is wanted: pass --resume CHECKPOINT")


@contextmanager
def isolated_runners(subject: Subject, tracker: TrackerModels) -> Iterator[Runners]:
    """What runs the models, each in a process of its own that ends with the block."""
    with ExitStack() as running:
        runners = {}
        for model in tracker.models:
            runners[model] = IsolatedRunner(model.format, subject.files(model), model.graph)
            running.callback(runners[model].stop)
        yield runners
