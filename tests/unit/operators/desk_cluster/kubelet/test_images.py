import pytest

from operators.desk_cluster.kubelet.images import obstacle


@pytest.mark.parametrize(
    "image",
    [
        "any",
        "ubuntu:22.04",
        "xylem/task-runtime",
        "localhost:5000/a/b_c:latest",
        "nvcr.io/nvidia/pytorch:24.03-py3",
        f"Registry.Example/a@sha256:{'0' * 64}",
    ],
)
def test_any_name_of_an_image_is_there(image: str) -> None:
    assert obstacle(image) is None


@pytest.mark.parametrize("image", ["Ubuntu", "a b", "a:", "a/", "Not/An:Image:Name", "a@sha256:0"])
def test_what_is_no_name_is_told(image: str) -> None:
    found = obstacle(image)

    assert found is not None
    assert found.reason == "InvalidImageName"


@pytest.mark.parametrize("image", ["registry.invalid/a:1", "x.y.invalid:5000/a/b"])
def test_below_invalid_nothing_is_found(image: str) -> None:
    found = obstacle(image)

    assert found is not None
    assert found.reason == "ImagePullBackOff"
