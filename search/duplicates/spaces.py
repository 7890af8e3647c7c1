"""The spaces in which duplicates are found, by what their methods can do."""

from __future__ import annotations

from search.methods import first_space

COPIES = first_space(lambda method: method.finds_copies)
PARTS = first_space(lambda method: method.finds_parts)  # finds crops; "" where there is no such method
