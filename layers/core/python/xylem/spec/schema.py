"""The JSON Schema of a spec, made from the models: with it an editor completes keys, shows what
they mean and underlines mistakes while they are typed.

It holds what one value may be, not what values say about each other; `parse` knows both. It takes
what is written, not only what was rendered: a text may stand where a number is meant, if it holds
a variable of the template.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from xylem.spec.workflow import WorkflowSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEMPLATE = r"\{\{"

_ALTERNATIVES: Mapping[str, tuple[str, str]] = {
    "FileSpec": ("contents", "localpath"),
    "InputSpec": ("task", "url"),
    "WorkflowSpec": ("tasks", "groups"),
}
"""Of each two keys, exactly one."""


def schema() -> Mapping[str, Any]:
    """Of a whole file."""
    workflow = WorkflowSpec.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = dict(workflow.pop("$defs"))
    definitions["WorkflowSpec"] = workflow
    for name, keys in _ALTERNATIVES.items():
        entry = definitions[name]
        entry["required"] = [key for key in entry.get("required", ()) if key not in keys]
        entry["oneOf"] = [{"required": [key]} for key in keys]
    definitions["OutputSpec"]["required"] = ["url"]
    for name, entry in definitions.items():
        entry["title"] = name.removesuffix("Spec")
    return {
        "$schema": DIALECT,
        "title": "A workflow of Xylem",
        "type": "object",
        "additionalProperties": False,
        "required": ["workflow"],
        "properties": {
            "workflow": {"$ref": "#/$defs/WorkflowSpec", "description": "What is to be done."},
            "default-values": {
                "title": "Default values",
                "description": "Variables of the template, which --set overrides.",
                "type": ["object", "null"],
            },
            "version": {
                "title": "Version",
                "description": "Of this form; 1 and 2 are read the same.",
                "enum": [1, 2],
            },
        },
        "$defs": dict(sorted(definitions.items())),
    }


class _Generator(GenerateJsonSchema):
    """What the models take beyond the type that they name."""

    def get_title_from_name(self, name: str) -> str:
        """`hostNetwork` -> `Host network`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).capitalize()

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """A number is taken for its text, unless the form of the text matters."""
        made = super().str_schema(schema)
        return made if schema.get("strict") else {**made, "type": ["string", "number"]}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        pattern = rf"^\s*[0-9]+\s*$|{_TEMPLATE}"
        return {**super().int_schema(schema), "type": ["integer", "string"], "pattern": pattern}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return {"type": ["boolean", "string"], "pattern": f"^(true|false)$|{_TEMPLATE}"}
