"""One of our Lambda functions, with our defaults. Its code is its component's folder, and no more.

A role of its own holds the rights that its component names (`rights.py`) and the two that writing
to its own log takes; the managed policies would let it write to any log of the account.

Memory is bought for its share of a processor: 1,769 MB are one whole
(docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), and what is busy with Python costs
the same at any size, only sooner or later. So what renders, validates or folds gets 1,024; what
passes a frame on gets 512: there the wait for DynamoDB dominates, and memory would be paid for
waiting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration, IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_iam import PolicyDocument, Role, ServicePrincipal
from aws_cdk.aws_logs import LogGroup
from constructs import Construct

from infra_cdk.constructs.acknowledge import acknowledge
from infra_cdk.constructs.rights import Right, log_lines, traces
from infra_cdk.environments import Environment
from layers.vendor.platforms import ROOT, Platform

# WebSocket APIs wait 29 s for a function, HTTP APIs 30
# (docs.aws.amazon.com/apigateway/latest/developerguide/limits.html); queues could wait longer, but
# what takes a batch that long is stuck.
TIMEOUT = Duration.seconds(29)

COMPUTING_MB = 1024
PASSING_MB = 512


@dataclass(frozen=True, slots=True)
class Service:
    """What all functions of one environment have in common."""

    environment: Environment
    layers: Sequence[lambda_.ILayerVersion]


class ServiceFunction(lambda_.Function):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        component: str,
        entry: str = "handler.handler",
        name: str | None = None,
        memory_mb: int = PASSING_MB,
        settings: Mapping[str, str],
        rights: Sequence[Right],
        timeout: Duration = TIMEOUT,
        traced: bool = True,
        invoked_at_most_once: bool = False,
    ) -> None:
        """`component` is a folder of `functions/`, `entry` a module in it and its handler; `name`
        is the function's, by default the folder's."""
        environment = service.environment
        self.short_name = name or component.replace("_", "-")
        full_name = f"xylem-{environment.name}-{self.short_name}"
        log = LogGroup(
            scope,
            f"{id}Log",
            log_group_name=f"/aws/lambda/{full_name}",
            retention=environment.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        traced = traced and environment.tracing
        tracing = [traces()] if traced else []
        role = _role(scope, f"{id}Role", [log_lines(log), *tracing, *rights])
        super().__init__(
            scope,
            id,
            function_name=full_name,
            handler=f"functions.{component}.{entry}",
            code=only(f"functions/{component}"),
            layers=list(service.layers),
            runtime=runtime(environment.platform),
            architecture=architecture(environment.platform),
            role=role.without_policy_updates(),
            environment={
                "XYLEM_ENVIRONMENT": environment.name,
                "POWERTOOLS_SERVICE_NAME": self.short_name,
                # It would read what every installed package offers, for 30 ms of each cold start:
                # docs.pydantic.dev/latest/concepts/plugins
                "PYDANTIC_DISABLE_PLUGINS": "__all__",
                **settings,
            },
            timeout=timeout,
            memory_size=memory_mb,
            reserved_concurrent_executions=environment.reserved_concurrency.get(self.short_name),
            tracing=lambda_.Tracing.ACTIVE if traced else lambda_.Tracing.DISABLED,
            log_group=log,
            logging_format=lambda_.LoggingFormat.JSON,
            system_log_level_v2=environment.platform_log_level,
            retry_attempts=0 if invoked_at_most_once else None,
            max_event_age=Duration.minutes(1) if invoked_at_most_once else None,
        )
        # The role is made with its rights, so the reference to it is dependency enough (cfn-lint
        # W3005); CDK adds one for rights that are made after it.
        low_level = self.node.default_child
        assert isinstance(low_level, lambda_.CfnFunction)
        low_level.add_deletion_override("DependsOn")
        acknowledge(
            self,
            "AwsSolutions-L1",
            "The newest Python that the lock file is resolved for (layers/vendor/platforms.py);"
            " the embedded stack has this machine's.",
        )


def runtime(platform: Platform) -> lambda_.Runtime:
    return lambda_.Runtime(
        f"python{platform.python}",
        lambda_.RuntimeFamily.PYTHON,
        supports_inline_code=True,
    )


def architecture(platform: Platform) -> lambda_.Architecture:
    return {
        "arm64": lambda_.Architecture.ARM_64,
        "x86_64": lambda_.Architecture.X86_64,
    }[platform.machine]


def only(folder: str, *, root: Path = ROOT) -> lambda_.Code:
    """The repository with all but `folder` left out, so that dotted imports stay as they are, and a
    change in one component deploys that component alone."""
    parent, child = folder.split("/")
    exclude = ["/*", f"!/{parent}", f"/{parent}/*", "__pycache__"]
    exclude += [f"!/{parent}/__init__.py", f"!/{parent}/{child}"]
    return lambda_.Code.from_asset(str(root), exclude=exclude, ignore_mode=IgnoreMode.GIT)


def _role(scope: Construct, id: str, rights: Sequence[Right]) -> Role:
    """A role with these rights; no construct adds any behind their back."""
    statements = PolicyDocument(statements=[right.statement for right in rights])
    role = Role(
        scope,
        id,
        assumed_by=ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"Rights": statements},
    )
    for right in rights:
        if right.because:
            finding = _as_nag_says(Stack.of(role).resolve(right.resource))
            acknowledge(role, f"AwsSolutions-IAM5[Resource::{finding}]", right.because)
    return role


def _as_nag_says(value: object) -> str:
    """A resource in the spelling of cdk-nag's findings: references in angle brackets."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(_as_nag_says(part) for part in parts)
        case _:
            raise TypeError(f"a resource of a right is neither text nor a reference: {value!r}")
