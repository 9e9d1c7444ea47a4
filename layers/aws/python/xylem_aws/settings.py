"""What a function is told by its environment: read once, at its cold start, by name.

Each function gets only what it needs, so a setting is asked for when a port needs it; one that is
missing is a mistake of the infrastructure and is named.
"""

from collections.abc import Mapping
from datetime import timedelta

from xylem.domain.values import dataclass

DEAD = ("jobs", "news", "timers")


class MissingSetting(Exception):
    """The function's environment lacks a variable that its code came to need."""


@dataclass(frozen=True, slots=True)
class Settings:
    variables: Mapping[str, str]

    @property
    def environment(self) -> str:
        return self._get("XYLEM_ENVIRONMENT")

    @property
    def traced(self) -> bool:
        """As `infra_cdk.environments` has it: on AWS."""
        return self.variables.get("XYLEM_ENVIRONMENT", "local") != "local"

    @property
    def region(self) -> str:
        return self._get("AWS_REGION")

    @property
    def api_url(self) -> str:
        return self._get("API_URL")

    @property
    def websocket_url(self) -> str:
        """Where operators dial in."""
        return self._get("WEBSOCKET_URL")

    @property
    def keys_path(self) -> str:
        return self._get("KEYS_PATH")

    @property
    def connections_endpoint(self) -> str:
        return self._get("CONNECTIONS_ENDPOINT")

    @property
    def jobs_queue(self) -> str:
        return self._get("JOBS_QUEUE_URL")

    @property
    def timers_queue(self) -> str:
        return self._get("TIMERS_QUEUE_URL")

    @property
    def news_queue(self) -> str:
        return self._get("NEWS_QUEUE_URL")

    @property
    def dead_queues(self) -> Mapping[str, str]:
        """Where messages end that nobody could answer, by the word for the queue."""
        return {word: self._get(f"DEAD_{word.upper()}_QUEUE_URL") for word in DEAD}

    @property
    def store_bucket(self) -> str:
        return self._get("STORE_BUCKET")

    @property
    def data_bucket(self) -> str:
        return self._get("DATA_BUCKET")

    @property
    def logs_expire_after(self) -> timedelta | None:
        """Of age: the longest attempt, and as long as logs are kept after its end."""
        days = self.variables.get("LOGS_EXPIRE_AFTER_DAYS")
        return timedelta(days=int(days)) if days else None

    def requests_per_second(self, of: str) -> int | None:
        """`of`: USER or TOKEN. None: as many as one likes."""
        limit = self.variables.get(f"REQUESTS_PER_SECOND_OF_A_{of}")
        return int(limit) if limit else None

    @property
    def datasets_bucket(self) -> str:
        return self._get("DATASETS_BUCKET")

    @property
    def runtime_image(self) -> str:
        """The image of the Task Runtime, as the clusters know it."""
        return self._get("RUNTIME_IMAGE")

    @property
    def image_pull_policy(self) -> str:
        return self.variables.get("IMAGE_PULL_POLICY", "IfNotPresent")

    @property
    def mail_table(self) -> str | None:
        """The table that commits write mail into; a function that only reads has none."""
        return self.variables.get("BACKENDS_TABLE")

    def table(self, name: str) -> str:
        """`name` as in `rows.md`: workflows, backends, logs, configs, identity, catalog,
        connections."""
        return self._get(f"{name.upper()}_TABLE")

    def _get(self, name: str) -> str:
        value = self.variables.get(name)
        if not value:
            raise MissingSetting(f"{name} is not set for this function: see infra_cdk/components.")
        return value
