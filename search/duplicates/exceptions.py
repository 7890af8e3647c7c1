"""What can go wrong on the duplicates desk; each message names the cure."""


class DeskError(Exception):
    """Base of this family. ``str(error)`` is fit to be shown to whoever decides. ``code`` is stable."""

    code = "not_possible"


class Decided(DeskError):
    """The group or picture is no longer there to be decided on, because somebody else was quicker."""

    code = "decided"


class TooLate(DeskError):
    """A decision that cannot be undone any more."""

    code = "too_late"
