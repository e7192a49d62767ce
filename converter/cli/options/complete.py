"""Names that a shell completes behind an option."""


def presets(incomplete: str) -> list[str]:
    from converter.spec.presets import preset_names

    return [name for name in preset_names() if name.startswith(incomplete)]


def formats(incomplete: str) -> list[str]:
    from converter.formats.format import format_names

    return [name for name in format_names() if name.startswith(incomplete)]
