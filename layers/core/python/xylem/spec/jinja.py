"""Templates rendered: in a child that can be ended, or here where they are known to end."""

import traceback

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from xylem.sandbox import Bound, Exceeded, Limits, in_child
from xylem.spec.rendered import TemplateFault, Variables


def rendered_in_child(template: str, variables: Variables, *, limits: Limits | None = None) -> str:
    """A `Renderer` that comes back, whatever the template does."""
    limits = limits or Limits()

    def work() -> bytes:
        try:
            return b"+" + rendered_here(template, variables).encode()
        except TemplateFault as fault:
            return b"-" + str(fault).encode(errors="replace")
        except UnicodeEncodeError:
            return b"-it makes characters that no text has (half of a surrogate pair)."

    try:
        answer = in_child(work, limits)
    except Exceeded as exceeded:
        raise TemplateFault(_bound(exceeded.bound, limits)) from None
    if not answer.startswith(b"+"):
        raise TemplateFault(answer[1:].decode())
    return answer[1:].decode()


def rendered_here(template: str, variables: Variables) -> str:
    """A `Renderer` in this process, for templates that are known to end."""
    try:
        return _ENVIRONMENT.from_string(template).render(variables)
    except MemoryError:
        raise
    except TemplateSyntaxError as error:
        raise TemplateFault(f"line {error.lineno}: {error.message}") from None
    except UndefinedError as error:
        raise TemplateFault(
            f"{_line(error)}{error.message}. Give it a value under default-values, or with --set."
        ) from None
    except TemplateError as error:
        raise TemplateFault(f"{_line(error)}{error.message}") from None
    except Exception as error:
        # The template is a program: whatever it raises is its author's to read.
        raise TemplateFault(f"{_line(error)}{type(error).__name__}: {error}") from None


_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined)
_ENVIRONMENT.from_string("{% for n in few %}{{ n // 1 }}{% if n %}.{% endif %}{% endfor %}").render(
    few=[0, 1]
)
"""What Jinja does but once in a process, some 10 ms, is done before a child begins, which would do
it for its own template alone."""


def _line(error: Exception) -> str:
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == "<template>"
    ]
    return f"line {lines[-1]}: " if lines else ""


def _bound(bound: Bound, limits: Limits) -> str:
    match bound:
        case Bound.TIME:
            return f"it runs longer than {limits.cpu_seconds} s. Does a loop in it never end?"
        case Bound.MEMORY:
            return f"it needs more than {limits.memory_bytes >> 20} MiB of memory."
        case Bound.OUTPUT:
            return f"it makes a text of more than {limits.output_bytes >> 20} MiB."
