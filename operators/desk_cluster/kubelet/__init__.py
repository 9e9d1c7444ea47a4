"""The kubelet: makes the containers of the pods that are bound to this machine."""
