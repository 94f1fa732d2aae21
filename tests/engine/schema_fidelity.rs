//! Nothing of a schema disappears silently: every object that PostgreSQL's own catalogs know is either found again in
//! the SQLite file, asked by SQLite's own pragmas, or named among the losses with a reason. Both lists are made here,
//! apart from the program's introspection.

use crate::support::whole_run::{Server, findings, migrate};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use tempfile::TempDir;
use whimbrel::catalog::ObjectKind;
use whimbrel::endpoint::PostgresUrl;
use whimbrel::harness::inventory;
use whimbrel::plan::{Plan, TablePlan};
use whimbrel::provision::{Database, shared};
use whimbrel::to_sqlite::{Job, Outcome};

const SOURCE: &str = r#"
CREATE SCHEMA shop; CREATE SCHEMA audit;
CREATE TYPE shop.status AS ENUM ('new', 'paid');
CREATE DOMAIN shop.email AS text CHECK (VALUE LIKE '%@%');
CREATE SEQUENCE shop.free_numbers START 100 INCREMENT 5; SELECT nextval('shop.free_numbers');
CREATE TABLE shop.customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email shop.email NOT NULL, name text DEFAULT 'nobody',
  born date, created timestamptz NOT NULL DEFAULT now(), token uuid DEFAULT gen_random_uuid(), parent bigint,
  level integer DEFAULT 1 CHECK (level BETWEEN 1 AND 9), full_name text GENERATED ALWAYS AS (name || '!') STORED,
  CONSTRAINT customers_email_key UNIQUE (email), CONSTRAINT adult CHECK (born < '2020-01-01'),
  CONSTRAINT parent_fk FOREIGN KEY (parent) REFERENCES shop.customers ON DELETE SET NULL
);
CREATE TABLE shop.orders (
  shop_id integer, number serial, customer bigint NOT NULL REFERENCES shop.customers ON DELETE CASCADE ON UPDATE RESTRICT,
  state shop.status DEFAULT 'new', total numeric(10,2) DEFAULT 0.00, code text, note text,
  PRIMARY KEY (shop_id, number), UNIQUE (code) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT regular CHECK (code ~ '^[A-Z]+$'), CONSTRAINT positive CHECK (total >= 0)
);
CREATE TABLE shop.lines (
  id serial PRIMARY KEY, shop_id integer, number integer, sku text, at tsrange,
  FOREIGN KEY (shop_id, number) REFERENCES shop.orders (shop_id, number) DEFERRABLE INITIALLY DEFERRED,
  EXCLUDE USING gist (at WITH &&)
);
ALTER TABLE shop.lines ADD CONSTRAINT unchecked CHECK (sku <> '') NOT VALID;
ALTER TABLE shop.lines ADD CONSTRAINT unchecked_fk FOREIGN KEY (id) REFERENCES shop.customers NOT VALID;
CREATE TABLE audit.measurements (at timestamptz NOT NULL, device integer, value real) PARTITION BY RANGE (at);
CREATE TABLE audit.measurements_2025 PARTITION OF audit.measurements FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE audit.measurements_2026 PARTITION OF audit.measurements FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX measurements_device ON audit.measurements (device);
CREATE TABLE vehicles (id integer PRIMARY KEY, wheels integer); CREATE TABLE cars (doors integer) INHERITS (vehicles);
CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value bytea);
CREATE INDEX customers_lower ON shop.customers (lower(name)); CREATE INDEX customers_recent ON shop.customers (created DESC);
CREATE INDEX orders_open ON shop.orders (customer) WHERE state = 'new'; CREATE INDEX orders_note ON shop.orders USING gin (to_tsvector('simple', note));
CREATE UNIQUE INDEX orders_included ON shop.orders (code) INCLUDE (total); CREATE INDEX lines_hash ON shop.lines USING hash (sku);
CREATE INDEX names_c ON shop.customers (name COLLATE "C"); CREATE INDEX customers_brin ON shop.customers USING brin (id);
CREATE VIEW shop.open_orders AS SELECT shop_id, number, total FROM shop.orders WHERE state = 'new';
CREATE VIEW shop.odd AS SELECT generate_series(1, 3) AS n, pg_backend_pid() AS pid;
CREATE MATERIALIZED VIEW shop.totals AS SELECT customer, sum(total) AS total FROM shop.orders GROUP BY customer;
CREATE INDEX totals_customer ON shop.totals (customer);
CREATE MATERIALIZED VIEW shop.never AS SELECT 1 AS one WITH NO DATA; CREATE INDEX never_one ON shop.never (one);
COMMENT ON TABLE shop.customers IS 'people'; COMMENT ON COLUMN shop.customers.name IS 'as they write it';
COMMENT ON VIEW shop.open_orders IS 'open';
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE PROCEDURE shop.nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE shop.total_of (integer) (SFUNC = int4pl, STYPE = integer);
CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY everybody ON shop.orders USING (true);
CREATE RULE quiet AS ON DELETE TO cache DO INSTEAD NOTHING;
CREATE STATISTICS shop.related ON shop_id, number FROM shop.orders;
CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER away FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE shop.remote (id integer) SERVER away;
CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = simple); CREATE COLLATION shop.plain FROM "C";
SELECT lo_from_bytea(0, '\x00ff'), lo_from_bytea(0, '\x01');
INSERT INTO shop.customers (email, name, born) SELECT n || '@x', 'n' || n, '2000-01-01' FROM generate_series(1, 10) AS n;
INSERT INTO shop.orders (shop_id, customer, code, total) SELECT 1, n, chr(64 + n), n FROM generate_series(1, 10) AS n;
INSERT INTO shop.lines (shop_id, number, sku) VALUES (1, 1, 'a'), (1, 2, 'b'); REFRESH MATERIALIZED VIEW shop.totals;
INSERT INTO audit.measurements VALUES ('2025-05-05', 1, 1), ('2026-05-05', 2, 2);
INSERT INTO vehicles VALUES (1, 2); INSERT INTO cars VALUES (2, 4, 5);
"#;

