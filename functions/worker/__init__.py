"""Worker: performs jobs. A doorbell on its queue names a job's row; the row says what is to be
done, and goes in the transaction of the result. One job, one use case; a bad one fails alone."""
