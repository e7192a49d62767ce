"""What everything is compared on where nobody says otherwise."""

from converter.proof.inputs import noise_feeds

NOISE = ("noise, fine", "noise, smooth", "noise, coarse")
PICTURES = (
    "picture 'rings'",
    "picture 'surfaces'",
    "picture 'flat'",
    "picture 'dark'",
    "picture 'overexposed'",
    "picture 'texture' at scale 3",
)
INPUTS = (*NOISE, *PICTURES)
CASES = (  # folders of golden vectors
    *("noise_fine", "noise_smooth", "noise_coarse"),
    *("picture_rings", "picture_surfaces", "picture_flat"),
    *("picture_dark", "picture_overexposed", "picture_texture_at_scale_3"),
)


def noise_feed(seed, images, preprocess):
    """One input."""
    (feed,) = noise_feeds(seed, 1, images, preprocess)
    return feed
