"""`Mailer` on Amazon SES. A sender is one that the account has verified."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from xylem.ports.outside import NotAllowed, NotReached

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

FOR_GOOD = frozenset(
    {
        "AccessDeniedException",
        "BadRequestException",
        "MailFromDomainNotVerifiedException",
        "MessageRejected",
        "NotFoundException",
    }
)
"""docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html: what is wrong with the sender,
the receiver or the mail. Limits and pauses pass."""


class SesMailer:
    def __init__(self, client: "SESV2Client") -> None:
        self._client = client

    def send(self, id: str, *, sender: str, to: str, subject: str, text: str) -> None:
        try:
            self._client.send_email(
                FromEmailAddress=sender,
                Destination={"ToAddresses": [to]},
                Content={
                    "Simple": {
                        "Subject": {"Data": subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
                        "Headers": [{"Name": "X-Xylem-Message-Id", "Value": id}],
                    }
                },
            )
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code in FOR_GOOD:
                raise NotAllowed(f"SES answered {code}") from None
            raise NotReached(f"SES answered {code}") from None
        except BotoCoreError as error:
            raise NotReached(f"SES: {type(error).__name__}") from None
