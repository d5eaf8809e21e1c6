-- One key serves every statement: (user_id, id). Ids are UUIDs of version 7, so their order is that of creation.
-- The same text runs on plain PostgreSQL, on Neon and on Citus (distributed by user_id).
CREATE TABLE tasks (
  user_id     text COLLATE "C" NOT NULL,
  id          uuid             NOT NULL, -- made by the server
  created_at  timestamptz      NOT NULL, -- the millisecond inside id
  updated_at  timestamptz      NOT NULL,
  version     integer          NOT NULL DEFAULT 1,
  status      text COLLATE "C" NOT NULL DEFAULT 'pending',
  title       text COLLATE "C" NOT NULL,
  description text,
  -- Idempotency-Key of the creation, remembered for as long as the task exists.
  idempotency_key         text COLLATE "C",
  idempotency_fingerprint bytea,
  CONSTRAINT tasks_pkey              PRIMARY KEY (user_id, id),
  CONSTRAINT tasks_user_id_check     CHECK (char_length(user_id) BETWEEN 1 AND 255),
  CONSTRAINT tasks_status_check      CHECK (status IN ('pending', 'in_progress', 'completed')),
  CONSTRAINT tasks_title_check       CHECK (char_length(title) BETWEEN 1 AND 255),
  CONSTRAINT tasks_description_check CHECK (char_length(description) <= 10000),
  CONSTRAINT tasks_version_check     CHECK (version >= 1),
  CONSTRAINT tasks_idempotency_check CHECK (
    (idempotency_key IS NULL) = (idempotency_fingerprint IS NULL)
    AND (idempotency_key IS NULL OR char_length(idempotency_key) BETWEEN 1 AND 255)
  )
) WITH (
  -- Room for an update beside the old row, so that it touches no index; vacuum early on a table of many small users.
  fillfactor = 90,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_insert_scale_factor = 0.05,
  autovacuum_analyze_scale_factor = 0.02
);

-- Only tasks that were created with a key pay for it.
CREATE UNIQUE INDEX tasks_idempotency_key ON tasks (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
