"""One package for each Lambda function; the first module of ours that each of them imports.

An import makes objects that stay, some 300,000 for the Core Service. Python looks for garbage after
each 700 and finds none: a tenth of a cold start. In a Lambda it looks after each 50,000, for good.
"""

import gc
import os

GARBAGE_AFTER = 50_000

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    gc.set_threshold(GARBAGE_AFTER)
