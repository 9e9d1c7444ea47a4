"""The embedded AWS: ministack, started by us, with what it does differently from AWS set right.

`xylem local` and the end-to-end tests deploy the real CDK app. What they deploy it onto is
ministack (PyPI, MIT), a drop-in for LocalStack that needs no Docker; it runs in a virtual
environment of its own (`install`), because it pins botocore exactly. We neither fork it nor copy
its code. `__main__` starts it in our own process and, before it serves, replaces a few of its
functions at named seams:

| correction | modules | stock ministack |
|---|---|---|
| 1 items | `durable_items`, `item_store` | kill -9 loses all since the last clean stop |
| 1 definitions | `definitions`, `state_files` | the same, for functions, APIs, stacks |
| 2 Lambda | `lambda_*`, `runtime_api`, `function_logs` | 50 ms for a silent handler, no cap |
| 3, 4 WebSocket APIs | `websocket_*`, `connections_api` | one frame after the other, no limits |
| 5 CloudFormation | `cloudformation` | rejects two resource types, drops CORS and TTL |
| 6 Scheduler | `scheduler` | looks every 10 s, ignores time zones |
| 7 HTTP APIs | `http_*`, `authorizers`, `routes`, `cors`, `throttle` | no cookies, no limits |
| 7 SQS | `sqs_delay` | accepts a delay of 901 s |
| 10 temporary files | `settings` | leaves them behind |

For APIs and Lambda ministack only keeps the definitions; the data plane is ours, which is also the
fastest. `calls` records who called what, as IAM would name it: least privilege is proven from it.

No module here imports ministack at its top. It reads its environment when it is imported, so that
must happen after `settings` has scrubbed it, and only `seams` does it. It also lets the unit tests
run without ministack. The price: to mypy everything behind a seam is `Any`.
"""
