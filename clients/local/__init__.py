"""`xylem local`: the whole of Xylem on this machine, with the CDK app that deploys to AWS.

    supervisord ── embedded-aws   AWS, as far as we use it, and our functions in it
                ├─ desk-cluster   a Kubernetes API whose pods are processes of this machine
                └─ operator       what runs in any cluster: dials in, takes jobs, sends news

`up` finds out what is there (`facts`), decides what is missing (`plan`, pure) and does it step by
step (`up`). Everything it knows lies in one folder, `.xylem`, and everything it starts carries that
folder's name in its environment (`processes`), so that `down` finds it, whatever happened to those
who started it.

Rejected: Docker Compose (the machine needs Docker, and the functions an image); processes in the
background of our own making (supervisord restarts what dies, rotates logs and answers questions);
files with process ids (after a reboot they name strangers).

The functions here ask and answer with values; what a person reads is made by
`clients.cli.commands.local`. This module and those that `embedded_aws` needs import nothing: that
package runs in an environment of its own.
"""
