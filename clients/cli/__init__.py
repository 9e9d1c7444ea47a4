"""`xylem`: what a person types.

`__main__` puts the parts of the world together (`session`) and loads a command's module when it is
asked for (`lazy`): `xylem workflow list` should not wait for boto3. A command asks the service
through `clients.sdk`, and hands the answer to `render`, which makes what is read of it. `problems`
says how each failure ends: in which words, with which advice, with which exit code.
"""
