"""What creates Xylem: tables and buckets that survive, and the control plane that may be replaced.

`environments.py` says how `local`, `dev` and `prod` differ, as values; nothing else asks for an
environment's name. Stacks compose; a component (`components/`, one per folder of `functions/`) owns
its functions, its queues, its rights and its alarms. Names of folders are all that is known here of
the code that runs: nothing of it is imported.
"""
