"""Mail by SES: what it is asked, and which of its answers pass."""

from typing import Any

import pytest
from botocore.session import get_session
from botocore.stub import Stubber

from xylem.ports.outside import NotAllowed, NotReached
from xylem_aws.mailer import SesMailer

MAIL: dict[str, Any] = {
    "FromEmailAddress": "xylem@corp.example",
    "Destination": {"ToAddresses": ["carol@corp.example"]},
    "Content": {
        "Simple": {
            "Subject": {"Data": "s", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": "t", "Charset": "UTF-8"}},
            "Headers": [{"Name": "X-Xylem-Message-Id", "Value": "msg_1"}],
        }
    },
}


def a_client() -> Any:
    return get_session().create_client(
        "sesv2",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def send(client: Any) -> None:
    SesMailer(client).send(
        "msg_1", sender="xylem@corp.example", to="carol@corp.example", subject="s", text="t"
    )


def test_a_mail_says_its_id_in_a_header() -> None:
    client = a_client()

    with Stubber(client) as ses:
        ses.add_response("send_email", {"MessageId": "1"}, MAIL)
        send(client)
        ses.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("MessageRejected", NotAllowed),
        ("MailFromDomainNotVerifiedException", NotAllowed),
        ("TooManyRequestsException", NotReached),
        ("SendingPausedException", NotReached),
    ],
)
def test_what_is_wrong_for_good_is_told_apart_from_what_passes(
    code: str, raised: type[Exception]
) -> None:
    client = a_client()

    with Stubber(client) as ses, pytest.raises(raised, match=code):
        ses.add_client_error("send_email", code)
        send(client)
