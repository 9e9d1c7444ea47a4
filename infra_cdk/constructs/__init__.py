"""What the components are made of: a function, a queue, a table, a bucket, with our defaults."""
