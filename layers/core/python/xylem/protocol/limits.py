"""What the wires carry. An embedded emulator is more lenient than AWS: we keep the limits
ourselves.

Sources: API Gateway quotas for WebSocket APIs (message 128 KB, frame 32 KB, idle 10 min, life 2 h),
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html;
SQS message quota (1 MiB since 2025, 256 KiB before; we keep to the older one),
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html;
DynamoDB transactions (100 actions, 4 MB),
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html.
"""

from datetime import timedelta

FRAME_BYTES = 32 * 1024
"""One message of ours is one frame, so nobody has to fragment; but for those of sessions."""

MESSAGE_BYTES = 128 * 1024
"""What a side of a session says at once, in frames of 32 KB: each message is an invocation of the
Router, so a larger one makes a byte cheaper and faster."""

INLINE_PAYLOAD_BYTES = 23_000
"""A gzipped payload up to this size travels in the frame (base64 makes it 30,668 bytes)."""

NEWS_EVENTS = 50
NEWS_FLUSH = timedelta(seconds=1)
"""Of news that nobody waits for: most pods run before it is over, and then that is the news. At 250
ms each pod costs a frame, a commit and a tenth of its bill more."""

NEWS_GAP = timedelta(milliseconds=100)
"""Between two times that something is said; the first of a burst goes out at once."""

NEWS_HOLD = timedelta(seconds=2)
"""How long what there is to say of a workflow waits for the acknowledgement of what was said of it.
That takes 0.1 to 0.3 s, and less than two where functions start cold or a commit is tried five
times. Shorter, and a slow Agent is sent company that it loses time and money to; longer, and an
acknowledgement that was lost keeps an end from who waits for it."""

LONGEST_NEWS_HOLD = timedelta(seconds=16)
"""The hold doubles with each wait that was in vain: a service that is late is not to be made later.
Half of an Agent's 29 s, so that an operator does not wait for one that will not come."""

MESSAGE_CHARS = 4_000
"""A pod's message is cut to this many characters: four bytes each still fit a frame."""

DETAIL_CONTAINERS = 8
DETAIL_CONDITIONS = 6
DETAIL_WARNINGS = 5
DETAIL_CHARS = 160
DETAIL_NAME_CHARS = 64
"""Of what explains a pod's status: 19 entries of 160 characters, of four bytes each, and some
names are below 20 KB, and fit a frame beside its status."""

NAME_CHARS = 253
"""Kubernetes' longest name, https://kubernetes.io/docs/concepts/overview/working-with-objects/names;
no id of ours is longer."""

NAME_BYTES = 6 * NAME_CHARS
"""Of a name in JSON, at the most: a control character is six bytes there, others at most four."""

BOOT_ID_CHARS = 64
CLUSTER_UID_CHARS = 128
"""Both are UUIDs where Kubernetes and the operator make them; whoever else does may be wordier."""

REASON_CHARS = 1_000
"""Of a refusal: what was refused may be quoted in it, and may be as large as a frame."""

NODES = 5_000
"""Of a cluster: what Kubernetes supports. What is beyond is left out."""

NODES_A_FRAME = 200
"""More do not fit: the shortest that an operator says has some 250 bytes."""

GONE_NODES = 100
"""Named in one frame."""

NODE_USES = 100
"""Pools and priorities on one node; the smallest beyond are left out."""

NODE_LABEL_BYTES = 6_000
"""Of one node's labels; a node with a GPU has some 60 of them, 3 KB."""

NODE_CONDITION_CHARS = 317
"""A qualified name: a domain of 253 characters, a slash, and 63 more."""

NODE_CONDITION_BYTES = 3_000
"""Of one node's conditions; the kubelet's five are 180, one of node-problem-detector's some 30."""

NODE_NEWS_AFTER = timedelta(seconds=15)
NODE_NEWS_GAP = timedelta(seconds=60)
"""Facts about nodes wait: what a short pod takes is given back before it is said, and then nothing
is. A frame that is not said is no bill."""

HEARTBEAT = timedelta(seconds=60)
OFFLINE_AFTER = timedelta(seconds=150)
SAY_AGAIN_AFTER = timedelta(seconds=60)

QUEUE_BYTES = 240_000
"""Bodies stay below SQS's 256 KiB with room for attributes."""

TRANSACTION_ACTIONS = 100
