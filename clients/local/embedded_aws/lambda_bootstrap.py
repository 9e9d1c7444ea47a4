"""The first lines of every Lambda process, run by the functions' interpreter with `-I -S`.

    python -I -S lambda_bootstrap.py PARENT_PID HANDLER FOLDER...

It does what the execution environment does on AWS before awslambdaric starts: it puts together
`sys.path`, function first, then layers, then the runtime, then the standard library
(https://docs.aws.amazon.com/lambda/latest/dg/python-package.html), and nothing else. `-I -S` keep
out the site-packages of the interpreter, PYTHONPATH and the folder of this file, so a dependency
that is missing from the vendor layer is missing here, too.

And it ties its life to the server's: the kernel kills it when its parent dies, also by kill -9. A
`preexec_fn` would do that, too, but makes each start fork the whole server.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    parent, handler, *folders = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before the line above
        os._exit(1)
    sys.path[:0] = folders
    sys.argv = ["awslambdaric", handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
