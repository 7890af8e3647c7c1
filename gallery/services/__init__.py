"""The only writers of pictures, tags and albums: pages, API, admin, tasks and commands all call these.

tests/gallery/test_only_writers.py finds whoever writes elsewhere.
"""

from gallery.services.adding import (
    Added,
    NearDuplicate,
    add_image,
    add_image_unannounced,
    add_or_hold_image,
    announce_images,
    import_image,
    limits,
)
from gallery.services.albums import (
    add_to_album,
    delete_albums,
    import_album,
    put_in_album,
    remove_from_album,
    save_album,
    set_album_images,
)
from gallery.services.editing import mark_thumbnailed, notice_lost_thumbnails, update_image
from gallery.services.merging import Merged, merge_labels, unmerge_labels
from gallery.services.tags import add_tags, delete_tags, save_tag, set_tags
from gallery.services.trash import delete_images, purge_trash, restore_images, trash_images

__all__ = [
    "Added",
    "Merged",
    "NearDuplicate",
    "add_image",
    "add_image_unannounced",
    "add_or_hold_image",
    "add_tags",
    "add_to_album",
    "announce_images",
    "delete_albums",
    "delete_images",
    "delete_tags",
    "import_album",
    "import_image",
    "limits",
    "mark_thumbnailed",
    "merge_labels",
    "notice_lost_thumbnails",
    "purge_trash",
    "put_in_album",
    "remove_from_album",
    "restore_images",
    "save_album",
    "save_tag",
    "set_album_images",
    "set_tags",
    "trash_images",
    "unmerge_labels",
    "update_image",
]
