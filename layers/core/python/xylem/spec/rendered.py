"""What renders a template: words that need no Jinja."""

from collections.abc import Callable, Mapping
from typing import Any

Variables = Mapping[str, Any]
Renderer = Callable[[str, Variables], str]
"""Renders one template. Raises `TemplateFault`."""


class TemplateFault(Exception):
    """The template cannot be rendered, in a sentence for its author."""
