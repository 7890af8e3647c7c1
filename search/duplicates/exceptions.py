"""What can go wrong when duplicates are reviewed; each message names the cure."""


class ReviewError(Exception):
    """Base of this family. ``code`` is stable, ``str(error)`` is for whoever decides, in the active language."""

    code = "not_possible"


class Decided(ReviewError):
    """Somebody else has decided on the group or picture meanwhile."""

    code = "decided"


class TooLate(ReviewError):
    """A decision that cannot be undone any more."""

    code = "too_late"
