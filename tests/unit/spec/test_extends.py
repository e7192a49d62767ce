"""A config builds on another of the project's: what it says wins, all else is the other's."""

import pytest
import yaml

from converter.errors import ArchitectureError, UsageError
from converter.spec import config
from converter.spec.config import config_folder, network_for
from converter.spec.yaml_file import read_yaml

OFFICIAL = {
    "NanoTrackV1": {"penalty_k": 0.148, "lr": 0.39, "window_influence": 0.462},
    "NanoTrackV2": {"penalty_k": 0.15, "lr": 0.385, "window_influence": 0.49},
    "NanoTrackV3": {"penalty_k": 0.138, "lr": 0.348, "window_influence": 0.455},
}


@pytest.fixture
def write(tmp_path):
    def write(**content):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Puts configs in a folder that is the project's."""

    def store(**files):
        for name, content in files.items():
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        monkeypatch.setattr(config, "config_folder", lambda: tmp_path)

    return store


@pytest.mark.parametrize("arch", OFFICIAL)
def test_versions_of_nanotrack_differ_in_what_their_files_say_only(arch):
    first, (found, network) = network_for("NanoTrackV1")[1], network_for(arch)
    version = arch[-1]
    assert (found, network.archs, network.path_name) == (arch, [arch], f"v{version}")
    assert network.tracker == {**first.tracker, **OFFICIAL[arch]}
    changed = {"archs", "path_name", "tracker", "vulkan"}
    assert network.model_dump(exclude=changed) == first.model_dump(exclude=changed)
    for mode, allowed in network.vulkan.items():
        of_first = first.vulkan[mode]
        assert allowed.tolerances["loc"].rtol <= of_first.tolerances["loc"].rtol
        assert allowed.model_dump(exclude={"tolerances": {"loc"}}) == of_first.model_dump(
            exclude={"tolerances": {"loc"}}
        )
    assert read_yaml(config_folder() / f"nanotrack_v{version}.yaml").get("family", "nanotrack") == network.family


def test_a_users_config_extends_the_one_it_names_in_place_of_its_archs_own(write):
    path = write(extends="nanotrack_v3", archs=["Mine"], search_size=287, tracker={"lr": 0.1})
    arch, network = network_for(None, path)
    third = network_for("NanoTrackV3")[1]
    assert (arch, network.path_name, network.search_size) == ("Mine", "v3", 287)
    assert network.tracker == {**third.tracker, "lr": 0.1}
    assert network.tolerances == third.tolerances
    with pytest.raises(ArchitectureError, match="known are Mine"):
        network_for("NanoTrackV3", path)


def test_a_users_config_without_archs_has_those_of_what_it_extends(write):
    path = write(extends="nanotrack_v2", search_size=287)
    assert network_for(None, path)[0] == "NanoTrackV2"
    with pytest.raises(ArchitectureError, match="unknown arch 'LightTrackM_Subnet', known are NanoTrackV2"):
        network_for("LightTrackM_Subnet", path)


def test_constants_are_of_the_kind_of_what_is_extended(write):
    with pytest.raises(UsageError, match=r"tracker\.lr: expected a number, found 'fast'"):
        network_for(None, write(extends="nanotrack_v2", tracker={"lr": "fast"}))


@pytest.mark.parametrize(
    ("name", "found"), [("nanotrack_v4", "'nanotrack_v4'; did you mean 'nanotrack_v"), (3, "3"), (["toy"], "['toy']")]
)
def test_an_unknown_name_is_refused_in_one_line(write, name, found):
    path = write(extends=name)
    with pytest.raises(UsageError) as caught:
        network_for(None, path)
    known = "lighttrack_mobile, nanotrack_v1, nanotrack_v2, nanotrack_v3, stark_lightning, stark_lightning_dsconv"
    assert str(caught.value).startswith(f"config {path}: extends: expected one of {known}, found {found}")
    assert "\n" not in str(caught.value)


def test_a_chain_is_followed_to_its_end(folder):
    base = read_yaml(config_folder() / "lighttrack_mobile.yaml")
    folder(
        a={**base, "archs": ["A"], "noise_feeds": 1, "search_size": 272},
        b={"extends": "a", "archs": ["B"], "noise_feeds": 2},
        c={"extends": "b", "archs": ["C"], "template_size": 126},
    )
    network = network_for("C")[1]
    assert (network.noise_feeds, network.search_size, network.template_size) == (2, 272, 126)


@pytest.mark.parametrize(
    ("files", "file", "among"),
    [
        ({"a": {"extends": "a"}, "b": {}}, "a", "b"),
        ({"a": {"extends": "b"}, "b": {"extends": "a"}, "c": {}}, "b", "c"),
        ({"a": {"extends": "x"}, "b": {}}, "a", "b"),
    ],
)
def test_a_config_that_extends_itself_or_nothing_is_refused(folder, tmp_path, files, file, among):
    folder(**files)
    with pytest.raises(UsageError, match="extends: expected one of") as caught:
        network_for(None)
    assert str(caught.value).startswith(f"config {tmp_path / file}.yaml: extends: expected one of {among}, found '")