const NULLS_NOT_DISTINCT: &str = "CREATE TABLE one_null (a integer, UNIQUE NULLS NOT DISTINCT (a));
    INSERT INTO one_null VALUES (NULL), (1);";

/// The objects of one kind that the source has: the table each belongs to (schema, name), and its own name.
struct Kind {
    /// The kinds of losses that may name it.
    lost_as: &'static [&'static str],
    /// Rows of schema, table, name, and what else `carried` needs.
    sql: &'static str,
    /// Whether SQLite has it.
    carried: fn(&Target<'_>, &[String]) -> bool,
}

struct Target<'a> {
    connection: &'a Connection,
    plan: &'a Plan,
}

impl Target<'_> {
    fn table(&self, row: &[String]) -> Option<&TablePlan> {
        self.plan.tables.iter().find(|table| table.source.schema == row[0] && table.source.name == row[1])
    }

    fn holds(&self, sql: &str, values: &[&str]) -> bool {
        let sql = format!("SELECT EXISTS ({sql})");
        let found = self.connection.query_row(&sql, rusqlite::params_from_iter(values), |row| row.get(0));
        found.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Asks about the target of the row's table, `?1`, and one name, `?2`.
    fn asks(&self, row: &[String], name: &str, sql: &str) -> bool {
        self.table(row).is_some_and(|table| self.holds(sql, &[&table.target, name]))
    }

    fn defined(&self, kind: &str, name: &str) -> bool {
        self.holds("SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2", &[kind, name])
    }
}

/// Tables whose parts count: no partitions, no extensions' or the server's own.
macro_rules! source_tables {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT n.nspname, t.relname, ",
            $columns,
            " FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
             AND n.nspname IN ('public', 'shop', 'audit') AND NOT t.relispartition ",
            $rest
        )
    };
}

