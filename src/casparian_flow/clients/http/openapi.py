"""The API as an OpenAPI 3.1 document, made from the operations themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from casparian_flow import __version__
from casparian_flow.clients.http import health, metrics, problems, sse
from casparian_flow.clients.http.asker import scope_of
from casparian_flow.clients.http.asking import IF_VERSION, JSON, LARGEST_BODY, LONGEST_KEY
from casparian_flow.clients.http.decode import AnyOperation, may_be_got, query_fields
from casparian_flow.clients.http.paths import EVENTS_PATH, path_of
from casparian_flow.clients.http.problems import Problem
from casparian_flow.operations import index
from casparian_flow.operations.registry import Effect

Body = dict[str, Any]
REF = "#/components/schemas/{name}"
EVENTS = {sse.MEDIA_TYPE: {"schema": {"type": "string"}}}
ALWAYS = (400, 401, 403, 500, 503)
SAYS = {
    400: "The request cannot be read, or a header it needs is missing.",
    401: "Over TCP: no token, or one that is not known.",
    403: "Whoever asks may not ask for this, or the headers Host and Origin are not those of this service.",
    404: "Something that the request names does not exist.",
    408: "The request did not arrive in time.",
    409: "The state of things does not allow it now.",
    412: "It is no longer in the state that If-Match names.",
    413: f"The body is larger than {LARGEST_BODY} bytes.",
    415: "The body is of another type than JSON.",
    422: "A field does not fit, or what is asked for cannot be.",
    428: "If-Match is missing.",
    500: "Something that should not happen happened; the log of the service says more.",
    503: "Too much is asked at once, or something that is needed does not answer.",
}


def remote_operations() -> list[AnyOperation]:
    """Every operation that can be asked from elsewhere, sorted by name."""
    return [operation for operation in index.every() if not operation.is_local]


def document(operations: Iterable[AnyOperation]) -> Body:
    """The whole document; equal operations give equal documents."""
    given = list(operations)
    structs = [kind for each in given for kind in (each.request, each.reply)]
    _, components = msgspec.json.schema_components([*structs, Problem, health.Health], ref_template=REF)
    names = _component_names(structs)
    paths: dict[str, Body] = {path_of(each.name): _path(each, components, names) for each in given}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Casparian Flow",
            "version": __version__,
            "description": "The control API of one home. Every operation of the product has one path; "
            "its rules are in docs/reference/api.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "tags": [{"name": name} for name in sorted({_tag(each) for each in given} | {"service"})],
        "paths": {**dict(sorted((paths | _service_paths()).items()))},
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Over TCP. Over the Unix socket the kernel says who asks.",
                }
            },
            "responses": {str(status): _problem(status) for status in SAYS},
        },
    }


def _component_names(structs: Iterable[type]) -> dict[type, str]:
    """By which name each struct stands among the components."""
    kinds = list(structs)
    schemas, _ = msgspec.json.schema_components(kinds, ref_template=REF)
    return {kind: schema["$ref"].rpartition("/")[2] for kind, schema in zip(kinds, schemas, strict=True)}


def _path(operation: AnyOperation, components: Mapping[str, Body], names: Mapping[type, str]) -> Body:
    schema = components[names[operation.request]]
    shared = {
        "tags": [_tag(operation)],
        "summary": operation.summary,
        "description": _description(operation),
    }
    post: Body = {
        **shared,
        "operationId": operation.name,
        "parameters": _headers(operation),
        "requestBody": {
            "required": bool(schema.get("required")),
            "content": {JSON: {"schema": {"$ref": REF.format(name=names[operation.request])}}},
        },
        "responses": _responses(operation, names, (408, 413, 415, *_domain(schema))),
    }
    if operation.may_be_tried:
        post["parameters"].append(
            {
                "name": "dry_run",
                "in": "query",
                "description": "With `true`, say what would come of it and change nothing.",
                "schema": {"const": "true"},
            }
        )
    if not may_be_got(operation):
        return {"post": post}
    get: Body = {
        **shared,
        "operationId": f"{operation.name}.get",
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": _in_query(schema["properties"][name]),
            }
            for name in query_fields(operation)
        ],
        "responses": _responses(operation, names, _domain(schema)),
    }
    return {"get": get, "post": post}


def _in_query(schema: Body) -> Body:
    """The schema without null, which a query has no word for: it leaves the parameter out instead."""
    kinds = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    return {**rest, "anyOf": kinds} if len(kinds) > 1 else {**rest, **(kinds[0] if kinds else {})}


def _tag(operation: AnyOperation) -> str:
    return operation.name.partition(".")[0]


def _description(operation: AnyOperation) -> str:
    says = [f"Effect: {operation.effect}. Needs the scope `{scope_of(operation)}`"]
    if operation.effect is Effect.READ and (fields := (*operation.reads, *operation.writes)):
        says.append(f", with {' or '.join(f'`{name}`' for name in fields)} `operate`")
    return "".join(says) + ". With `Accept: text/event-stream` it answers with events and then its reply."


def _headers(operation: AnyOperation) -> list[Body]:
    found: list[Body] = []
    if operation.effect is not Effect.READ:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "A new random text for every change; repeating it does not repeat the change.",
                "schema": {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"},
            }
        )
    if IF_VERSION in operation.request.__struct_fields__:
        found.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": True,
                "description": "The ETag of what was seen, or `*`; with `*` the body may name it in `if_version`.",
                "schema": {"type": "string", "pattern": '^(\\*|"[!#-~]+")$'},
            }
        )
    return found


def _domain(schema: Body) -> tuple[int, ...]:
    """What an operation of its own can answer: where nothing is asked for, nothing can be missing."""
    return (404, 409, 422) if schema.get("properties") else (409, 422)


def _responses(operation: AnyOperation, names: Mapping[type, str], more: Iterable[int]) -> Body:
    statuses = {*ALWAYS, *more}
    if IF_VERSION in operation.request.__struct_fields__:
        statuses |= {412, 428}
    reply: Body = {
        "description": "The reply.",
        "content": {JSON: {"schema": {"$ref": REF.format(name=names[operation.reply])}}, **EVENTS},
    }
    if operation.version_at:
        reply["headers"] = {
            "ETag": {"description": "The state, for If-Match.", "schema": {"type": "string"}, "required": True}
        }
    return {"200": reply} | {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _problem(status: int) -> Body:
    found: Body = {
        "description": f"{HTTPStatus(status).phrase}. {SAYS[status]}",
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}}},
    }
    if status == 503:
        found["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
    if status == 401:
        found["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    return found


def _service_paths() -> dict[str, Body]:
    """The paths that are about the service itself."""

    def get(name: str, summary: str, content: Body, *more: int, is_open: bool = False) -> Body:
        statuses = {400, 403, 500, *more} | (set() if is_open else {401, 503})
        found: Body = {
            "tags": ["service"],
            "operationId": name,
            "summary": summary,
            "responses": {
                "200": {"description": summary, "content": content},
                **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)},
            },
        }
        if is_open:
            found["security"] = []
        return {"get": found}

    of_health = {JSON: {"schema": {"$ref": REF.format(name="Health")}}}
    text = {metrics.MEDIA_TYPE.partition(";")[0]: {"schema": {"type": "string"}}}
    events = get("service.events", "Everything that happens, as it happens.", EVENTS, 422)
    events["get"]["parameters"] = [
        {"name": "after", "in": "query", "description": "The id of the last event seen.", "schema": {"type": "string"}},
        {"name": "job", "in": "query", "description": "Only what is about this job.", "schema": {"type": "string"}},
        {"name": "plan", "in": "query", "description": "Only what is about this plan.", "schema": {"type": "string"}},
        {"name": "Last-Event-ID", "in": "header", "description": "As `after`.", "schema": {"type": "string"}},
    ]
    found = {
        "/v1/openapi.json": get("service.openapi", "This document.", {JSON: {"schema": {"type": "object"}}}),
        EVENTS_PATH: events,
        "/metrics": get("service.metrics", "Numbers in Prometheus' text format.", text),
    }
    for path, says in (
        ("/health", "Whether work would be done now."),
        ("/health/ready", "Whether work would be done now."),
        ("/health/live", "Whether the service lives."),
    ):
        name = "service." + path.removeprefix("/").replace("/", ".")
        found[path] = get(name, says, of_health, is_open=True)
        found[path]["get"]["responses"]["503"] = {"description": "A check did not pass.", "content": of_health}
    return found
