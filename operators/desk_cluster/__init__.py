"""The desk cluster: the part of the Kubernetes API that our operators use, on one Linux machine.

Its pods are processes of this machine. The operators do not know: they speak to it through the
official client, as they speak to any cluster. What the page `docs/desk-cluster.md` says to its
users, by module:

* `store` keeps objects, versions and the history that watches replay; `registry` is the API server
  without HTTP: what may be created, changed, deleted; `api/` is its HTTP.
* `scheduler` and `gc` are pure; `control` runs them when something changed.
* `kubelet/` turns a bound pod into containers: `lifecycle` decides, `shim` starts and finds them
  again, `root` and `volumes` build what a container sees.

Rejected: kind, k3s, minikube (each needs Docker or root, images, and seconds to start a pod), a
mock of the Python client (proves nothing about what travels), KWOK (runs no containers).
"""
