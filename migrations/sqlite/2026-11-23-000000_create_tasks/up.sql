-- The same facts and rules as in PostgreSQL. What differs is what SQLite lacks: times are whole microseconds since
-- 1970, ids are the 16 bytes of the UUID (which sort as the UUID does), texts compare byte for byte by default.
-- WITHOUT ROWID: the table is the tree of its primary key, so a list reads neighbours and needs no other index.
CREATE TABLE tasks (
  user_id                 TEXT    NOT NULL,
  id                      BLOB    NOT NULL, -- UUID version 7, made by the server
  created_at              INTEGER NOT NULL, -- the millisecond inside the id
  updated_at              INTEGER NOT NULL,
  version                 INTEGER NOT NULL DEFAULT 1,
  status                  TEXT    NOT NULL DEFAULT 'pending',
  title                   TEXT    NOT NULL,
  description             TEXT,
  idempotency_key         TEXT,
  idempotency_fingerprint BLOB,
  CONSTRAINT tasks_pkey              PRIMARY KEY (user_id, id),
  CONSTRAINT tasks_user_id_check     CHECK (length(user_id) BETWEEN 1 AND 255),
  CONSTRAINT tasks_id_check          CHECK (length(id) = 16),
  CONSTRAINT tasks_version_check     CHECK (version >= 1),
  CONSTRAINT tasks_status_check      CHECK (status IN ('pending', 'in_progress', 'completed')),
  CONSTRAINT tasks_title_check       CHECK (length(title) BETWEEN 1 AND 255),
  CONSTRAINT tasks_description_check CHECK (length(description) <= 10000),
  CONSTRAINT tasks_idempotency_check CHECK ((idempotency_key IS NULL) = (idempotency_fingerprint IS NULL)
                                            AND (idempotency_key IS NULL
                                                 OR length(CAST(idempotency_key AS BLOB)) BETWEEN 1 AND 255))
) STRICT, WITHOUT ROWID;

-- Only rows with a key pay for this one.
CREATE UNIQUE INDEX tasks_idempotency_key ON tasks (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
