"""The HTTP API: where people, the SDK and the Task Runtime call. Components bring their own routes.

It is made before the functions that serve it, because its address is the issuer of all tokens and
thus a setting of theirs; its routes come after them. Neither refers back, so one stack holds both.
"""

import json

from aws_cdk import Duration, RemovalPolicy, Tags
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk.aws_apigatewayv2_authorizers import HttpLambdaAuthorizer, HttpLambdaResponseType
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from aws_cdk.aws_logs import LogGroup
from constructs import Construct

from infra_cdk.constructs.acknowledge import acknowledge
from infra_cdk.constructs.alarms import Alarms
from infra_cdk.constructs.service_function import ServiceFunction
from infra_cdk.environments import HTTP_API_ID, Environment

# How long API Gateway remembers the answer for a token, past its end, too: so long does one work
# that was called back (docs/identity.md).
REMEMBERED = Duration.minutes(1)

# Who, what, how it went and how long it took; no header, so no token.
ACCESS_LOG_LINE = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "subject": "$context.authorizer.subject",
    "sourceIp": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "path": "$context.path",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "error": "$context.integrationErrorMessage",
}


class HttpApi(Construct):
    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        self._environment = environment
        self._integrations: dict[str, HttpLambdaIntegration] = {}
        self._api = apigateway.HttpApi(
            self, "Api", api_name=f"xylem-{environment.name}", create_default_stage=False
        )
        log = LogGroup(
            self,
            "AccessLog",
            # Under this prefix a log takes no room in the resource policy of the account's region,
            # which holds 5,120 characters (docs.aws.amazon.com/AmazonCloudWatch/latest/logs:
            # "Enable logging from AWS services").
            log_group_name=f"/aws/vendedlogs/xylem-{environment.name}-http-api",
            retention=environment.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self._api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=environment.throttle.rate, burst_limit=environment.throttle.burst
            ),
        )
        low_level = stage.node.default_child
        assert isinstance(low_level, apigateway.CfnStage)
        low_level.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log.log_group_arn, format=json.dumps(ACCESS_LOG_LINE)
        )
        if environment.embedded:
            Tags.of(self._api).add("ms-custom-id", HTTP_API_ID)
            self.url = environment.embedded.api_url
        else:
            self.url = self._api.api_endpoint

    def authorized_by(self, function: ServiceFunction) -> None:
        """Ask this function about each caller of the routes that want it."""
        # The embedded stack also accepts a header that is not the identity source, so it must be
        # asked each time.
        embedded = self._environment.embedded is not None
        self._authorizer = HttpLambdaAuthorizer(
            "Authorizer",
            function,
            response_types=[HttpLambdaResponseType.SIMPLE],
            identity_source=[] if embedded else ["$request.header.Authorization"],
            results_cache_ttl=Duration.seconds(0) if embedded else REMEMBERED,
        )

    def serves(self, function: ServiceFunction, *routes: str, open_because: str = "") -> None:
        """Route `METHOD /path` to a function; without the authorizer only for a reason."""
        for route in routes:
            method, path = route.split()
            made = apigateway.HttpRoute(
                self,
                route,
                http_api=self._api,
                route_key=apigateway.HttpRouteKey.with_(path, apigateway.HttpMethod[method]),
                integration=self._integration(function),
                authorizer=None if open_because else self._authorizer,
            )
            if open_because:
                acknowledge(made, "AwsSolutions-APIG4", open_because)

    def _integration(self, function: ServiceFunction) -> HttpLambdaIntegration:
        """One for each function: it brings one permission, for the whole API."""
        name = function.short_name
        if name not in self._integrations:
            self._integrations[name] = HttpLambdaIntegration(
                name, function, scope_permission_to_route=False
            )
        return self._integrations[name]

    def watched_by(self, alarms: Alarms) -> None:
        alarms.when(
            "HttpErrors",
            self._api.metric_server_error(period=Duration.minutes(1), statistic="Sum"),
            at_least=5,
            minutes=3,
            says="HTTP API: callers get 5xx; look at the logs of core-service and logger",
        )
