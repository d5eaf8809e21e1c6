DROP INDEX tasks_idempotency_key;
DROP TABLE tasks;
