"""Every port in dictionaries: the fakes of the tests and the store of the simulation.

They keep the promises of `xylem.ports` as DynamoDB, SQS and S3 keep them, which one contract suite
asks of both (`tests/contract`): a commit is all or nothing and holds 100 actions; an index may lag
and a read does not. What only a test wants to know (what was pushed, what was rung) is a public
attribute of the fake. `world.World` has one of each, wired together.
"""
