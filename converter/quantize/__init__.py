"""int8 where it pays: which blocks of a tracker may compute in int8, found by the boxes that come of it."""
