"""What can go wrong between a client and the service.

    ClientError
    ├── NotLoggedIn      nobody said where the service is
    ├── BadInput         what the user gave cannot be sent
    ├── Unreachable      no answer at all, after every attempt
    └── ServiceError     an answer that is not a success
        ├── Refused      4xx: saying it again will not help
        │   └── Unauthorized   401 and 403: who asks may not
        └── Unavailable  429 and 5xx, after every attempt

The messages of `ServiceError` are the service's own. What to do next is for whoever shows them to
add: a command line advises differently than a notebook.
"""


class ClientError(Exception):
    """Root of everything that this package raises on purpose."""


class NotLoggedIn(ClientError):
    """There is no stored login and none in the environment."""


class BadInput(ClientError):
    """Found out before anything was sent; the message says what to change."""


class Unreachable(ClientError):
    retry_after = None

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url} does not answer: {why}")
        self.url = url


class ServiceError(ClientError):
    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        """The service's `error_code`, e.g. `USER`, where it gave one."""
        self.retry_after = retry_after
        """The header, in seconds, where there was one."""


class Refused(ServiceError):
    pass


class Unauthorized(Refused):
    pass


class Unavailable(ServiceError):
    pass
