"""AWS: Lambda functions that are called, and SQS queues that are read and written, through aiobotocore.

`clients` opens what the others use; `errors` says what each failure means; retries are nobody's business here.
"""
