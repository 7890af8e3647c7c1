"""The table of indexes: name -> (label, dotted path); a new index is one file and one line."""

from __future__ import annotations

from importlib import import_module

from search.exceptions import UnknownSpace
from search.indexes.base import Index, TrainedIndex

INDEXES: dict[str, tuple[str, str]] = {
    "brute": ("Exact scan", "search.indexes.brute.BruteIndex"),
    "vptree": ("VP-tree (exact)", "search.indexes.vptree.index.VPTreeIndex"),
    "mih": ("Multi-index hashing (exact)", "search.indexes.mih.index.MIHIndex"),
    "hnsw": ("HNSW graph (approximate)", "search.indexes.hnsw.index.HNSWIndex"),
    "inverted": ("Visual words", "search.indexes.inverted.index.InvertedIndex"),
    "milvus": ("Milvus, a vector database (bits exact)", "search.indexes.milvus.index.MilvusIndex"),
}


def index_class(name: str) -> type[Index]:
    """The class behind a name of the table; its libraries are imported on first use."""
    if name not in INDEXES:
        raise UnknownSpace("unknown_index", name=name, choices=", ".join(INDEXES))
    module, _, attribute = INDEXES[name][1].rpartition(".")
    imported: type[Index] = getattr(import_module(module), attribute)
    return imported


def new_tail(index: Index) -> Index:
    """An empty index for the changes after ``index`` was saved: an exact scan, or one with the same training.

    Cheap to copy and to grow row by row.
    """
    if isinstance(index, TrainedIndex):
        return index.empty_copy()
    return index_class("brute")(index.metric, index.dimension)
