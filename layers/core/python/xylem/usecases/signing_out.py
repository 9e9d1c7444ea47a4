"""Who was called back opens nothing more, and how soon that holds.

    what an access token was given for   five minutes (`TOKEN_LIFE`): it ends by itself
    what was signed for longer           as soon as the gateway asks again, in a minute at the most
    a socket                             at once: those that are open are closed, and none is opened

So the tokens of programs, which are many and short, cost nobody a read; of the others one row is
read for each minute in which they are used. A socket lives for two hours, so whoever opens one is
always looked up.
"""

from collections.abc import Callable
from datetime import datetime

from xylem.domain.access import Principal
from xylem.domain.errors import Unauthenticated
from xylem.domain.identity import TOKEN_LIFE
from xylem.domain.ids import UserName
from xylem.ports.backends import Links
from xylem.ports.connections import Connections
from xylem.ports.identity import Identity


def sign_out(
    user: UserName, *, identity: Identity, connections: Connections, links: Links, now: datetime
) -> None:
    """Whatever is signed for this user later holds again."""
    identity.sign_out(user, now)
    close_sockets(user, connections=connections, links=links)


def close_sockets(user: UserName, *, connections: Connections, links: Links) -> None:
    """All of them: who still may opens another, as after every cut of the network."""
    for socket in connections.of("user", user):
        links.close(socket.connection)


def require_signed_in(
    who: Principal,
    *,
    identity: Callable[[], Identity],
    opening: bool = False,
    always: bool = False,
) -> None:
    """`identity` is asked for where a row is read; `opening`: a socket, which outlives its token;
    `always`: however short that lives. Raises `Unauthenticated`."""
    if who.signed_at is None or not (always or opening or who.outlives(TOKEN_LIFE)):
        return
    out = identity().signed_out(who.subject)
    if out is not None and who.signed_at <= out:
        raise Unauthenticated("The token was called back: log in again.")
    if not opening or who.token is None:
        return
    if not any(one.name == who.token for one in identity().tokens(who.subject)):
        raise Unauthenticated("The access token that it was given for is gone.")
