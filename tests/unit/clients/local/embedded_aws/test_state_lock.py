from pathlib import Path

import pytest

from clients.local.embedded_aws.state_lock import StateInUse, lock_state


def test_a_folder_has_one_holder_and_the_second_is_told_which(tmp_path: Path) -> None:
    lock = lock_state(tmp_path)
    lock.describe(port=4566, version="1")

    with pytest.raises(StateInUse, match='"port": 4566'):
        lock_state(tmp_path)


def test_a_lock_goes_with_its_holder(tmp_path: Path) -> None:
    lock_state(tmp_path).file.close()

    lock_state(tmp_path)
