"""The trash: deleted pictures stay in it for ``TRASH_RETENTION``, can be restored, and are then purged.

What is written is in gallery/services/trash.py; a periodic task in gallery/tasks.py purges.
"""
