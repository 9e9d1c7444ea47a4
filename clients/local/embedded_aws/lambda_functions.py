"""Correction 2: functions run as on AWS, in pools of warm processes under AWS's own runtime client.

Stock ministack keeps one kind of worker of its own making. A handler that prints nothing costs 50
ms (`lambda_runtime.Worker._drain_stderr_bounded` waits for output), an exception kills its worker,
layers come before the function on `sys.path` (AWS: after), code and layers are unpacked for each
process, `AWS_EXECUTION_ENV` is missing, nothing caps concurrency, and every invocation leaves a log
stream in memory for ever. AWS:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html.

Seams. `lambda_svc._execute_function_warm` is the one way by which queues, Scheduler and Invoke
reach a Python function; it is called on threads, ours run on the event loop. HTTP and WebSocket
APIs do not pass it: they use `LambdaFunctions` directly (`http_api`, `websocket_api`).
`_emit_lambda_logs` becomes a no-op, `function_logs` has the lines. `_ESM_IDLE_WAKE_GAP_SECONDS`,
the pause of the queue poller after it was woken for nothing, is 50 ms, half of what a message needs
in all.
"""

import asyncio
import json
from typing import Any

from clients.local.embedded_aws.function_logs import FunctionLog
from clients.local.embedded_aws.lambda_environment import (
    FunctionIdentity,
    access_key_of,
    session_of,
)
from clients.local.embedded_aws.lambda_files import LambdaFiles, layer_paths
from clients.local.embedded_aws.lambda_pool import Deployed, LambdaPool, Makes
from clients.local.embedded_aws.lambda_process import (
    MAX_PAYLOAD,
    Host,
    LambdaProcess,
    Outcome,
    Program,
    failure,
)
from clients.local.embedded_aws.seams import Seam

LAMBDA = "ministack.services.lambda_svc"
SESSION = Seam("ministack.services.sts", "register_session", ("access_key", "session"))
EXECUTE = Seam(LAMBDA, "_execute_function_warm", ("func", "event", "request_id"))
EMIT_LOGS = Seam(
    LAMBDA,
    "_emit_lambda_logs",
    ("func", "request_id", "log_text", "error", "duration_ms", "log_source"),
)
IDLE_WAKE_GAP = Seam(LAMBDA, "_ESM_IDLE_WAKE_GAP_SECONDS")
FIND = Seam(LAMBDA, "_get_func_record_for_ref_in_scope", ("function_ref", "account_id", "region"))
FUNCTIONS = Seam(LAMBDA, "_functions")
LAYERS = Seam(LAMBDA, "_layers")
LAYER_ZIP = Seam(LAMBDA, "_resolve_layer_zip", ("attachment",))
IN_SCOPE = Seam(
    LAMBDA, "_run_with_function_config_scope", ("func_or_config", "callback", "args", "kwargs")
)
RESERVED = Seam(LAMBDA, "_reserved_concurrency", ("func", "config"))
SEAMS = (
    EXECUTE,
    EMIT_LOGS,
    IDLE_WAKE_GAP,
    FIND,
    FUNCTIONS,
    LAYERS,
    LAYER_ZIP,
    IN_SCOPE,
    RESERVED,
    SESSION,
)

IDLE_WAKE_GAP_SECONDS = 0.002

Record = dict[str, Any]


