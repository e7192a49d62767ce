"""What everything behind the comparisons looks at."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from converter.errors import UsageError
from converter.folder.subject import Runners, Subject
from converter.proof.comparison import Comparison
from converter.spec.options import VerifyOptions
from converter.verifying.reference import NetworkReference, Reference

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork


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
