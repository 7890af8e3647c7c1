"""What can go wrong on the duplicates desk; each message names the cure."""


class DeskError(Exception):
    """Base of this family. ``code`` is stable, ``str(error)`` is for whoever decides, in the active language."""

    code = "not_possible"


class Decided(DeskError):
    """The group or picture is no longer there to be decided on, because somebody else was quicker."""

    code = "decided"


class TooLate(DeskError):
    """A decision that cannot be undone any more."""

    code = "too_late"
