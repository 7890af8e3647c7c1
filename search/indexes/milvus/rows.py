"""A collection of Milvus: rows of one int64 key and one vector.

Every search carries the time stamp of the last write that its answer must include; a server that lags makes it wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np

from search.indexes.milvus.server import WORK, ask, clock, prefix
from search.types import Features, Keys, Matches

MOST = 16_384  # answers that Milvus gives at once
BYTES = 8 << 20  # of vectors in one message
LOWEST = -(2**63)  # cannot be written in an expression
LINKS, BUILD_WIDTH, WIDTH = 16, 200, 128
KEY, ROW, NOTE = "id", "row", "imagesite.note"


@dataclass(frozen=True, slots=True)
class Kind:
    """How Milvus stores and compares the rows of a metric."""

    vector: str
    index: str
    metric: str
    parameters: dict[str, int]
    bits: int  # Milvus counts dimensions in bits: so many are one of ours


KINDS = {
    "euclidean": Kind("FLOAT_VECTOR", "HNSW", "L2", {"M": LINKS, "efConstruction": BUILD_WIDTH}, 1),
    "hamming": Kind("BINARY_VECTOR", "BIN_FLAT", "HAMMING", {}, 64),
}


def new_name(space: str, version: str) -> str:
    """A name that no other collection ever has: site, space, version, and 12 random digits."""
    parts = (prefix(), _plain(space), _plain(version)[:80], uuid4().hex[:12])
    return "__".join(parts)


def names(space: str) -> list[str]:
    """All collections that this site has of a space."""
    collections: list[str] = ask("list_collections")
    return [name for name in collections if name.split("__")[:2] == [prefix(), _plain(space)]]


def drop(name: str) -> None:
    """Delete a collection with its rows."""
    ask("drop_collection", name)


def create(name: str, metric: str, dimension: int) -> None:
    """Make an empty collection, ready to be searched."""
    from pymilvus import DataType, MilvusClient

    kind = KINDS[metric]
    schema, indexes = MilvusClient.create_schema(auto_id=False), MilvusClient.prepare_index_params()
    schema.add_field(KEY, DataType.INT64, is_primary=True)
    schema.add_field(ROW, DataType[kind.vector], dim=dimension * kind.bits)
    indexes.add_index(ROW, index_type=kind.index, metric_type=kind.metric, params=kind.parameters)
    ask("create_collection", name, schema=schema, index_params=indexes, timeout=WORK)


class Collection:
    """``written`` is the time stamp, by Milvus' clock, of the last write that answers must include."""

    def __init__(self, name: str, metric: str, dimension: int, written: int = 1) -> None:
        self.name, self.metric, self.dimension, self.written = name, metric, dimension, written

    def put(self, keys: Keys, rows: Features) -> None:
        """Add or replace rows with unique keys."""
        step = max(1, BYTES // (rows.shape[1] * rows.itemsize))
        for start in range(0, len(keys), step):
            batch = zip(keys[start : start + step].tolist(), rows[start : start + step], strict=True)
            ask("upsert", self.name, [{KEY: key, ROW: self._vector(row)} for key, row in batch], timeout=WORK)
        self.written = clock()

    def remove(self, keys: Keys) -> None:
        for start in range(0, len(keys), MOST):
            for expression in among(keys[start : start + MOST]):
                ask("delete", self.name, filter=expression, timeout=WORK)
        self.written = clock()

    def nearest(self, query: Features, limit: int, expression: str = "", radius: float | None = None) -> Matches:
        """At most ``limit`` rows, at distance <= ``radius`` if it is given; in order, ties by key."""
        parameters: dict[str, float] = {"ef": max(WIDTH if not expression else 4 * WIDTH, limit)}
        if radius is not None:
            parameters["radius"] = self._beyond(radius)
        hits = ask(
            "search",
            self.name,
            [self._vector(query)],
            filter=expression,
            limit=limit,
            search_params={"params": parameters if self.metric == "euclidean" or radius is not None else {}},
            consistency_level="Customized",
            guarantee_timestamp=self.written,
        )[0]
        keys = np.fromiter((hit[KEY] for hit in hits), np.int64, len(hits))
        distances = np.fromiter((hit["distance"] for hit in hits), np.float64, len(hits))
        if self.metric == "euclidean":
            distances = np.sqrt(np.maximum(distances, 0))
        matches = Matches.ranked(keys, distances)
        return matches if radius is None else matches.within(radius)

    def pages(self) -> Iterator[Keys]:
        """All keys, ascending, ``MOST`` at a time."""
        expression = f"{KEY} <= {2**63 - 1}"
        while True:
            answers = self._query(expression, [KEY], limit=MOST)
            keys = np.sort(np.fromiter((row[KEY] for row in answers), np.int64, len(answers)))
            if not len(keys):
                return
            yield keys
            expression = f"{KEY} > {keys[-1]}" if keys[-1] > LOWEST else f"{KEY} >= {LOWEST + 1}"

    def rows(self, keys: Keys) -> tuple[Keys, Features]:
        """The keys that are in the collection, and their rows."""
        answers = [row for expression in among(keys) for row in self._query(expression, [KEY, ROW])]
        present_keys = np.array([row[KEY] for row in answers], np.int64)
        if self.metric == "hamming":
            bits = np.frombuffer(b"".join(row[ROW][0] for row in answers), np.uint64)
            return present_keys, bits.reshape(len(answers), self.dimension)
        return present_keys, np.array([row[ROW] for row in answers], np.float32).reshape(len(answers), self.dimension)

    def count(self) -> int:
        return int(self._query("", ["count(*)"])[0]["count(*)"])

    def settle(self) -> None:
        """Have Milvus seal what was written, so that it builds its index over it."""
        ask("flush", self.name, timeout=WORK)

    def exists(self) -> bool:
        return bool(ask("has_collection", self.name))

    def note(self, text: str) -> None:
        """Store a short text with the collection."""
        ask("alter_collection_properties", self.name, {NOTE: text}, timeout=WORK)

    def noted(self) -> str:
        return str(ask("describe_collection", self.name).get("properties", {}).get(NOTE, ""))

    def _query(self, expression: str, fields: list[str], **options: int) -> list[dict[str, Any]]:
        time = {"consistency_level": "Customized", "guarantee_timestamp": self.written}
        answers: list[dict[str, Any]] = ask(
            "query", self.name, filter=expression, output_fields=fields, timeout=WORK, **time, **options
        )
        return answers

    def _vector(self, row: Features) -> Any:
        return row.tobytes() if self.metric == "hamming" else row

    def _beyond(self, radius: float) -> float:
        """Milvus' radius for rows at distance <= ``radius``: it answers what is nearer than its own."""
        if self.metric == "hamming":
            return float(min(np.floor(radius), 64 * self.dimension) + 1)
        # A little more than the square, which Milvus sums up in single precision; the rest is cut off.
        return float(min(radius * radius * (1 + 1e-4) + 1e-9, 3e38))


def among(keys: Keys) -> list[str]:
    """Expressions that are true of these keys only."""
    plain = [key for key in keys.tolist() if key != LOWEST]
    expressions = [f"{KEY} in {plain}"] if plain else []
    return expressions if len(plain) == len(keys) else [*expressions, f"{KEY} < {LOWEST + 1}"]


def between(first: int, last: int) -> str:
    """An expression for all keys from the first to the last."""
    return f"{KEY} <= {last}" if first == LOWEST else f"{KEY} >= {first} and {KEY} <= {last}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
