"""Connections to the queue of files."""

from __future__ import annotations

from kombu import Connection


def connect(folder: str) -> Connection:
    options = {
        "data_folder_in": f"{folder}/in",
        "data_folder_out": f"{folder}/in",
        "control_folder": f"{folder}/control",
    }
    return Connection("filesystem://localhost", transport="imagesite.filequeue:Transport", transport_options=options)
