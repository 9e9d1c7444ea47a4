"""What a folder of YAML declares of the service, and how the service becomes equal to it.

    documents   what is written: kinds, names, specs, each with its file
    model       what it means, by the service's own code: one `State` for both sides
    service     what the service has, as such a state
    plan        the difference, in the order in which it can be written
    writing     one change of a plan, as a request

A plan is a value: it is shown before anything is written, and each write carries the revision that
the plan saw. Nothing is remembered between two runs. A run that was killed left some changes
written and the others not; the next one finds the difference that is left.
"""
