"""The registry is complete and each operation can be found by its name."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from casparian_flow.core.errors import NotFound, VerificationFailed
from casparian_flow.operations import index
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.registry import Reply, Request
from casparian_flow.settings import Settings
from casparian_flow.store import migrate
from casparian_flow.store.engine import REVISION


def test_every_operation_is_found_under_its_name_with_its_types():
    for operation in index.every():
        assert index.find(operation.name) is operation
        assert issubclass(operation.request, Request) and issubclass(operation.reply, Reply)
        assert operation.summary.endswith(".")
        msgspec.json.schema(operation.request)
        msgspec.json.schema(operation.reply)


def test_what_does_an_operation_takes_its_request_and_gives_its_reply():
    for operation in index.every():
        taken, *_, given = list(inspect.get_annotations(operation.function).values())[1:]
        assert (taken, given) == (operation.request.__name__, operation.reply.__name__), operation.name


def test_a_name_that_does_not_exist_is_an_error_with_a_suggestion():
    with pytest.raises(NotFound) as caught:
        index.find("files.lst")
    assert caught.value.why == "did you mean files.list?"


def test_requests_refuse_fields_that_they_do_not_know():
    for operation in index.every():
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"no_such_field": 1}, operation.request)


def test_the_revision_that_reading_expects_is_the_newest_migration():
    assert migrate._scripts().get_current_head() == REVISION


@pytest.mark.parametrize(("revision", "word"), [("9999", "newer"), ("0000", "older")])
def test_a_home_of_another_version_is_not_read(past, tmp_path, revision, word):
    past.database.driver.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    with pytest.raises(VerificationFailed, match=word), open_reading(past.home, Settings(), tmp_path):
        pass


def test_a_reading_cannot_write(past, tmp_path):
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    with (
        pytest.raises(VerificationFailed) as caught,
        open_reading(past.home, Settings(), tmp_path) as reading,
    ):
        reading.connection.execute(text("DELETE FROM cf_meta"))
    assert isinstance(caught.value.__cause__, OperationalError)
