"""What each process of `train` does, under torchrun: put the training of your model here."""

import argparse
import os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--total_epochs", type=int)
parser.add_argument("--snapshot_path")
options = parser.parse_args()

for epoch in range(options.total_epochs):
    print(f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}: epoch {epoch}", flush=True)
if os.environ["RANK"] == "0":
    Path(options.snapshot_path).write_text("weights\n")
