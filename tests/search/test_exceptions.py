"""Every error of the core has a code of the table, and gives its text all that it asks for."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

from search.exceptions import MESSAGES, BadQuery, SearchError, SpaceUnavailable, message_of
from search.types import Message

ERRORS = {"SearchError", "UnknownSpace", "BadQuery", "SpaceUnavailable", "SnapshotDamaged"}
CODED = ERRORS | {"EncoderMissing", "EncoderDamaged", "message_of"}


def calls():
    """File, code and keywords of each call that makes an error or its message."""
    for file in sorted((Path(settings.BASE_DIR) / "search").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CODED:
                (code,) = node.args
                if isinstance(code, ast.Constant):
                    yield file.name, code.value, tuple(keyword.arg for keyword in node.keywords)


@pytest.mark.parametrize(("file", "code", "given"), sorted(calls()))
def test_a_code_is_in_the_table_and_its_text_is_filled(file, code, given):
    assert set(re.findall(r"%\((\w+)\)s", MESSAGES[code])) == set(given)


def test_no_code_stands_in_the_table_in_vain():
    assert set(MESSAGES) - {code for _, code, _ in calls()} == {"encoder_not_made"}


def test_an_error_is_its_message():
    error = BadQuery("limit_out_of_range", most=100)
    assert isinstance(error, SearchError)
    assert (error.code, str(error)) == ("limit_out_of_range", "limit must be between 1 and 100.")
    assert error.message.params == {"most": 100}


def test_a_message_is_a_plain_string_for_all_who_only_show_it():
    message = SpaceUnavailable("not_extracted").message
    assert isinstance(message, Message)
    assert isinstance(message, str)
    assert message == message_of("not_extracted")
    assert message == "This picture is still being processed."
