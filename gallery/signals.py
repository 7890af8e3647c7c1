"""What the gallery tells others, inside the transaction that makes it so; it does not know who listens."""

from django.dispatch import Signal

images_added = Signal()  # ids: list[int]
images_deleted = Signal()  # ids: list[int]; before their rows go
