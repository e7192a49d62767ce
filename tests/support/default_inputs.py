"""What everything is compared on where nobody says otherwise."""

from converter.proof.inputs import noise_feeds

NOISE = ("noise, fine", "noise, smooth", "noise, coarse")
PICTURES = (
    "picture 'rings' at scale 1",
    "picture 'surfaces' at scale 1",
    "picture 'flat' at scale 1",
    "picture 'dark' at scale 1",
    "picture 'overexposed' at scale 1",
    "picture 'texture' at scale 3",
)
INPUTS = (*NOISE, *PICTURES)
CASES = (  # folders of golden vectors
    *("noise_fine", "noise_smooth", "noise_coarse"),
    *("picture_rings_at_scale_1", "picture_surfaces_at_scale_1", "picture_flat_at_scale_1"),
    *("picture_dark_at_scale_1", "picture_overexposed_at_scale_1", "picture_texture_at_scale_3"),
)


def noise_feed(seed, images, preprocess):
    """One input."""
    (feed,) = noise_feeds(seed, 1, images, preprocess)
    return feed
