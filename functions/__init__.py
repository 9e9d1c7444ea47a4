"""One package for each Lambda function; the first module of ours that each of them imports.

An import makes objects that stay, some 300,000 for the Core Service, fewer than 200,000 of them at
once for any other. Python looks for garbage after each 700 and finds none: a tenth of a cold start,
and after each 50,000 still a twentieth. In a Lambda it looks after each 200,000, for good: of what
only a collector frees that is some 20 MB at most.
"""

import gc
import os

GARBAGE_AFTER = 200_000

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    gc.set_threshold(GARBAGE_AFTER)
