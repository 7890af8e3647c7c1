#!/usr/bin/env python
"""Command line of the site."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")
    try:
        django.setup()
    except (ImproperlyConfigured, ValueError) as error:
        sys.exit(f"Wrong setting: {str(error).partition(chr(10))[0]}")
    execute_from_command_line(sys.argv)
