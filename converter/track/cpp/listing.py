"""``lt-cpp.json``: what a folder with a C++ tracker says of itself."""

from converter.folder.listing import FileEntry, Listing

MARKER = "lt-cpp.json"


class CppListing(Listing):
    """A C++ tracker.

    Attributes:
        manifest: sha256 of the export's manifest.
        template_size, search_size: of the models that it runs, in pixels.
    """

    family: str
    manifest: str
    template_size: int
    search_size: int
    files: tuple[FileEntry, ...]

    def checksums(self) -> dict[str, str]:
        return {file.name: file.sha256 for file in self.files}
