#!/usr/bin/env python
"""Command line of the site."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor


def lacks_migrations() -> bool:
    """Whether the database is there, but not as this program needs it."""
    try:
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError:
        return False


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")
    try:
        django.setup()
    except (ImproperlyConfigured, ValueError) as error:
        sys.exit(f"Wrong setting: {str(error).partition(chr(10))[0]}")
    try:
        execute_from_command_line(sys.argv)
    except DatabaseError as error:
        if lacks_migrations():
            sys.exit(f"The database has not the tables of this program. Run: manage.py migrate ({error})")
        raise
