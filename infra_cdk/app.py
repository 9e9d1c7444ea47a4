"""The CDK app: `cdk synth -c environment=local|dev|prod`, and where it applies `-c endpoint=`,
`-c runtime_image=`, `-c alarm_email=`.

A finding of cdk-nag that nobody acknowledged with a reason fails the synthesis: no environment can
be deployed with one.
"""

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra_cdk.constructs.layers import VendorLayerMissing
from infra_cdk.environments import Environment, UnknownEnvironment, choose
from infra_cdk.stacks.control_plane import ControlPlane
from infra_cdk.stacks.data import Data


def compose(app: App, environment: Environment, *, alarm_email: str | None = None) -> App:
    """Put both stacks of an environment into an app."""
    data = Data(app, f"xylem-{environment.name}-data", environment=environment)
    ControlPlane(
        app,
        f"xylem-{environment.name}-control-plane",
        environment=environment,
        data=data,
        alarm_email=alarm_email,
    )
    Tags.of(app).add("application", "xylem")
    Tags.of(app).add("environment", environment.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def main() -> None:
    app = App()
    context = app.node.try_get_context
    try:
        environment = choose(context("environment"), context("endpoint"), context("runtime_image"))
        compose(app, environment, alarm_email=context("alarm_email")).synth()
    except (UnknownEnvironment, VendorLayerMissing) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
