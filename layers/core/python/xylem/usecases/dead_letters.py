"""What an admin sees of messages that nobody could answer.

A message is shown by what it is about (its type, and which job, workflow, group or backend), not
whole: news of a cluster carries what users' programs said, and a body that is not ours could hold
anything.
"""

import json

from xylem.domain.values import replace
from xylem.ports.dead_letters import DeadLetter, DeadLetters, DeadQueue

MOST = 10
"""Messages of each queue. Who has more of them has one reason many times."""

SUBJECTS = ("type", "job", "workflow", "group", "backend", "tries")
WORD_CHARS = 100


def shown(letters: DeadLetters) -> list[DeadQueue]:
    return [
        replace(queue, letters=tuple(_shown(letter) for letter in queue.letters))
        for queue in letters.look(most=MOST)
    ]


def _shown(letter: DeadLetter) -> DeadLetter:
    return replace(letter, body=_about(letter.body))


def _about(body: str) -> str:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        return f"{len(body)} characters that are no message of ours"
    words = {
        key: str(message[key])[:WORD_CHARS]
        for key in SUBJECTS
        if isinstance(message.get(key), str | int)
    }
    return " ".join(f"{key}={word}" for key, word in words.items()) or f"{len(body)} characters"
