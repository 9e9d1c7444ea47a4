"""For how long rows of logs are kept, as the functions that write them are told."""

from collections.abc import Mapping

from infra_cdk.environments import Environment


def expiring_logs(environment: Environment) -> Mapping[str, str]:
    """Nothing where they are kept for ever."""
    days = environment.logs_expire_after_days
    return {} if days is None else {"LOGS_EXPIRE_AFTER_DAYS": str(days)}
