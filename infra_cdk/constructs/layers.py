"""What the functions share, as Lambda layers: our core, our adapters, and the third parties.

Third parties are large and change rarely, ours are small and change daily: a change of our own code
uploads some hundred kilobytes. Lambda takes five layers a function.
"""

from aws_cdk.aws_lambda import Code, ILayerVersion, LayerVersion
from constructs import Construct

from infra_cdk.constructs.service_function import architecture, runtime
from layers.vendor.build import is_built
from layers.vendor.platforms import ROOT, Platform


class VendorLayerMissing(Exception):
    """`make install` has not built the third parties for this platform."""


class Layers(Construct):
    def __init__(self, scope: Construct, id: str, *, platform: Platform) -> None:
        super().__init__(scope, id)
        self._platform = platform
        vendor = self._layer("Vendor", "Third parties, from the lock file", _vendor(platform))
        core = self._layer("Core", "The machines and the protocols", _own("core"))
        aws = self._layer("Aws", "The ports on AWS", _own("aws"))
        self.all: tuple[ILayerVersion, ...] = (vendor, core, aws)

    def _layer(self, id: str, description: str, code: Code) -> LayerVersion:
        return LayerVersion(
            self,
            id,
            code=code,
            description=description,
            compatible_runtimes=[runtime(self._platform)],
            compatible_architectures=[architecture(self._platform)],
        )


def _own(name: str) -> Code:
    return Code.from_asset(
        str(ROOT / "layers" / name), exclude=["pyproject.toml", "**/__pycache__", "**/*.pyc"]
    )


def _vendor(platform: Platform) -> Code:
    if not is_built(platform):
        raise VendorLayerMissing(
            f"the vendor layer {platform.name!r} is not built:"
            f" run `python -m layers.vendor.build {platform.name}`, or `make install`"
        )
    return Code.from_asset(str(platform.folder), asset_hash=platform.stamp.read_text())