const NONE: fn(&Target<'_>, &[String]) -> bool = |_, _| false;

#[allow(clippy::too_many_lines, reason = "a table of cases, and what is done with each")]
fn kinds() -> BTreeMap<&'static str, Kind> {
    BTreeMap::from([
        ("table", Kind {
            lost_as: &["table", "materialized view", "foreign table"],
            sql: source_tables!("t.relname", "WHERE t.relkind IN ('r', 'p', 'm', 'f')"),
            carried: |target, row| target.table(row).is_some_and(|table| target.defined("table", &table.target)),
        }),
        ("column", Kind {
            lost_as: &["column", "materialized view", "foreign table"],
            sql: source_tables!("a.attname", "JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
                WHERE t.relkind IN ('r', 'p', 'm', 'f')"),
            carried: |target, row| target.asks(row, &row[2], "SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2"),
        }),
        ("not null", Kind {
            lost_as: &["not null"],
            sql: source_tables!("a.attname", "JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND a.attnotnull
                WHERE t.relkind IN ('r', 'p')"),
            carried: |target, row| {
                target.asks(row, &row[2], "SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2 AND \"notnull\"")
            },
        }),
        ("default", Kind {
            lost_as: &["default"],
            sql: source_tables!("a.attname", "JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.atthasdef AND a.attgenerated = ''
                WHERE t.relkind IN ('r', 'p')"),
            // A key that counts up by itself has no default of its own.
            carried: |target, row| {
                target.asks(row, &row[2], "SELECT 1 FROM pragma_table_xinfo(?1) AS c WHERE c.name = ?2 AND
                    (c.dflt_value IS NOT NULL OR c.pk = 1 AND (SELECT sql FROM sqlite_schema WHERE name = ?1) LIKE '%AUTOINCREMENT%')")
            },
        }),
        ("identity", Kind {
            lost_as: &["identity"],
            sql: source_tables!("a.attname", "JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attidentity <> ''"),
            carried: |target, row| {
                target.asks(row, &row[2], "SELECT 1 FROM pragma_table_info(?1) AS c WHERE c.name = ?2 AND c.pk = 1 AND
                    (SELECT sql FROM sqlite_schema WHERE name = ?1) LIKE '%AUTOINCREMENT%'")
            },
        }),
        ("generated column", Kind {
            lost_as: &["generated column"],
            sql: source_tables!("a.attname", "JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attgenerated <> ''"),
            carried: |target, row| {
                target.asks(row, &row[2], "SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2 AND hidden IN (2, 3)")
            },
        }),
        ("primary key", Kind {
            lost_as: &["primary key"],
            sql: source_tables!("k.conname, (SELECT string_agg(a.attname, ',' ORDER BY o.place) FROM unnest(k.conkey)
                WITH ORDINALITY AS o (number, place) JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = o.number)",
                "JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'p'"),
            carried: |target, row| {
                target.asks(row, &row[3], "SELECT group_concat(name) AS names FROM
                    (SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk) HAVING names = ?2")
            },
        }),
        ("unique key", Kind {
            lost_as: &["unique key"],
            sql: source_tables!("k.conname, (SELECT string_agg(a.attname, ',' ORDER BY o.place) FROM unnest(k.conkey)
                WITH ORDINALITY AS o (number, place) JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = o.number)",
                "JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'u'"),
            carried: |target, row| {
                target.asks(row, &row[3], "SELECT 1 FROM pragma_index_list(?1) AS i WHERE i.\"unique\" AND i.origin = 'u' AND
                    (SELECT group_concat(name) FROM pragma_index_info(i.name)) = ?2")
            },
        }),
        ("foreign key", Kind {
            lost_as: &["foreign key"],
            sql: source_tables!("k.conname, (SELECT string_agg(a.attname, ',' ORDER BY o.place) FROM unnest(k.conkey)
                WITH ORDINALITY AS o (number, place) JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = o.number)
                || ' ' || CASE k.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE'
                WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END || ' ' || CASE k.confupdtype WHEN 'a' THEN 'NO ACTION'
                WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END",
                "JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'f' AND k.conparentid = 0"),
            carried: |target, row| {
                target.asks(row, &row[3], "SELECT group_concat(\"from\") || ' ' || on_delete || ' ' || on_update AS told FROM
                    (SELECT * FROM pragma_foreign_key_list(?1) ORDER BY id, seq) GROUP BY id HAVING told = ?2")
            },
        }),
        ("check", Kind {
            lost_as: &["check"],
            sql: source_tables!("k.conname", "JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'c'"),
            carried: |target, row| {
                target.asks(row, &row[2], "SELECT 1 FROM sqlite_schema WHERE name = ?1 AND instr(sql, 'CONSTRAINT \"' || ?2 || '\" CHECK (')")
            },
        }),
        ("exclusion constraint", Kind {
            lost_as: &["exclusion constraint"],
            sql: source_tables!("k.conname", "JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'x'"),
            carried: NONE,
        }),
        ("index", Kind {
            lost_as: &["index"],
            sql: source_tables!("c.relname", "JOIN pg_index AS i ON i.indrelid = t.oid JOIN pg_class AS c ON c.oid = i.indexrelid
                WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))"),
            carried: |target, row| {
                target.asks(row, &row[2], "SELECT 1 FROM pragma_index_list(?1) WHERE name = ?2 AND origin = 'c'")
            },
        }),
        ("view", Kind {
            lost_as: &["view"],
            sql: source_tables!("t.relname", "WHERE t.relkind = 'v'"),
            carried: |target, row| {
                let view = target.plan.views.iter().find(|view| view.source.schema == row[0] && view.source.name == row[1]);
                view.is_some_and(|view| target.defined("view", &view.target))
            },
        }),
        ("sequence", Kind {
            lost_as: &["sequence"],
            sql: "SELECT coalesce(tn.nspname, n.nspname), coalesce(t.relname, ''), c.relname,
                    coalesce(pg_sequence_last_value(c.oid)::text, '0') FROM pg_class AS c
                  JOIN pg_namespace AS n ON n.oid = c.relnamespace LEFT JOIN pg_depend AS d
                  ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                  LEFT JOIN pg_class AS t ON t.oid = d.refobjid LEFT JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
                  WHERE c.relkind = 'S' AND n.nspname IN ('public', 'shop', 'audit')",
            carried: |target, row| {
                target.asks(row, &row[3], "SELECT 1 FROM sqlite_sequence WHERE name = ?1 AND seq = CAST(?2 AS INTEGER)")
            },
        }),
        ("trigger", Kind {
            lost_as: &["trigger"],
            sql: source_tables!("g.tgname", "JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal"),
            carried: NONE,
        }),
        ("rule", Kind {
            lost_as: &["rule"],
            sql: source_tables!("w.rulename", "JOIN pg_rewrite AS w ON w.ev_class = t.oid AND w.rulename <> '_RETURN'"),
            carried: NONE,
        }),
        ("policy", Kind {
            lost_as: &["policy"],
            sql: source_tables!("p.polname", "JOIN pg_policy AS p ON p.polrelid = t.oid"),
            carried: NONE,
        }),
        ("row level security", Kind {
            lost_as: &["row level security"],
            sql: source_tables!("t.relname", "WHERE t.relrowsecurity"),
            carried: NONE,
        }),
        ("function", Kind {
            lost_as: &["function", "procedure", "aggregate"],
            sql: "SELECT n.nspname, '', p.proname FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                  WHERE n.nspname IN ('public', 'shop', 'audit')",
            carried: NONE,
        }),
        ("statistics", Kind {
            lost_as: &["statistics"],
            sql: "SELECT n.nspname, '', s.stxname FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace",
            carried: NONE,
        }),
        ("server", Kind {
            lost_as: &["foreign server", "foreign data wrapper"],
            sql: "SELECT '', '', srvname FROM pg_foreign_server UNION ALL SELECT '', '', fdwname FROM pg_foreign_data_wrapper",
            carried: NONE,
        }),
        ("text search", Kind {
            lost_as: &["text search configuration", "collation"],
            sql: "SELECT 'shop', '', cfgname FROM pg_ts_config WHERE cfgnamespace = 'shop'::regnamespace
                  UNION ALL SELECT 'shop', '', collname FROM pg_collation WHERE collnamespace = 'shop'::regnamespace",
            carried: NONE,
        }),
    ])
}

fn migrated(sql: &str) -> (Outcome, Connection, Server, (TempDir, Database)) {
    migrated_with(sql, NULLS_NOT_DISTINCT)
}

/// As [`migrated`]; `since_15` is what only PostgreSQL 15 and later understand.
fn migrated_with(sql: &str, since_15: &str) -> (Outcome, Connection, Server, (TempDir, Database)) {
    let database = shared().expect("a PostgreSQL server").create_database("fidelity").expect("a database");
    let mut server = Server::connect(&database.url());
    server.run(sql);
    let version: u32 = server.value("SELECT current_setting('server_version_num')").parse().expect("a number");
    if version >= 150_000 {
        server.run(since_15);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let job = Job::new(directory.path().join("shop.db"));
    let outcome = migrate(&database.url(), &job).unwrap_or_else(|error| panic!("{error} ({:?})", error.way_out()));
    outcome.ensure_published().unwrap_or_else(|error| panic!("{error}{}", findings(&outcome.verification)));
    let connection = Connection::open(&job.target).expect("the target");
    (outcome, connection, server, (directory, database))
}

#[test]
fn every_object_of_the_source_is_carried_or_named_as_lost() {
    let (outcome, connection, mut server, _kept) = migrated(SOURCE);
    let target = Target { connection: &connection, plan: &outcome.plan };
    assert!(outcome.plan.losses.iter().all(|loss| !loss.reason.to_string().is_empty() && !loss.object.is_empty()));
    let mut report = Vec::new();
    let mut silent = Vec::new();
    for (kind, Kind { lost_as, sql, carried }) in kinds() {
        let rows: Vec<Vec<String>> =
            server.rows(sql).into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
        let (mut found, mut lost) = (0, 0);
        for row in &rows {
            let is_carried = carried(&target, row);
            let is_lost = outcome.plan.losses.iter().any(|loss| {
                let whole = format!("{}.{}", row[0], row[1]);
                lost_as.contains(&loss.kind.name())
                    && (loss.object.contains(row[2].as_str()) && (row[1].is_empty() || loss.object.contains(&whole))
                        || loss.object == whole)
            });
            match (is_carried, is_lost) {
                (true, _) => found += 1,
                (false, true) => lost += 1,
                (false, false) => silent.push(format!("{kind} {row:?}")),
            }
        }
        assert!(!rows.is_empty(), "the source has no {kind}: this test would show nothing");
        report.push(format!("{kind}: {} = {found} carried + {lost} lost", rows.len()));
    }
    let losses: Vec<_> = outcome.plan.losses.iter().map(|l| format!("{} {}: {}", l.kind, l.object, l.reason)).collect();
    println!("{}\n{}", report.join("\n"), losses.join("\n"));
    assert!(silent.is_empty(), "gone without a word:\n{}\nlosses:\n{}", silent.join("\n"), losses.join("\n"));

    let lost = |kind: &str| outcome.plan.losses.iter().filter(|loss| loss.kind.name().starts_with(kind)).count();
    assert_eq!(lost("comment"), 1);
    assert!(outcome.plan.losses.iter().any(|loss| loss.kind == ObjectKind::Comment && loss.object.starts_with("3 ")));
    assert!(lost("large object") > 0, "large objects are not named");
}

/// Copies the file to `gone` and takes something out of the definitions there; a view goes as a whole.
fn without(path: &Path, gone: &Path, taken: &str, instead: &str) {
    std::fs::copy(path, gone).expect("a copy");
    let connection = Connection::open(gone).expect("the copy");
    let changed = match taken.strip_prefix("CREATE VIEW ") {
        Some(view) => connection.execute(&format!("DROP VIEW {view}"), []).map(|_| 1),
        None => connection.execute_batch("PRAGMA writable_schema = ON").and_then(|()| {
            let sql = "UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2) WHERE type = 'table' AND instr(sql, ?1)";
            connection.execute(sql, [taken, instead])
        }),
    };
    let sql: String =
        connection.query_row("SELECT group_concat(sql) FROM sqlite_schema", [], |row| row.get(0)).expect("sql");
    assert_eq!(changed.expect("the copy can be changed"), 1, "{taken} is not in {sql}");
    connection.close().expect("closed");
}

/// The harness' own inventory finds everything of this schema, and each thing that somebody takes out of the file.
#[test]
fn the_inventory_notices_whatever_is_taken_out() {
    let (outcome, connection, _server, (_directory, database)) = migrated(SOURCE);
    let path = outcome.published.as_ref().expect("a file").target.clone();
    drop(connection);
    let url = PostgresUrl::parse(&database.url()).expect("a URL");
    let missing = |path: &Path| inventory::missing(&url, path, &outcome.plan).expect("an inventory");
    assert_eq!(missing(&path), Vec::<String>::new());
    let gone = path.with_file_name("gone.db");
    for (taken, instead, told) in [
        ("CONSTRAINT \"positive\" CHECK", "CHECK", "check `positive` of table `shop.orders`"),
        ("ON DELETE CASCADE", "ON DELETE NO ACTION", "foreign key `orders_customer_fkey` of table `shop.orders`"),
        ("DEFAULT 'nobody'", "", "default `name` of table `shop.customers`"),
        ("\"email\" TEXT NOT NULL", "\"email\" TEXT", "not null `email` of table `shop.customers`"),
        (
            "GENERATED ALWAYS AS ((\"name\" || '!')) STORED",
            "",
            "generated column `full_name` of table `shop.customers`",
        ),
        ("CREATE VIEW \"shop__open_orders\"", "", "view `shop.open_orders`"),
    ] {
        without(&path, &gone, taken, instead);
        assert_eq!(missing(&gone), [format!("{told} is neither carried nor listed")]);
    }
}

const WITHOUT_PLACE: &str = "
CREATE DOMAIN filled AS text NOT NULL DEFAULT 'x' CONSTRAINT not_empty CHECK (VALUE <> '');
CREATE DOMAIN brief AS filled CONSTRAINT in_capitals CHECK (VALUE ~ '^(A|BC)*$');
CREATE TABLE parents (a integer, b integer, PRIMARY KEY (a, b));
CREATE TABLE children (id serial PRIMARY KEY, a integer, b integer, name brief DEFAULT 'Y', counted serial,
  other filled, identified integer GENERATED ALWAYS AS IDENTITY, at int4range, EXCLUDE USING gist (at WITH &&));
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER touch BEFORE UPDATE ON children FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY everybody ON children USING (true); CREATE RULE quiet AS ON DELETE TO parents DO INSTEAD NOTHING;";

const SOME_COLUMNS: &str = "ALTER TABLE children ADD CONSTRAINT some_columns
    FOREIGN KEY (a, b) REFERENCES parents ON DELETE SET NULL (b);";

/// What SQLite has no place for has to be on the list of the plan, each under its own name and kind.
#[test]
fn the_inventory_notices_what_the_plan_does_not_list() {
    let (outcome, connection, mut server, (_directory, database)) = migrated_with(WITHOUT_PLACE, SOME_COLUMNS);
    let is_new = server.value("SELECT current_setting('server_version_num')::integer >= 150000") == "t";
    drop(connection);
    let url = PostgresUrl::parse(&database.url()).expect("a URL");
    let path = outcome.published.as_ref().expect("a file").target.clone();
    let missing = |plan: &Plan| inventory::missing(&url, &path, plan).expect("an inventory");
    assert_eq!(missing(&outcome.plan), Vec::<String>::new());
    let mut without_place = vec![
        ("default", "counted", "counting default `counted` of table `public.children`"),
        ("identity", "identified", "identity `identified` of table `public.children`"),
        ("check", "in_capitals", "domain check `name` of table `public.children`"),
        ("trigger", "touch on", "trigger `touch` of table `public.children`"),
        ("policy", "everybody", "policy `everybody` of table `public.children`"),
        ("rule", "quiet", "rule `quiet` of table `public.parents`"),
        (
            "exclusion constraint",
            "children_at_excl",
            "exclusion constraint `children_at_excl` of table `public.children`",
        ),
    ];
    if is_new {
        without_place.push(("foreign key", "some_columns", "foreign key `some_columns` of table `public.children`"));
    }
    for (kind, name, told) in without_place {
        let mut plan = outcome.plan.clone();
        plan.losses.retain(|loss| loss.kind.name() != kind || !loss.object.contains(name));
        assert_eq!(plan.losses.len() + 1, outcome.plan.losses.len(), "{name}: {:?}", outcome.plan.losses);
        assert_eq!(missing(&plan), [format!("{told} is neither carried nor listed")]);
    }
    let gone = path.with_file_name("gone.db");
    for (taken, instead, told) in [
        (
            "CONSTRAINT \"not_empty\" CHECK ((\"name\"",
            "CHECK ((\"name\"",
            "domain check `name` of table `public.children`",
        ),
        (
            "CONSTRAINT \"not_empty\" CHECK ((\"other\"",
            "CHECK ((\"other\"",
            "domain check `other` of table `public.children`",
        ),
        ("\"name\" TEXT NOT NULL", "\"name\" TEXT", "not null `name` of table `public.children`"),
    ] {
        without(&path, &gone, taken, instead);
        let found = inventory::missing(&url, &gone, &outcome.plan).expect("an inventory");
        assert_eq!(found, [format!("{told} is neither carried nor listed")]);
    }
}

#[test]
fn what_is_carried_is_what_it_was() {
    let (outcome, connection, _server, _kept) = migrated(SOURCE);
    let names = |kind: &str| -> Vec<String> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = ?1 AND sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                   AND name NOT LIKE '\\_whimbrel\\_%' ESCAPE '\\' ORDER BY name";
        let mut statement = connection.prepare(sql).expect("the schema");
        statement.query_map([kind], |row| row.get(0)).expect("names").collect::<Result<_, _>>().expect("names")
    };
    let mut tables = names("table");
    tables.retain(|name| name != "one_null");
    assert_eq!(
        tables,
        [
            "audit__measurements",
            "cache",
            "cars",
            "shop__customers",
            "shop__lines",
            "shop__orders",
            "shop__totals",
            "vehicles"
        ]
    );
    let mut indexes = names("index");
    indexes.retain(|name| !name.starts_with("one_null"));
    for carried in
        ["customers_recent", "names_c", "orders_open", "measurements_device", "totals_customer", "orders_included"]
    {
        assert!(
            indexes.iter().any(|name| name == carried),
            "{carried} is not in {indexes:?}: {:?}",
            outcome.plan.losses
        );
    }
    assert_eq!(names("view"), ["shop__open_orders"]);

    let value = |sql: &str| -> String {
        connection.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0)).map_or_else(
            |error| format!("{error}"),
            |value| match value {
                rusqlite::types::Value::Text(text) => text,
                rusqlite::types::Value::Integer(number) => number.to_string(),
                other => format!("{other:?}"),
            },
        )
    };
    // Rows of partitions stand in one table; those of an heir in its own only.
    assert_eq!(value("SELECT count(*) FROM audit__measurements"), "2");
    assert_eq!(value("SELECT count(*) || ' ' || (SELECT count(*) FROM cars) FROM vehicles"), "1 1");
    // What is written next obeys the constraints and fills the defaults.
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("foreign keys");
    let refused = |sql: &str, part: &str| {
        let error = connection.execute(sql, []).expect_err(sql).to_string();
        assert!(error.contains(part), "{sql}: {error}");
    };
    refused("INSERT INTO shop__customers (email, level) VALUES ('a@b', 10)", "CHECK");
    refused("INSERT INTO shop__customers (email, born) VALUES ('a@b', '2021-01-01')", "adult");
    refused("INSERT INTO shop__customers (email) VALUES ('nothing')", "CHECK");
    refused("INSERT INTO shop__customers (email) VALUES ('1@x')", "UNIQUE");
    refused("INSERT INTO shop__customers (email) VALUES (NULL)", "NOT NULL");
    refused("INSERT INTO shop__orders (shop_id, number, customer, total) VALUES (1, 99, 1, -1)", "positive");
    refused("INSERT INTO shop__orders (shop_id, number, customer, state) VALUES (1, 99, 1, 'old')", "CHECK");
    refused("INSERT INTO shop__orders (shop_id, number, customer) VALUES (1, 99, 999)", "FOREIGN KEY");
    refused("INSERT INTO shop__orders (shop_id, number, customer) VALUES (1, 1, 1)", "UNIQUE");
    connection.execute("INSERT INTO shop__customers (email) VALUES ('new@x')", []).expect("a customer");
    assert_eq!(
        value("SELECT id || name || level || full_name FROM shop__customers WHERE email = 'new@x'"),
        "11nobody1nobody!"
    );
    assert_eq!(value("SELECT abs(created / 1000000 - unixepoch()) < 100 FROM shop__customers WHERE id = 11"), "1");
    assert_eq!(value("SELECT length(token) FROM shop__customers WHERE id = 11"), "36");
    connection.execute("DELETE FROM shop__customers WHERE id = 10", []).expect("a customer less");
    assert_eq!(value("SELECT count(*) FROM shop__orders"), "9");
    assert_eq!(value("SELECT count(*) FROM shop__open_orders"), "9");
    if names("table").iter().any(|name| name == "one_null") {
        refused("INSERT INTO one_null VALUES (NULL)", "UNIQUE");
    }
}

#[test]
fn keys_defaults_and_views_mean_in_the_target_what_they_mean_in_the_source() {
    let (outcome, connection, _server, _kept) = migrated(
        "-- Keys whose representation is an integer without being one: SQLite would take each for the rowid.
         CREATE TABLE by_number (id numeric(10,0) PRIMARY KEY); INSERT INTO by_number VALUES (100), (-3);
         CREATE TABLE of_number (id numeric(10,0) REFERENCES by_number); INSERT INTO of_number VALUES (100);
         CREATE TABLE by_time (at timestamptz DEFAULT now() PRIMARY KEY, n integer);
         INSERT INTO by_time VALUES ('2020-01-01', 1), ('infinity', 2);
         CREATE TABLE by_truth (yes boolean PRIMARY KEY); INSERT INTO by_truth VALUES (true), (false);
         -- A foreign key to a unique index of a table that comes later, and of the table itself.
         CREATE TABLE a_child (x integer, y integer); CREATE TABLE z_parent (x integer, y integer);
         CREATE UNIQUE INDEX z_unique ON z_parent (x, y);
         ALTER TABLE a_child ADD CONSTRAINT to_index FOREIGN KEY (x, y) REFERENCES z_parent (x, y);
         CREATE TABLE self (id integer, parent integer); CREATE UNIQUE INDEX self_unique ON self (id);
         ALTER TABLE self ADD CONSTRAINT to_self FOREIGN KEY (parent) REFERENCES self (id);
         -- A default that only the domain has.
         CREATE DOMAIN five AS integer DEFAULT 5; CREATE TABLE defaults (a five, b five DEFAULT 7, c integer);
         -- A view that reads heirs with their parent.
         CREATE TABLE parent (a integer); CREATE TABLE heir (b integer) INHERITS (parent);
         INSERT INTO parent VALUES (1); INSERT INTO heir VALUES (2, 2);
         CREATE VIEW everyone AS SELECT a FROM parent; CREATE VIEW heirs AS SELECT a FROM heir;
         -- A generated column that SQLite computes otherwise.
         CREATE TABLE shouted (a text, b text GENERATED ALWAYS AS (upper(a)) STORED); INSERT INTO shouted (a) VALUES ('äb');",
    );
    let value = |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).expect(sql) };
    let lost = |object: &str| outcome.plan.losses.iter().any(|loss| loss.object.contains(object));
    assert_eq!(value("SELECT group_concat(id, ' ') FROM (SELECT id FROM by_number ORDER BY id)"), "-3 100");
    connection.execute("INSERT INTO by_time (n) VALUES (3)", []).expect("a row with the default's key");
    assert_eq!(value("SELECT (abs(at / 1000000 - unixepoch()) < 100) || '' FROM by_time WHERE n = 3"), "1");
    assert_eq!(value("SELECT group_concat(yes, ' ') FROM (SELECT yes FROM by_truth ORDER BY yes)"), "0 1");
    assert!(!lost("to_index") && !lost("to_self"), "{:?}", outcome.plan.losses);
    connection.execute_batch("PRAGMA foreign_keys = ON").expect("foreign keys");
    connection.execute("INSERT INTO a_child VALUES (1, 2)", []).expect_err("a child without its parent");
    connection.execute("INSERT INTO self VALUES (1, 2)", []).expect_err("a child without its parent");
    connection.execute("INSERT INTO defaults (c) VALUES (0)", []).expect("a row of defaults");
    assert_eq!(value("SELECT a || ' ' || b FROM defaults"), "5 7");
    assert!(lost("public.everyone") && !lost("public.heirs"), "{:?}", outcome.plan.losses);
    assert!(lost("public.shouted.b"), "{:?}", outcome.plan.losses);
    assert_eq!(value("SELECT b FROM shouted"), "ÄB");
}

