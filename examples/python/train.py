"""A gang on several nodes, of as many tasks as you say: OSMO's training with torchrun.

    python -m examples.python.train s3://bucket/models 4 | xylem workflow submit -

A template would do this with Jinja; here it is a loop and an `if`, and nothing is rendered.
"""

import sys
from pathlib import Path

from clients.workflows import OUTPUT, WORKFLOW_ID, Resources, Workflow, group, host, shell

PYTORCH = "nvcr.io/nvidia/pytorch:24.03-py3"
NODE = Resources(gpu=8, cpu=16, memory="30Gi", storage="30Gi")
TRAIN = Path(__file__).parent / "train_model.py"


def train(storage_url: str, nodes: int = 2, epochs: int = 10) -> Workflow:
    with Workflow("train-torchrun", resources=NODE) as workflow, group("training"):
        for rank in range(nodes):
            shell(
                f"worker_{rank}" if rank else "master",
                f"torchrun --nnodes {nodes} --nproc_per_node {NODE.gpu} --node_rank {rank}"
                f" --master_addr {host('master')} --master_port 29400 /tmp/train.py"
                f" --total_epochs {epochs} --snapshot_path {OUTPUT}/snapshot.pth",
                image=PYTORCH,
                files={"/tmp/train.py": TRAIN.read_text()},
                outputs=[] if rank else [f"{storage_url}/my-trained-model/{WORKFLOW_ID}/"],
            )
    return workflow


if __name__ == "__main__":
    print(train(sys.argv[1], *map(int, sys.argv[2:])).to_yaml())
