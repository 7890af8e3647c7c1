"""What can go wrong with an encoder; each message names the cure."""

from search.exceptions import SearchError, SpaceUnavailable


class EncoderMissing(SpaceUnavailable):
    """No such encoder folder; it can be made."""


class EncoderDamaged(SpaceUnavailable):
    """An encoder folder is incomplete, of another format, or fails its checksums; it can be made again."""


class EncoderNotMade(SearchError):
    """An encoder cannot be made: unknown name, a package is missing, or a hub is out of reach."""

    def __init__(self, detail: str) -> None:
        super().__init__("encoder_not_made", detail=detail)
