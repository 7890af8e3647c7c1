"""What can go wrong with an export or a backup; each message names the cure."""


class MovingError(Exception):
    """Nothing was changed. ``str(error)`` is fit to be shown."""


class Damaged(MovingError):
    """Something is not as it was written."""
