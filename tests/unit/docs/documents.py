"""The documents as a reader takes them: links, words in backticks, lines to be typed.

Only what a test asks for is understood. A path is what has a slash in it, or the name of a file
that people write without one; the few things with a slash that are no paths are listed here, each
with what it is, so that a new one is noticed and not overlooked.
"""

import ast
import io
import re
import shlex
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]

TOP = (
    "clients",
    "docs",
    "examples",
    "functions",
    "infra_cdk",
    "layers",
    "operators",
    "tests",
)
"""The folders of the repository whose names nothing else begins with."""

BASES = ("", "layers/core/python/xylem", "layers/core/python", "layers/aws/python")
"""What a path may be relative to, besides its document: CONTRIBUTING.md says that the core is
written short."""

NOT_OURS = (
    (r"/.*", "a path in a container, in SSM, of a URL or of a machine"),
    (r"https?://.*|wss?://.*|aws://.*|s3://.*", "an address"),
    (r"[\w-]+(\.[\w-]+)+/[\w-]+", "a name of Kubernetes: domain/word"),
    (r"xylem/task-runtime", "the name of an image"),
    (r"build/image", "what the reader is told to make"),
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_FILE = re.compile(r"[\w-]+\.(md|py|toml|json|yaml|lock|c)|Makefile|LICENSE")
_PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?")
_SET = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True, slots=True)
class Document:
    path: Path
    text: str

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def prose(self) -> str:
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        """Targets within the repository."""
        return [link for link in _LINK.findall(self.prose) if "://" not in link]

    @property
    def code(self) -> list[str]:
        """What stands in backticks."""
        return _CODE.findall(self.prose)

    @property
    def commands(self) -> list[list[str]]:
        """What a reader is told to type, in words: lines of shell blocks, and in backticks what
        begins with a program of ours."""
        blocks = "".join(body for language, body in _FENCE.findall(self.text) if language == "sh")
        lines = [*blocks.replace("\\\n", " ").splitlines(), *self.code]
        return [command for line in lines for command in _commands(line)]

    @property
    def anchors(self) -> set[str]:
        """As GitHub makes them of headings."""
        titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(self.prose))
        return {title.replace(" ", "-") for title in titles}

    @property
    def paths(self) -> set[str]:
        """In backticks, and among the words of shell blocks what begins with a folder of ours."""
        named = {code.rstrip("/") for code in self.code if looks_like_a_path(code)}
        typed = {word for words in self.commands for word in words if word.startswith(_TOPS)}
        return named | typed


_TOPS = tuple(f"{folder}/" for folder in TOP)


def documents() -> list[Document]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [Document(path, path.read_text()) for path in found]


def looks_like_a_path(code: str) -> bool:
    if any(re.fullmatch(pattern, code) for pattern, _ in NOT_OURS):
        return False
    return bool(_FILE.fullmatch(code) or ("/" in code and _PATH.fullmatch(code)))


def exists(path: str, beside: Path = ROOT) -> bool:
    """A path of the repository, or a pattern that something matches. What programs make is there
    only when they ran; that it is ignored by git is what can be known."""
    if any(path == made or path.startswith(f"{made}/") for made in _ignored()):
        return True
    bases = (beside, *(ROOT / base for base in BASES))
    return any(any(base.glob(path)) for base in bases)


def _ignored() -> list[str]:
    return [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split() if line]


def _commands(line: str) -> Iterator[list[str]]:
    """Each command of a line of shell, without what it sets in its environment."""
    for part in re.split(r"&&|\|\||[|;]", line):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:  # a quote that the next line closes: no line of ours begins there
            continue
        while words and _SET.fullmatch(words[0]):
            words = words[1:]
        if words:
            yield words


def prose_of(source: Path) -> Iterator[tuple[int, str]]:
    """What a source says to people, with its line: the docstrings and comments of Python, all of
    anything else."""
    text = source.read_text()
    if source.suffix != ".py":
        yield from enumerate(text.splitlines(), start=1)
        return
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(words))):
                yield from enumerate(words.splitlines(), start=node.lineno)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def sources() -> Iterator[Path]:
    """Whatever a person wrote and reads, but for the documents."""
    for folder in TOP:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".c", ".toml", ".yaml", ".txt"} and path.is_file():
                yield path
    yield from (ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".ci/run", ROOT / ".ci/demo")


_NAMED = re.compile(r"(?<![\w./<-])(?:docs|tests)/[\w/-]+(?:\.\w+)?")


def named_by(source: Path) -> Iterator[tuple[int, str]]:
    """The documents and tests that a source refers to, with the line."""
    for line, words in prose_of(source):
        for found in _NAMED.findall(words):
            yield line, found
