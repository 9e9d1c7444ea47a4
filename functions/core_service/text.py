"""Text in the body of a request: JSON can say half of a surrogate pair, and no store takes it."""

from typing import Annotated

from pydantic import AfterValidator


def whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is no character") from None
    return text


Text = Annotated[str, AfterValidator(whole)]
