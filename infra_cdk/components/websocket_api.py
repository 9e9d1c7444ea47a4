"""The WebSocket API: where operators and interactive sessions dial in.

A frame says in `to` which component it is for. The API is made before its functions, which are told
its address, and its routes after them, as in `http_api.py`.
"""

from aws_cdk import Duration, Tags
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk.aws_apigatewayv2_authorizers import WebSocketLambdaAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import WebSocketLambdaIntegration
from aws_cdk.aws_cloudwatch import Metric
from constructs import Construct

from infra_cdk.constructs import rights
from infra_cdk.constructs.acknowledge import acknowledge
from infra_cdk.constructs.alarms import Alarms
from infra_cdk.constructs.service_function import ServiceFunction
from infra_cdk.environments import WEBSOCKET_API_ID, WEBSOCKET_STAGE, Environment


class WebSocketApi(Construct):
    def __init__(self, scope: Construct, id: str, *, environment: Environment) -> None:
        super().__init__(scope, id)
        self._api = apigateway.WebSocketApi(
            self,
            "Api",
            api_name=f"xylem-{environment.name}-websocket",
            route_selection_expression="$request.body.to",
        )
        stage = apigateway.WebSocketStage(
            self,
            "Stage",
            web_socket_api=self._api,
            stage_name=WEBSOCKET_STAGE,
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=environment.throttle.rate, burst_limit=environment.throttle.burst
            ),
        )
        acknowledge(
            stage,
            "AwsSolutions-APIG1",
            "Access logs of WebSocket APIs need a role in the settings of the whole account and"
            " region, which are not ours to change; connections and the functions log each socket.",
        )
        if environment.embedded:
            Tags.of(self._api).add("ms-custom-id", WEBSOCKET_API_ID)
            self.url = environment.embedded.websocket_url
            self.connections_endpoint = environment.embedded.connections_endpoint
        else:
            self.url = stage.url
            self.connections_endpoint = stage.callback_url

    @property
    def push(self) -> rights.Right:
        """The right to send to any socket."""
        return rights.push(self._api)

    @property
    def close(self) -> rights.Right:
        """The right to end any socket."""
        return rights.close(self._api)

    def opens(self, function: ServiceFunction, *, authorizer: ServiceFunction) -> None:
        """Ask the authorizer about each new socket, then tell the function; the only time API
        Gateway asks, so every other route is as authorized as its socket."""
        asked = WebSocketLambdaAuthorizer(
            "Authorizer", authorizer, identity_source=["route.request.header.Authorization"]
        )
        self._route("$connect", function, asked)

    def routes(self, function: ServiceFunction, *keys: str) -> None:
        """Hand frames whose `to` is one of these words to a function."""
        for key in keys:
            route = self._route(key, function, None)
            acknowledge(
                route,
                "AwsSolutions-APIG4",
                "API Gateway authorizes WebSocket APIs at $connect, and there alone.",
            )

    def watched_by(self, alarms: Alarms) -> None:
        errors = Metric(
            namespace="AWS/ApiGateway",
            metric_name="IntegrationError",
            dimensions_map={"ApiId": self._api.api_id, "Stage": WEBSOCKET_STAGE},
            period=Duration.minutes(1),
            statistic="Sum",
        )
        alarms.when(
            "WebSocketErrors",
            errors,
            at_least=5,
            minutes=3,
            says="WebSocket API: functions fail on frames; look at the logs of connections,"
            " agent-ingest and router",
        )

    def _route(
        self, key: str, function: ServiceFunction, authorizer: WebSocketLambdaAuthorizer | None
    ) -> apigateway.WebSocketRoute:
        return apigateway.WebSocketRoute(
            self,
            key.strip("$").capitalize(),
            web_socket_api=self._api,
            route_key=key,
            integration=WebSocketLambdaIntegration(function.short_name, function),
            authorizer=authorizer,
        )