class LambdaFunctions:
    """Invokes what ministack has the definition of."""

    def __init__(self, pool: LambdaPool, files: LambdaFiles, host: Host) -> None:
        self._pool = pool
        self._files = files
        self._host = host

    async def invoke(
        self, reference: str, event: dict[str, Any], *, scope: tuple[str, str]
    ) -> Outcome:
        """Run the function of an ARN, in an account and a region."""
        account, region = scope
        record, config, name = FIND.get()(reference, account_id=account, region=region)
        if record is None or config is None:
            return failure("ResourceNotFoundException", f"Function not found: {name}")
        return await self.invoke_record({**record, "config": config}, event)

    async def invoke_record(self, record: Record, event: Any) -> Outcome:
        encoded = json.dumps(event, separators=(",", ":")).encode()
        if len(encoded) > MAX_PAYLOAD:
            return failure(
                "RequestEntityTooLargeException",
                f"{len(encoded)} byte payload is too large for the RequestResponse invocation "
                f"type (limit {MAX_PAYLOAD} bytes)",
            )
        return await self._pool.invoke(self._deployed(record), encoded)

    def _deployed(self, record: Record) -> Deployed:
        config = record["config"]
        variables = (config.get("Environment") or {}).get("Variables") or {}
        layers = tuple(
            layer["Arn"] if isinstance(layer, dict) else layer
            for layer in config.get("Layers") or ()
        )
        arn = config["FunctionArn"]
        logging = config.get("LoggingConfig") or {}
        log_format = logging.get("LogFormat") or "Text"
        log_level = logging.get("ApplicationLogLevel") or ("INFO" if log_format == "JSON" else None)
        identity = FunctionIdentity(
            name=config["FunctionName"],
            version=config.get("Version", "$LATEST"),
            region=arn.split(":")[3],
            memory_mb=int(config.get("MemorySize", 128)),
            handler=config.get("Handler", ""),
            log_format=log_format,
            log_level=log_level,
        )
        # S3 checks the signature of a presigned URL even where nothing else is checked.
        SESSION.get()(access_key_of(identity.name), session_of(identity.name, arn.split(":")[4]))
        timeout = float(config.get("Timeout", 3))
        code: bytes = record["code_zip"]

        def make(log: FunctionLog) -> Makes:
            async def process() -> LambdaProcess:
                zips = IN_SCOPE.get()(config, lambda: [*map(LAYER_ZIP.get(), layers)])
                program = await asyncio.to_thread(
                    self._program, identity, dict(variables), code, zips, timeout
                )
                return LambdaProcess(program, self._host, log)

            return process

        return Deployed(
            name=identity.name,
            arn=arn,
            version=identity.version,
            # `id` for the code: a new ZIP is a new object, which `make` keeps alive.
            edition=(id(code), identity, timeout, layers, tuple(sorted(variables.items()))),
            memory_mb=identity.memory_mb,
            reserved=RESERVED.get()(record, config),
            make=make,
        )

    def _program(
        self,
        identity: FunctionIdentity,
        variables: dict[str, str],
        code: bytes,
        layers: list[bytes | None],
        timeout: float,
    ) -> Program:
        # Layers are merged into /opt in their order, so the last one wins.
        unpacked = [self._files.unpack(content) for content in reversed(layers) if content]
        return Program(
            function=identity,
            variables=variables,
            code=self._files.unpack(code),
            layers=tuple(path for layer in unpacked for path in layer_paths(layer)),
            timeout=timeout,
        )

    def forget_unused_files(self) -> None:
        """For the start, when the definitions are loaded."""
        codes = [function.get("code_zip") for function in FUNCTIONS.get().all_values()]
        layers = [
            version.get("_zip_data")
            for layer in LAYERS.get().all_values()
            for version in layer["versions"]
        ]
        self._files.keep_only([content for content in [*codes, *layers] if content])


def install(functions: LambdaFunctions, loop: asyncio.AbstractEventLoop) -> None:
    def execute(func: Record, event: Any, request_id: str) -> dict[str, Any]:
        record = func if "config" in func else {**func, "config": func}
        invocation = functions.invoke_record(record, event)
        return as_ministack(asyncio.run_coroutine_threadsafe(invocation, loop).result())

    def emit_nothing(*args: Any, **kwargs: Any) -> None:
        """The lines are in `function_logs`."""

    EXECUTE.put(execute)
    EMIT_LOGS.put(emit_nothing)
    IDLE_WAKE_GAP.put(IDLE_WAKE_GAP_SECONDS)


def as_ministack(outcome: Outcome) -> dict[str, Any]:
    """An outcome in the shape that ministack's callers read.

    The answer stays text, which they parse or pass on; errors are few and they look into them.
    """
    if outcome.throttled:
        body = {**json.loads(outcome.payload), "__type": "TooManyRequestsException"}
        return {"throttle": True, "error": True, "body": body, "log": ""}
    text = outcome.payload.decode("utf-8", "replace")
    if outcome.failed:
        return {"error": True, "body": json.loads(text or "{}"), "log": ""}
    return {"body": text, "raw_payload": True, "log": ""}
