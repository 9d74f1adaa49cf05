"""What a file of this folder lists: a picture, and what it shows."""

from collections.abc import Callable
from typing import NamedTuple


class Picture(NamedTuple):
    """A picture of a run or of a galaxy."""

    draw: Callable  # takes what is to be drawn, gives a Figure, or None where there is nothing to draw
    meaning: str  # in a line of a table
    among_few: bool = False  # whether it is drawn where only a few pictures are asked for
