"""Correction 6."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.contract.embedded_aws.resources import a_function, a_name, a_table
from tests.contract.embedded_aws.server import EmbeddedAws
from tests.contract.embedded_aws.test_queues import seen, until

NOTING_TIME = """
    import os, time
    from aws import call
    def handler(event, context):
        call("dynamodb", "DynamoDB_20120810.PutItem", TableName=os.environ["TABLE"],
             Item={"pk": {"S": "seen"}, "sk": {"S": str(time.time())}})
"""


def test_a_one_time_schedule_fires_once_in_its_time_zone_also_after_a_restart(
    own_aws: EmbeddedAws,
) -> None:
    table = a_table(own_aws)
    function = a_function(own_aws, NOTING_TIME, Environment={"Variables": {"TABLE": table}})
    zone = "Pacific/Auckland"
    due = datetime.now(ZoneInfo(zone)) + timedelta(seconds=2)
    own_aws.client("scheduler").create_schedule(
        Name=a_name("schedule"),
        ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
        ScheduleExpressionTimezone=zone,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function.arn, "RoleArn": "arn:aws:iam::000000000000:role/any"},
    )

    fired = until(lambda: seen(own_aws, table), bool)

    assert float(fired[0]) - due.replace(microsecond=0).timestamp() < 2
    own_aws.kill()
    own_aws.start()
    # Two looks, of one each second.
    time.sleep(2.5)
    assert own_aws.client("scheduler").list_schedules()["Schedules"]
    assert seen(own_aws, table) == fired
