"""The JSON Schema of OpenLineage's events, built from the classes that its own client generates from the standard.

Fields, types, which are required and which values are allowed come from those classes; `format` of texts from their
validators. A facet is judged by the class whose schema it names.
"""

from __future__ import annotations

import importlib
import pkgutil
import types
import typing
from enum import Enum
from typing import Any

import attr
import openlineage.client.generated as generated
from jsonschema import Draft202012Validator
from openlineage.client.generated import base


def facet_classes() -> dict[str, type]:
    """Every facet by the URL of its schema."""
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for each in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(each, type) and issubclass(each, base.BaseFacet):
                found[each._get_schema()] = each
    return found


def validator_of(kind: type) -> Draft202012Validator:
    """What judges values of a class; nothing that the class does not have is allowed."""
    parts: dict[str, Any] = {}
    reference = _schema(kind, parts)
    return Draft202012Validator({**reference, "$defs": parts})


def _schema(kind: Any, parts: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(each, parts) for each in arguments]}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0], parts)}
    if origin is dict:
        if isinstance(arguments[1], type) and issubclass(arguments[1], base.BaseFacet):
            return {"type": "object", "additionalProperties": _any_facet()}
        return {"type": "object", "additionalProperties": _schema(arguments[1], parts)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if isinstance(kind, type) and attr.has(kind):
        return _object(kind, parts)
    plain = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", dict: "object"}
    return {"type": plain[kind]} if kind in plain else {}


def _object(kind: type, parts: dict[str, Any]) -> dict[str, Any]:
    name = f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"
    if name not in parts:
        parts[name] = {}
        hints = typing.get_type_hints(kind)
        fields = attr.fields(kind)
        properties = {field.name: _schema(hints[field.name], parts) for field in fields}
        if "runId" in properties:
            properties["runId"] = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
        wanted = {"producer", "schemaURL", "_producer", "_schemaURL"} & properties.keys()
        required = [field.name for field in fields if field.default is attr.NOTHING or field.name in wanted]
        parts[name] = {
            "type": "object", "properties": properties, "required": required, "additionalProperties": False,
        }  # fmt: skip
    return {"$ref": f"#/$defs/{name}"}


def _any_facet() -> dict[str, Any]:
    texts = {"_producer": {"type": "string"}, "_schemaURL": {"type": "string"}}
    return {"type": "object", "properties": texts, "required": ["_producer", "_schemaURL"]}


EVENT = validator_of(base.RunEvent)
FACETS = {url: validator_of(kind) for url, kind in facet_classes().items()}


def check_event(event: dict[str, Any]) -> None:
    """Raises ValidationError, or KeyError for a facet that the standard does not define."""
    EVENT.validate(event)
    carriers = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for carrier in carriers:
        for key in ("facets", "inputFacets", "outputFacets"):
            for facet in (carrier.get(key) or {}).values():
                FACETS[facet["_schemaURL"]].validate(facet)


def parsed(event: dict[str, Any]) -> base.RunEvent:
    """The event as the client's own objects."""
    classes = facet_classes()

    def made(kind: type, values: dict[str, Any]) -> Any:
        names = {field.name: field.alias or field.name for field in attr.fields(kind) if field.init}
        return kind(**{names[key]: value for key, value in values.items() if key in names})

    def with_facets(kind: type, values: dict[str, Any]) -> Any:
        own = dict(values)
        for key in ("facets", "inputFacets", "outputFacets"):
            if key in own:
                own[key] = {name: made(classes[facet["_schemaURL"]], facet) for name, facet in own[key].items()}
        return made(kind, own)

    return base.RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        eventType=base.EventType(event["eventType"]),
        run=with_facets(base.Run, event["run"]),
        job=with_facets(base.Job, event["job"]),
        inputs=[with_facets(base.InputDataset, each) for each in event["inputs"]],
        outputs=[with_facets(base.OutputDataset, each) for each in event["outputs"]],
    )
