"""What every map in a spec has in common."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


class SpecModel(BaseModel):
    """Unknown keys are errors: a misspelt one would otherwise do nothing, silently. A number where
    text is meant (`args: [8080]`) is that text, as with OSMO; true and false are not."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, coerce_numbers_to_str=True
    )


def fault(text: str) -> PydanticCustomError:
    """A whole sentence about a value, for a validator to raise."""
    return PydanticCustomError("fault", "{text}", {"text": text})


def shown(value: object, most: int = 60) -> str:
    """A value in a sentence, cut where nobody reads on."""
    text = value if isinstance(value, str) else repr(value)
    return f'"{text[:most]}..."' if len(text) > most else f'"{text}"'