const MEANT_OTHERWISE: &str = r#"
CREATE TABLE cut (id int PRIMARY KEY, v text CHECK (v::char(2) = 'ab'), g text GENERATED ALWAYS AS (v::char(2)) STORED,
  h char(3) GENERATED ALWAYS AS (v::char(3)) STORED, d text DEFAULT 'abc'::char(2));
CREATE UNIQUE INDEX cut_two ON cut ((v::char(2))); CREATE VIEW cut_view AS SELECT id, v::char(3) AS three FROM cut;
INSERT INTO cut (id, v) VALUES (1, 'abcdef');
CREATE TABLE not_numbers (id int PRIMARY KEY, v float8, n numeric(8, 3), sure float8 NOT NULL,
  g boolean GENERATED ALWAYS AS (v > 1) STORED, i int GENERATED ALWAYS AS ((n < 1)::int) STORED,
  s boolean GENERATED ALWAYS AS (sure > 1) STORED);
INSERT INTO not_numbers (id, v, n, sure) VALUES (1, 'NaN', 'NaN', 2);
CREATE TYPE region AS (outline polygon);
CREATE TABLE wholes (id int PRIMARY KEY, c region CHECK (c IS NULL), b boolean GENERATED ALWAYS AS (c IS NULL) STORED);
INSERT INTO wholes (id, c) VALUES (1, '()'), (2, NULL);
CREATE TABLE computed_keys (a int NOT NULL, b int GENERATED ALWAYS AS (a % 100) STORED, PRIMARY KEY (a, b));
INSERT INTO computed_keys (a) VALUES (101), (102);
CREATE TABLE scalars (id int PRIMARY KEY, w jsonb CHECK (w ->> 0 IS NOT NULL),
  first boolean GENERATED ALWAYS AS (w ->> 0 = '1') STORED);
