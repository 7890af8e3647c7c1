"""What the gallery tells others, inside the transaction that makes it so; it does not know who listens."""

from django.dispatch import Signal

images_added = Signal()  # ids: list[int]; also when they come back out of the trash
images_deleted = Signal()  # ids: list[int]; before their rows go, also when they go into the trash

# Asked, not told: image (not saved yet), decoded; who listens answers with a list of services.Copy.
copies_wanted = Signal()
