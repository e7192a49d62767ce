"""What runs models in place of this machine's CPU: its names on the command line, in configs and in messages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Runtime:
    """One of the places that models run in.

    Attributes:
        name: of ``--runtime``.
        section: of a config and of the JSON; its options begin with it, as ``--arm-mode``.
        where: in words, before a message.
        computes: what is in question where a figure is far off.
    """

    name: str
    section: str
    where: str
    computes: str

    def option(self, name: str) -> str:
        """As ``--arm-mode``."""
        return f"--{self.section}-{name}"