INSERT INTO scalars (id, w) VALUES (1, '"x"'), (2, '["1"]'), (3, '1'), (4, 'true');
CREATE TABLE spans (v interval PRIMARY KEY); CREATE TABLE span_children (v interval REFERENCES spans);
INSERT INTO spans VALUES ('24 hours'); INSERT INTO span_children VALUES ('1 day');
CREATE TABLE documents (v jsonb PRIMARY KEY); CREATE TABLE document_children (v jsonb REFERENCES documents);
INSERT INTO documents VALUES ('{"a": 1.0}'); INSERT INTO document_children VALUES ('{"a": 1.00}');
CREATE TABLE lists (v numeric[] PRIMARY KEY); CREATE TABLE list_children (v numeric[] REFERENCES lists);
INSERT INTO lists VALUES ('{1.0}'); INSERT INTO list_children VALUES ('{1.00}');
CREATE TABLE zeros (v float8[] PRIMARY KEY); CREATE TABLE zero_children (v float8[] REFERENCES zeros);
INSERT INTO zeros VALUES ('{-0}'); INSERT INTO zero_children VALUES ('{0}');
CREATE TABLE ranges (v numrange PRIMARY KEY); CREATE TABLE range_children (v numrange REFERENCES ranges);
INSERT INTO ranges VALUES ('[1,2]'); INSERT INTO range_children VALUES ('[1.0,2.0]');
CREATE TABLE hosts (v inet PRIMARY KEY); CREATE TABLE host_children (v inet REFERENCES hosts);
INSERT INTO hosts VALUES ('10.0.0.1'); INSERT INTO host_children VALUES ('10.0.0.1/32');
"#;

