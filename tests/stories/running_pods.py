"""A cluster whose pods run: what a create carries is carried out, in folders of their own.

The command, the files and the inputs are those of the manifests. What stands for `/` is a folder,
and paths in words and files are moved there; images are this machine.
"""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.stories.world import World
from xylem.domain.ids import WorkflowId
from xylem.domain.tokens import INPUT_FOLDER, OUTPUT_FOLDER
from xylem.manifests import names
from xylem.manifests.runtime import CONFIG_FILE
from xylem.protocol import agent

MOVED = re.compile(r"/(osmo/data|tmp)/")


class RunningPods:
    def __init__(self, world: World, root: Path) -> None:
        self._world = world
        self._root = root
        self.said: dict[str, str] = {}
        """What each task printed, on both streams."""

    def run(self, workflow: WorkflowId) -> None:
        """To its end."""
        world = self._world
        world.settle()
        while creates := [job for job in world.cluster.jobs if job.kind == "create"]:
            world.answer()
            for create in creates:
                for task in world.pods(create):
                    world.up(workflow, task)
                    world.exit(workflow, task, self._run(task, create))
            world.settle()

    def left(self, task: str) -> Path:
        return self._root / task / OUTPUT_FOLDER.lstrip("/")

    def _run(self, task: str, create: agent.Job) -> int:
        objects = self._world.objects(create)
        pod = next(
            one
            for one in objects
            if one["kind"] == "Pod" and one["metadata"]["annotations"][names.TASK] == task
        )
        data = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "Secret"}
        volumes = {
            volume["name"]: data[volume["secret"]["secretName"]]
            for volume in pod["spec"]["volumes"]
            if "secret" in volume
        }
        container = pod["spec"]["containers"][0]
        self.left(task).mkdir(parents=True)
        (self._root / task / "tmp").mkdir()
        for mount in container["volumeMounts"]:
            if "subPath" in mount:
                contents = base64.b64decode(volumes[mount["name"]][mount["subPath"]]).decode()
                path = Path(self._moved(mount["mountPath"], task))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self._moved(contents, task))
        config = json.loads(base64.b64decode(volumes["osmo-config"][CONFIG_FILE]))
        for each in config["inputs"]:
            into = self._root / task / INPUT_FOLDER.lstrip("/") / str(each["index"])
            shutil.copytree(self.left(each["task"]), into)
        words = container["command"]
        return self._started(task, words[words.index("--") + 1 :], container)

    def _started(self, task: str, words: list[str], container: dict[str, Any]) -> int:
        environment = {one["name"]: one["value"] for one in container["env"]}
        ended = subprocess.run(
            [self._moved(word, task) for word in words],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.said[task] = ended.stdout
        return ended.returncode

    def _moved(self, text: str, task: str) -> str:
        return MOVED.sub(lambda found: f"{self._root}/{task}{found[0]}", text)
