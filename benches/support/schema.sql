CREATE TABLE accounts (
  id text PRIMARY KEY,
  email varchar(120) NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE TABLE devices (
  id uuid PRIMARY KEY,
  name text NOT NULL
);
INSERT INTO accounts
  SELECT 'acc_' || md5('a' || i), 'user' || i || '@example.org', timestamptz '2020-01-01 00:00:00Z' + i * interval '1 minute'
  FROM generate_series(1, 100000) AS i;
INSERT INTO devices SELECT md5('d' || i)::uuid, 'device ' || i FROM generate_series(1, 50000) AS i;
CREATE TABLE events (
  id text PRIMARY KEY,
  account_id text NOT NULL REFERENCES accounts (id),
  device_id uuid REFERENCES devices (id),
  occurred_at timestamptz NOT NULL,
  received_at timestamp(3) NOT NULL,
  kind smallint NOT NULL,
  amount numeric(12, 2) NOT NULL,
  score double precision,
  payload jsonb NOT NULL,
  tags text[] NOT NULL,
  note text
);
INSERT INTO events
  SELECT
    'evt_' || md5('e' || i),
    'acc_' || md5('a' || (i * 7919 % 100000 + 1)),
    CASE WHEN i % 5 > 0 THEN md5('d' || (i * 104729 % 50000 + 1))::uuid END,
    timestamptz '2024-01-01 00:00:00Z' + i * interval '3.000017 seconds',
    timestamp '2024-01-01 00:00:00.5' + i * interval '3.001 seconds',
    (i % 40)::smallint,
    (i * 37 % 10000000)::numeric / 100,
    CASE WHEN i % 7 > 0 THEN sqrt(i) END,
    jsonb_build_object('n', i, 'path', '/api/v1/items/' || i % 1000, 'ok', i % 3 = 0),
    ARRAY['tag' || i % 50, 'group ' || i % 7],
    CASE WHEN i % 4 = 0 THEN 'a note about event ' || i END
  FROM generate_series(1::bigint, :events) AS i;
CREATE INDEX events_account ON events (account_id, occurred_at);
CREATE INDEX events_occurred ON events (occurred_at DESC);
CREATE INDEX events_kind ON events (kind, received_at) WHERE score IS NOT NULL;
ANALYZE;
