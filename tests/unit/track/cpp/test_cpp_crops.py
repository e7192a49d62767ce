"""Crops of the C++ header, byte for byte beside OpenCV's."""

import subprocess

import cv2
import numpy as np
import pytest
from compilers import COMPILERS, SANITIZED, compiled

from commands import SUPPORT
from converter.families.tracking import square
from converter.track.cpp.generate import core

# what the header takes from an export, here of no export
MODEL = """namespace model {
inline constexpr bool rgb = true;
inline constexpr float pixel_low = 0.0F, pixel_range = 1.0F;
inline constexpr std::array<float, 3> mean{0.485F, 0.456F, 0.406F}, deviation{0.229F, 0.224F, 0.225F};
inline constexpr std::size_t output_count = 1;
inline constexpr std::array<const char*, 1> output_names{"cls"};
inline constexpr std::array<std::size_t, 1> output_sizes{1};
struct File { const char* name; std::size_t bytes; const char* sha256; };
}"""
SIZES = (127, 128, 255, 256, 288, 320)

pytestmark = pytest.mark.cpp


@pytest.fixture(scope="module", params=COMPILERS)
def crop(request, tmp_path_factory):
    """(frame, squares) -> their pixels, by the header."""
    folder = tmp_path_factory.mktemp("crops")
    (folder / "crops.hpp").write_text(core(MODEL))
    program = compiled(request.param, SUPPORT / "crops.cpp", folder / "crops", *SANITIZED, f"-I{folder}")

    def crops(frame, squares):
        lines = [f"{frame.shape[1]} {frame.shape[0]} {len(squares)}", *(" ".join(map(str, each)) for each in squares)]
        text = "\n".join(lines).encode() + b"\n" + np.ascontiguousarray(frame).tobytes()
        done = subprocess.run([program], input=text, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        found, at = [], 0
        for _, _, _, size, *_ in squares:
            found.append(np.frombuffer(done.stdout, np.uint8, 3 * size * size, at).reshape(size, size, 3))
            at += 3 * size * size
        assert at == len(done.stdout)
        return found

    return crops


def expected(frame, left, top, side, size, *fill):
    pixels, _ = square(frame, left, top, side, np.array(fill))
    return cv2.resize(pixels, (size, size))


def check(crop, frame, squares):
    for found, each in zip(crop(frame, squares), squares, strict=True):
        assert np.array_equal(found, expected(frame, *each)), each


def random_square(generator, width, height):
    """Tiny, usual, huge; inside, over the edge, and wholly outside."""
    size = int(generator.choice(SIZES))
    side = int(
        generator.choice([generator.integers(1, 12), generator.integers(12, 500), generator.integers(500, 1500)])
    )
    if generator.random() < 0.1:
        side = int(generator.choice([size, 2 * size, size + 1, 2 * size - 1]))
    left = int(generator.integers(-side - 20, width + 20))
    top = int(generator.integers(-side - 20, height + 20))
    return (left, top, side, size, *map(int, generator.integers(0, 256, 3)))


def test_a_thousand_random_boxes(crop):
    generator = np.random.default_rng(0)
    for width, height, count in ((320, 240, 600), (641, 479, 300), (37, 23, 60), (1, 1, 20), (2, 3, 20)):
        frame = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        check(crop, frame, [random_square(generator, width, height) for _ in range(count)])


def test_a_frame_of_4k(crop):
    frame = np.random.default_rng(1).integers(0, 256, (2160, 3840, 3), dtype=np.uint8)
    check(crop, frame, [(-100, -100, 4000, 288, 1, 2, 3), (3700, 2100, 333, 127, 9, 8, 7)])


def test_smooth_pictures(crop):
    """Noise hides what rounds one way only."""
    ramp = np.add.outer(np.arange(200), np.arange(300))
    frame = np.stack([ramp // 3 % 256, ramp // 2 % 256, ramp % 256], axis=-1).astype(np.uint8)
    check(crop, frame, [(-10, -10, side, size, 0, 128, 255) for side in range(1, 400, 13) for size in (127, 256)])
