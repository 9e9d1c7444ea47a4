"""The rows, exactly as they lie in DynamoDB: one module per table, `docs/rows.md` in code.

`pk` and `sk` are strings everywhere and numbers in them are padded, so that they sort. The
functions that make keys stand beside the rows that they are for. Names of tables are not known
here: `bootstrap` hands them to the adapters, which `bind` their rows to them. One module per
table, because a function imports the tables that it uses (ingest: `backends` alone).
"""