/// Where SQLite would judge a row otherwise than the source did, what judges it is translated exactly, or not carried
/// and named; the rows come over all the same.
#[test]
fn what_would_mean_something_else_is_exact_or_named() {
    let (outcome, connection, _server, _kept) = migrated_with(MEANT_OTHERWISE, "SELECT");
    let lost = |kind: &str| -> Vec<&str> {
        let of_kind = outcome.plan.losses.iter().filter(|loss| loss.kind.name() == kind);
        let mut names: Vec<&str> = of_kind.map(|loss| loss.object.trim_start_matches("public.")).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        lost("generated column"),
        ["computed_keys.b", "not_numbers.g", "not_numbers.i", "wholes.b"],
        "{:?}",
        outcome.plan.losses
    );
    assert_eq!(lost("check"), ["wholes.wholes_c_check"]);
    assert_eq!(
        lost("foreign key"),
        [
            "document_children.document_children_v_fkey",
            "list_children.list_children_v_fkey",
            "range_children.range_children_v_fkey",
            "span_children.span_children_v_fkey",
            "zero_children.zero_children_v_fkey"
        ]
    );
    for key in ["spans.spans_pkey", "documents.documents_pkey", "lists.lists_pkey", "ranges.ranges_pkey"] {
        let object = format!("public.{key}");
        assert!(outcome.plan.caveats.iter().any(|caveat| caveat.object == object), "{key}: {:?}", outcome.plan.caveats);
    }
    let value = |sql: &str| -> String {
        connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    assert_eq!(value("SELECT three || '|' FROM cut_view"), "abc|");
    connection.execute_batch("INSERT INTO cut (id, v) VALUES (2, 'zz')").expect_err("the check");
    connection.execute_batch("INSERT INTO cut (id, v) VALUES (2, 'abx')").expect_err("the unique index");
    assert_eq!(value("SELECT dflt_value FROM pragma_table_info('cut') WHERE name = 'd'"), "'ab'");
    assert_eq!(value("SELECT group_concat(first) FROM (SELECT first FROM scalars ORDER BY id)"), "0,1,1,0");
    connection.execute_batch("INSERT INTO scalars (id, w) VALUES (5, '{}')").expect_err("the check");
}

/// A constraint that is known to mean a little less in the target refuses a row: the error says what the plan knows.
#[test]
fn what_refuses_a_row_says_what_is_known_of_it() {
    for (sql, object, known) in [
        (
            "CREATE TABLE t (v text CONSTRAINT shouted CHECK (upper(v) = 'É')); INSERT INTO t VALUES ('é');",
            "table `public.t`",
            "upper() changes only ASCII letters",
        ),
        (
            "CREATE TABLE t (v text, w integer); CREATE UNIQUE INDEX whispered ON t (w) WHERE lower(v) = v;
             INSERT INTO t VALUES ('É', 1), ('é', 1);",
            "index `whispered` of table `public.t`",
            "lower() changes only ASCII letters",
        ),
    ] {
        let database = shared().expect("a PostgreSQL server").create_database("known").expect("a database");
        Server::connect(&database.url()).run(sql);
        let directory = tempfile::tempdir().expect("a directory");
        let mut job = Job::new(directory.path().join("known.db"));
        let error = migrate(&database.url(), &job).expect_err(sql);
        assert!(error.to_string().contains(object), "{error}");
        let hint = error.way_out().unwrap_or_default();
        assert!(hint.contains(known) && hint.contains("`tables.exclude_objects`"), "{error}: {hint}");
        let named = ["shouted", "whispered"].into_iter().filter(|name| sql.contains(name));
        job.options.run.choices.tables.exclude_objects = named.map(str::to_owned).collect();
        migrate(&database.url(), &job).expect("a file").ensure_published().expect("the same rows");
    }
}
