"""Signals to other apps, sent inside the transaction that makes the change. The gallery does not know who listens."""

from django.dispatch import Signal

images_added = Signal()  # ids: list[int]; also of pictures that are restored from the trash
images_deleted = Signal()  # ids: list[int]; before their rows go, also when they go to the trash

# A question: image (not saved yet), decoded. Receivers answer with a list of services.NearDuplicate.
near_duplicates_requested = Signal()
