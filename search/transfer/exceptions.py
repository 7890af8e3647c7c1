"""What can go wrong with an export or a backup; each message names the cure."""


class TransferError(Exception):
    """Nothing was changed. ``str(error)`` is fit to be shown."""


class Damaged(TransferError):
    """Something is not as it was written."""
