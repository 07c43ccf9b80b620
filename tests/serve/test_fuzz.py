"""A schema fuzzer asks the API by its own document: no answer is a fault, all are as the document says."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("schemathesis", reason="the extra 'browsers' is not installed")

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from bot.serve.problems import MEDIA_TYPE
from tests.serve.conftest import BASE, Served

EXAMPLES = 25
"""For each address."""
BEYOND_THE_DOCUMENT = [positive_data_acceptance]
"""No schema says which symbols a run has, or which cursors were given out."""


def addresses(served: Served) -> list[Any]:
    """Return the operations of the document, but the endless stream."""
    document = served.owner().get("/api/v1/openapi.json").json()
    schema: Any = schemathesis.openapi.from_dict(document)
    schema.app = served.app
    found = [each.ok() for each in schema.get_all_operations()]
    return [each for each in found if not each.path.endswith("/changes")]


def test_the_document_describes_every_address(served: Served) -> None:
    paths = {each.path for each in addresses(served)}
    assert {
        "/api/v1/runs", "/api/v1/runs/{run_id}/status", "/api/v1/runs/{run_id}/bars", "/api/v1/runs/{run_id}/forecasts",
        "/api/v1/runs/{run_id}/decisions", "/api/v1/runs/{run_id}/fills", "/api/v1/runs/{run_id}/trips",
        "/api/v1/runs/{run_id}/equity", "/api/v1/runs/{run_id}/models", "/api/v1/runs/{run_id}/skill",
        "/api/v1/runs/{run_id}/events", "/api/v1/runs/{run_id}/commands",
    } <= paths  # fmt: skip


@pytest.mark.parametrize("run_id", ["short", None], ids=["a run there is", "any run"])
def test_no_request_finds_a_fault(served: Served, run_id: str | None) -> None:
    headers = {"Authorization": f"Bearer {served.secret}"}
    tried: dict[int, int] = {}
    for operation in addresses(served):
        if run_id is not None and operation.path.endswith(("skill", "trips")):
            continue  # worked out by a process, once for each of these tests

        def ask(case: Any) -> None:
            if run_id is not None and "run_id" in (case.path_parameters or {}):
                case.path_parameters["run_id"] = run_id
            answer = case.call(base_url=BASE, headers=headers)
            tried[answer.status_code] = tried.get(answer.status_code, 0) + 1
            case.validate_response(answer, excluded_checks=BEYOND_THE_DOCUMENT)
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == [MEDIA_TYPE]
                assert answer.json()["status"] == answer.status_code

        quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
        run = settings(max_examples=EXAMPLES, suppress_health_check=quiet)
        run(given(case=operation.as_strategy())(ask))()
    assert tried.get(200, 0) > 0, tried
