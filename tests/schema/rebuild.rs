//! SQLite: what a rebuilt table gets back, what names it, and whose damage is whose.

use std::time::Duration;

use whimbrel::error::Kind;
use whimbrel::schema::{Runner, RunnerOptions, To};

use crate::support::runner::Project;

/// A table with everything that a rebuild can lose, two children, a view over a view, and triggers of its own and of
/// another table that name it.
const BASE: &str =
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL, parent INTEGER REFERENCES t(id)) STRICT;
CREATE TABLE log(what TEXT);
CREATE TABLE child(t INTEGER REFERENCES t(id));
CREATE INDEX t_a ON t(a);
CREATE UNIQUE INDEX t_part ON t(a) WHERE t.a <> '';
CREATE TRIGGER t_log AFTER UPDATE OF a ON t BEGIN INSERT INTO log VALUES (NEW.a); END;
CREATE TRIGGER child_t AFTER INSERT ON child BEGIN UPDATE t SET a = a || '!' WHERE id = NEW.t; END;
CREATE VIEW v AS SELECT id, a FROM t;
CREATE VIEW over AS SELECT a FROM v;
CREATE TRIGGER v_insert INSTEAD OF INSERT ON v BEGIN INSERT INTO t(a) VALUES (NEW.a); END;
INSERT INTO t(a) VALUES ('x'), ('y'), ('z');
INSERT INTO child VALUES (1);
UPDATE t SET parent = 1 WHERE id = 2;
DELETE FROM t WHERE id = 3;";

const NEW: &str = "CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL, parent INTEGER REFERENCES t(id), b TEXT) STRICT;
INSERT INTO n(id, a, parent) SELECT id, a, parent FROM t;
DROP TABLE t;
ALTER TABLE n RENAME TO t;
";

const BACK: &str = "CREATE INDEX t_a ON t(a);
CREATE UNIQUE INDEX t_part ON t(a) WHERE t.a <> '';
CREATE TRIGGER t_log AFTER UPDATE OF a ON t BEGIN INSERT INTO log VALUES (NEW.a); END;
";

/// The base, and what applying `second` after it says.
fn second(second: &str) -> (Project, whimbrel::Result<()>) {
    after(BASE, second)
}

fn after(first: &str, second: &str) -> (Project, whimbrel::Result<()>) {
    let project = Project::new(&[("1_base.up.sql", first), ("2_next.up.sql", second)]);
    project.runner().up(To::Steps(1)).unwrap();
    let result = project.runner().up(To::Newest).map(|_| ());
    (project, result)
}

/// The refusal, which left everything as it was.
fn refusal(first: &str, sql: &str) -> (String, String) {
    let (project, result) = after(first, sql);
    let error = result.expect_err(sql);
    assert_eq!(error.kind(), Kind::Differs, "{sql}: {error}");
    assert_eq!(project.number("SELECT max(version) FROM schema_migrations"), 1);
    let validated = project.runner().validate().unwrap().problems();
    assert_eq!(validated.len(), 1, "only what is pending: {validated:?}");
    (error.to_string(), error.way_out().unwrap_or_default().to_owned())
}

// ── What goes has to come back ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_rebuild_that_brings_everything_back_works_under_views_and_triggers_that_name_the_table() {
    let (project, result) = second(&format!("{NEW}{BACK}"));
    result.unwrap();
    assert_eq!(project.number("SELECT count(*) FROM over"), 2);
    // The view's own trigger, the other table's and the table's own all fire.
    project.execute("INSERT INTO v(a) VALUES ('w'); INSERT INTO child VALUES (4)");
    assert_eq!(
        project.number("SELECT count(*) FROM t WHERE a = 'w!' AND id = 4"),
        1,
        "the id of the deleted row is not given again"
    );
    assert_eq!(project.number("SELECT count(*) FROM log WHERE what = 'w!'"), 1);
    assert_eq!(project.number("SELECT count(*) FROM sqlite_sequence WHERE name IN ('t', 'n')"), 1);
    assert!(project.runner().validate().unwrap().is_clean());
}

#[test]
fn what_does_not_come_back_is_named_and_can_be_declared() {
    let all = ["index t_a", "index t_part", "trigger t_log"];
    for missing in all {
        let name = missing.split(' ').next_back().unwrap();
        let rest: String =
            BACK.lines().filter(|line| !line.contains(&format!(" {name} "))).map(|line| format!("{line}\n")).collect();
        let (told, hint) = refusal(BASE, &format!("{NEW}{rest}"));
        assert!(told.contains(&format!("`{name}` of `t`")) && told.contains("not back"), "{told}");
        assert!(hint.contains(&format!("-- whimbrel: loses {missing}`")), "{hint}");
        second(&format!("-- whimbrel: loses {missing}\n{NEW}{rest}")).1.unwrap();
    }
    let (told, hint) = refusal(BASE, NEW);
    assert!(all.iter().all(|thing| hint.contains(thing)), "{told} {hint}");
    second(&format!("-- whimbrel: loses {}\n{NEW}", all.join(", "))).1.unwrap();
    // An index that does the same under another name is one that came back; so is a trigger that was written anew.
    let renamed = BACK.replace("INDEX t_a ", "INDEX t_again ").replace("(NEW.a)", "(NEW.a || OLD.a)");
    second(&format!("{NEW}{renamed}")).1.unwrap();
}

#[test]
fn what_was_dropped_by_name_for_a_rebuild_has_to_come_back_too() {
    let first = format!("DROP VIEW over;\nDROP VIEW v;\nDROP TRIGGER child_t;\n{NEW}{BACK}");
    let (told, _) = refusal(BASE, &first);
    for thing in ["view `v`", "view `over`", "trigger `child_t` of `child`"] {
        assert!(told.contains(thing), "{thing}: {told}");
    }
    // A view that is made again has its triggers no more.
    let again = "CREATE VIEW v AS SELECT id, a FROM t;\nCREATE VIEW over AS SELECT a FROM v;\n\
                 CREATE TRIGGER child_t AFTER INSERT ON child BEGIN SELECT 1; END;";
    let (told, _) = refusal(BASE, &format!("{first}{again}"));
    assert!(told.contains("trigger `v_insert` of `v`") && !told.contains("child_t"), "{told}");
    second(&format!("-- whimbrel: loses trigger v_insert\n{first}{again}")).1.unwrap();
    let (told, _) = refusal(BASE, "DROP VIEW v;\nCREATE VIEW v AS SELECT a, id FROM t;");
    assert!(told.contains("trigger `v_insert` of `v`"), "{told}");
    // Without a rebuild, to drop is what was meant.
    second("DROP VIEW over;\nDROP TRIGGER child_t;\nDROP INDEX t_a;").1.unwrap();
}

#[test]
fn an_index_of_the_same_name_is_not_back_without_unique() {
    let (told, hint) = refusal(BASE, &format!("{NEW}{}", BACK.replace("CREATE UNIQUE INDEX", "CREATE INDEX")));
    assert!(told.contains("index `t_part` of `t`") && !told.contains("t_a"), "{told}");
    assert!(hint.contains("loses index t_part"), "{hint}");
    // Other columns are what a rebuild is for.
    second(&format!("{NEW}{}", BACK.replace("t_a ON t(a)", "t_a ON t(a, b)"))).1.unwrap();
}

#[test]
fn two_tables_that_exchange_their_names_keep_their_rows() {
    let first = "CREATE TABLE a(n); CREATE TABLE b(n); INSERT INTO a VALUES (1), (2), (3); INSERT INTO b VALUES (4);";
    let exchange = "ALTER TABLE a RENAME TO tmp;\nALTER TABLE b RENAME TO a;\nALTER TABLE tmp RENAME TO b;";
    let (project, result) = after(first, exchange);
    result.unwrap();
    assert_eq!(project.number("SELECT (SELECT count(*) FROM a) * 10 + (SELECT count(*) FROM b)"), 13);
    // Rows that go on the way are noticed all the same, under the name that the table had.
    let (told, _) = refusal(first, &format!("{exchange}\nDELETE FROM b WHERE n = 1;"));
    assert!(told.contains("table `a` had 3 rows and has 2"), "{told}");
}

#[test]
fn a_table_that_was_kept_aside_keeps_what_the_new_one_needs() {
    let base =
        "CREATE TABLE t(a);\nCREATE INDEX t_a ON t(a);\nCREATE TRIGGER t_g AFTER INSERT ON t BEGIN SELECT 1; END;";
    let (told, _) = refusal(base, "ALTER TABLE t RENAME TO archive;\nCREATE TABLE t(a);");
    assert!(told.contains("index `t_a` of `t`") && told.contains("trigger `t_g` of `t`"), "{told}");
    after(base, "-- whimbrel: loses index t_a, trigger t_g\nALTER TABLE t RENAME TO archive;\nCREATE TABLE t(a);")
        .1
        .unwrap();
    // What goes with a table for good goes with it.
    after(base, "DROP TABLE t;").1.unwrap();
    after(base, "ALTER TABLE t RENAME TO archive;").1.unwrap();
}

#[test]
fn the_kind_of_a_table_is_kept_or_declared() {
    for (first, second, thing) in [
        ("CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT;", "CREATE TABLE n(a INTEGER PRIMARY KEY);", "strict"),
        ("CREATE TABLE t(a TEXT PRIMARY KEY) WITHOUT ROWID;", "CREATE TABLE n(a TEXT PRIMARY KEY);", "without rowid"),
        ("CREATE TABLE t(a TEXT PRIMARY KEY, b);", "CREATE TABLE n AS SELECT * FROM t;", "primary key"),
        (
            "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT);",
            "CREATE TABLE n(a INTEGER PRIMARY KEY);",
            "autoincrement",
        ),
    ] {
        let rebuild = format!("{second}\nDROP TABLE t;\nALTER TABLE n RENAME TO t;");
        let (told, hint) = refusal(first, &rebuild);
        assert!(told.to_lowercase().contains(&format!("{thing} of `t`")), "{told}");
        let line = format!("-- whimbrel: loses {thing} t");
        assert!(hint.contains(&line), "{hint}");
        after(first, &format!("{line}\n{rebuild}")).1.unwrap();
        let same = first.replace("TABLE t", "TABLE n");
        let (_, kept) = after(first, &format!("{same}\nDROP TABLE t;\nALTER TABLE n RENAME TO t;"));
        kept.unwrap();
    }
}

#[test]
fn a_declaration_is_held_to_what_went() {
    for (line, how) in [
        ("loses index t_a", "the index `t_a` goes, and it stays"),
        ("loses trigger no_such", "the trigger `no_such` goes, and there was none"),
        ("loses view v", "the view `v` goes, and it stays"),
        ("loses autoincrement log", "the autoincrement `log` goes, and there was none"),
        ("loses strict log", "the strict `log` goes, and there was none"),
        ("loses foreign key child", "the foreign key `child` goes, and it stays"),
    ] {
        let (told, hint) = refusal(BASE, &format!("-- whimbrel: {line}\n{NEW}{BACK}"));
        assert!(told.contains(how), "{line}: {told}");
        assert!(hint.contains(&format!("take `{line}` out of the header")), "{hint}");
        refusal(BASE, &format!("-- whimbrel: {line}\nUPDATE log SET what = '';"));
    }
    refusal(BASE, "-- whimbrel: loses autoincrement t\nUPDATE t SET a = '';");
}

// ── Ids ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn no_id_is_given_twice_whatever_way_the_table_was_rebuilt() {
    let base = "CREATE TABLE Orders(id INTEGER PRIMARY KEY AUTOINCREMENT, a);\nINSERT INTO Orders VALUES (500, 1);\nDELETE FROM Orders;";
    let create = "CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, a, b);";
    let ways = [
        format!("{create}\nDROP TABLE orders;\nALTER TABLE n RENAME TO orders;"),
        format!(
            "{create}\nINSERT INTO n(a) VALUES (7);\nDELETE FROM n;\nDROP TABLE Orders;\nALTER TABLE n RENAME TO \"Orders\";"
        ),
        "ALTER TABLE Orders RENAME TO o;\nCREATE TABLE Orders(id INTEGER PRIMARY KEY AUTOINCREMENT, a);\nDROP TABLE o;"
            .to_owned(),
        "DROP TABLE Orders;\nCREATE TABLE Orders(id INTEGER PRIMARY KEY AUTOINCREMENT, a);".to_owned(),
        // One that takes care of it by itself.
        format!(
            "{create}\nDROP TABLE Orders;\nALTER TABLE n RENAME TO Orders;\nINSERT INTO sqlite_sequence VALUES ('Orders', 600);"
        ),
        format!("-- whimbrel: no-transaction\n{create}\nDROP TABLE Orders;\nALTER TABLE n RENAME TO Orders;"),
    ];
    for way in ways {
        let (project, result) = after(base, &way);
        result.expect(&way);
        let highest = if way.contains("600") { 600 } else { 500 };
        assert_eq!(
            project.number("SELECT seq FROM sqlite_sequence WHERE name = 'Orders' COLLATE NOCASE"),
            highest,
            "{way}"
        );
        assert_eq!(project.number("SELECT count(*) FROM sqlite_sequence"), 1, "{way}");
        assert_eq!(project.number("INSERT INTO Orders(a) VALUES (1) RETURNING id"), highest + 1, "{way}");
    }
    let lowered =
        format!("{create}\nDROP TABLE Orders;\nALTER TABLE n RENAME TO Orders;\nDELETE FROM sqlite_sequence;");
    let (told, _) = refusal(base, &lowered);
    assert!(told.contains("ids of `Orders` up to 500, which begin again behind 0"), "{told}");
    let (project, result) = after(base, &format!("-- whimbrel: loses autoincrement orders\n{lowered}"));
    result.unwrap();
    assert_eq!(project.number("INSERT INTO Orders(a) VALUES (1) RETURNING id"), 1);
}

// ── Renames ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_plain_rename_carries_every_reference_over_as_sqlite_does() {
    for header in ["", "-- whimbrel: no-transaction\n"] {
        // Also beside a rebuild in the same script.
        for beside in ["", "CREATE TABLE log2(what TEXT);\nDROP TABLE log;\nALTER TABLE log2 RENAME TO log;\n"] {
            let loses = if beside.is_empty() { "" } else { "-- whimbrel: loses log\n" };
            let (project, result) = second(&format!("{header}{loses}{beside}ALTER TABLE t RENAME TO things;"));
            result.unwrap_or_else(|error| panic!("{header}{beside}: {error}"));
            let rest = "SELECT count(*) FROM sqlite_schema WHERE name <> 'schema_migrations' AND \
                        (sql LIKE '% t %' OR sql LIKE '% t(%' OR sql LIKE '% t.%')";
            assert_eq!(project.number(rest), 0);
            project.execute("INSERT INTO v(a) VALUES ('w'); INSERT INTO child VALUES (4)");
            assert_eq!(project.number("SELECT count(*) FROM things WHERE a = 'w!'"), 1);
            assert_eq!(
                project.number("SELECT count(*) FROM pragma_foreign_key_list('child') WHERE \"table\" = 'things'"),
                1
            );
            assert_eq!(project.number("SELECT count(*) FROM over"), 3);
        }
    }
}

#[test]
fn at_the_end_of_a_rebuild_references_to_the_new_tables_first_name_follow_it() {
    // A key to itself, a check, a partial index, a trigger, all under the name that the table had first.
    let sql = "CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL CHECK (n.a <> 'q'), parent INTEGER REFERENCES n(id)) STRICT;
INSERT INTO n SELECT * FROM t;
CREATE TRIGGER n_g AFTER DELETE ON n BEGIN UPDATE n SET parent = NULL WHERE parent = OLD.id; END;
DROP TABLE t;
CREATE INDEX t_a ON n(a);
CREATE UNIQUE INDEX t_part ON n(a) WHERE n.a <> '';
CREATE TRIGGER t_log AFTER UPDATE OF a ON n BEGIN INSERT INTO log VALUES (NEW.a); END;
ALTER TABLE n RENAME TO t;";
    for header in ["", "-- whimbrel: no-transaction\n-- whimbrel: loses t\n"] {
        let (project, result) = second(&format!("{header}{sql}"));
        result.unwrap();
        project.execute("DELETE FROM child; DELETE FROM t WHERE id = 1");
        assert_eq!(project.number("SELECT count(*) FROM t WHERE parent IS NULL"), 1);
        assert_eq!(project.number("SELECT count(*) FROM pragma_foreign_key_list('t') WHERE \"table\" = 't'"), 1);
        let problems = project.runner().validate().unwrap().problems();
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn a_trigger_that_names_the_old_table_before_it_is_back_is_taken_along() {
    let (project, result) = second(&format!(
        "CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL, parent INTEGER REFERENCES t(id)) STRICT;
INSERT INTO n SELECT * FROM t;\nDROP TABLE t;
CREATE TRIGGER early AFTER DELETE ON n BEGIN UPDATE t SET parent = NULL WHERE parent = OLD.id; END;
ALTER TABLE n RENAME TO t;\n{BACK}"
    ));
    result.unwrap();
    // As another connection reads it.
    project.execute("DELETE FROM child; DELETE FROM t WHERE id = 1");
    assert_eq!(project.number("SELECT count(*) FROM t WHERE parent IS NULL"), 1);
}

#[test]
fn two_tables_under_one_view_are_rebuilt_in_one_migration() {
    let base = "CREATE TABLE a(x);\nCREATE TABLE b(y);\nCREATE VIEW both AS SELECT x, y FROM a, b;\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (2);";
    let (project, result) = after(
        base,
        "CREATE TABLE a2(x, z);\nINSERT INTO a2 SELECT x, 0 FROM a;\nCREATE TABLE b2(y, z);\nINSERT INTO b2 SELECT y, 0 FROM b;\n\
         DROP TABLE a;\nDROP TABLE b;\nALTER TABLE a2 RENAME TO a;\nALTER TABLE b2 RENAME TO b;",
    );
    result.unwrap();
    assert_eq!(project.number("SELECT x + y FROM both"), 3);
}

// ── What can no longer be used ──────────────────────────────────────────────────────────────────────────────────────

#[test]
fn what_a_migration_breaks_is_named_each_with_its_reason() {
    let keep = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);\nCREATE TABLE log(a, b);\n";
    let rebuilt = "CREATE TABLE n(id INTEGER PRIMARY KEY, renamed, b);\nDROP TABLE t;\nALTER TABLE n RENAME TO t;";
    for (first, second, told_as) in [
        (
            "CREATE VIEW v AS SELECT a FROM t;\nCREATE VIEW w AS SELECT * FROM v;",
            rebuilt,
            "view `v`: no such column: a; view `w`",
        ),
        (
            "CREATE TRIGGER g AFTER INSERT ON log BEGIN UPDATE t SET a = 1; END;",
            rebuilt,
            "trigger `g`: no such column: a",
        ),
        // Read again word for word, it waits for a column that is gone, and SQLite says nothing.
        (
            "CREATE TRIGGER g AFTER UPDATE OF a, b ON t BEGIN SELECT 1; END;",
            "CREATE TABLE n(id INTEGER PRIMARY KEY, renamed, b);\nDROP TABLE t;\nALTER TABLE n RENAME TO t;\n\
             CREATE TRIGGER g AFTER UPDATE OF a, b ON t BEGIN SELECT 1; END;",
            "trigger `g`: `t` has no column `a`, whose update it waits for",
        ),
        // A statement that only compiling it refuses.
        (
            "CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO log VALUES (OLD.a, OLD.b); END;",
            "ALTER TABLE log ADD COLUMN c;",
            "trigger `g`: table log has 3 columns but 2 values were supplied",
        ),
        ("CREATE VIEW v AS SELECT * FROM t;", "DROP TABLE t;", "view `v`: no such table: main.t"),
        (
            "CREATE TRIGGER g AFTER INSERT ON log BEGIN DELETE FROM t; END;",
            "DROP TABLE t;",
            "trigger `g`: no such table: main.t",
        ),
        ("CREATE TABLE c(t REFERENCES t);", "DROP TABLE t;", "foreign key of `c`: no such table: main.t"),
        (
            "CREATE UNIQUE INDEX u ON t(a);\nCREATE TABLE c(t REFERENCES t(a));",
            "DROP INDEX u;",
            "foreign key of `c`: foreign key mismatch",
        ),
        (
            "CREATE VIEW v AS SELECT * FROM t;\nCREATE VIEW w AS SELECT * FROM v;",
            "DROP VIEW v;",
            "view `w`: no such table: main.v",
        ),
        // In the old order everything follows the table that is dropped at the end.
        (
            "CREATE VIEW v AS SELECT a FROM t;",
            "ALTER TABLE t RENAME TO old;\nCREATE TABLE t(id INTEGER PRIMARY KEY, a);\nDROP TABLE old;",
            "view `v`: no such table: main.old",
        ),
    ] {
        let (told, hint) = refusal(&format!("{keep}{first}"), second);
        assert!(told.contains(told_as), "{second}: {told}");
        assert!(hint.contains("-- whimbrel: loses "), "{hint}");
        assert_eq!(hint.contains("only then rename"), second.contains("TO old"), "{hint}");
        let declared = hint.split("-- whimbrel: ").nth(1).unwrap().split('`').next().unwrap();
        after(&format!("{keep}{first}"), &format!("-- whimbrel: {declared}\n{second}"))
            .1
            .unwrap_or_else(|error| panic!("{declared}: {error}"));
    }
}

#[test]
fn the_trigger_that_is_broken_is_told_apart_from_those_beside_it() {
    let base = "CREATE TABLE t(a);\nCREATE TABLE one(a);\nCREATE TABLE two(a);\n\
                CREATE TRIGGER first AFTER INSERT ON t BEGIN INSERT INTO one VALUES (1); END;\n\
                CREATE TRIGGER second AFTER INSERT ON t BEGIN INSERT INTO two VALUES (1); END;\n\
                CREATE TRIGGER far AFTER INSERT ON one BEGIN INSERT INTO t VALUES (1); END;";
    let (told, _) = refusal(base, "DROP TABLE two;");
    assert!(told.ends_with(": trigger `second`: no such table: main.two"), "{told}");
}

#[test]
fn what_was_of_no_use_before_or_needs_the_applications_connection_is_not_blamed_on_a_migration() {
    let base = "CREATE TABLE t(a);\nCREATE TABLE other(b);";
    let project = Project::new(&[("1_base.up.sql", base)]);
    project.runner().up(To::Newest).unwrap();
    project.execute(
        "CREATE VIEW stale AS SELECT * FROM nowhere; CREATE VIEW app AS SELECT of_the_application(a) FROM t;
         CREATE TRIGGER g AFTER INSERT ON other BEGIN SELECT of_the_application(NEW.b); END;
         CREATE TABLE c(x REFERENCES nowhere)",
    );
    project.write("2_next.up.sql", "ALTER TABLE t ADD COLUMN d;\nDROP TABLE other;");
    project.runner().up(To::Newest).unwrap();
    // SQLite itself reads every view for a rename, and names the one that it stumbles over.
    project.write("3_rename.up.sql", "ALTER TABLE t RENAME TO u;");
    let error = project.runner().up(To::Newest).unwrap_err();
    assert!(error.cause().contains("error in view stale: no such table: main.nowhere"), "{error}");
}

#[test]
fn a_rebuild_without_a_transaction_is_held_to_the_same() {
    let header = "-- whimbrel: no-transaction\n-- whimbrel: loses t\n";
    let (project, result) = second(&format!("{header}{NEW}"));
    let error = result.unwrap_err();
    assert!(
        error.cause().contains("index `t_a` of `t`") && error.cause().contains("4 of 4 statements are done and stay"),
        "{error}"
    );
    project.write("2_next.up.sql", &format!("{header}{NEW}{BACK}"));
    project.runner().resume().unwrap();
    let problems = project.runner().validate().unwrap().problems();
    assert!(problems.is_empty(), "{problems:?}");
    second(&format!("{header}{NEW}{BACK}")).1.unwrap();
}

#[test]
fn a_connection_of_the_application_gets_its_settings_back() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.execute_batch("PRAGMA legacy_alter_table = ON; PRAGMA foreign_keys = ON").unwrap();
    let files = [("1_base.up.sql", BASE), ("2_plain.up.sql", "ALTER TABLE t RENAME TO things;")];
    let migrations = whimbrel::schema::Migrations::from_files("test", files).unwrap();
    let mut runner = Runner::on_connection(connection, migrations, RunnerOptions::default());
    runner.up(To::Newest).unwrap();
    let connection = runner.into_connection().unwrap();
    for name in ["legacy_alter_table", "foreign_keys"] {
        assert!(connection.pragma_query_value::<bool, _>(None, name, |row| row.get(0)).unwrap(), "{name}");
    }
    connection.execute_batch("INSERT INTO v(a) VALUES ('w')").unwrap();
}

// ── Whose damage ────────────────────────────────────────────────────────────────────────────────────────────────────

/// Gives a connection a function of the application's, which claims to be steady and counts its calls.
fn give_function(connection: &rusqlite::Connection, name: &str) {
    use rusqlite::ffi;
    use std::sync::atomic::{AtomicI64, Ordering};
    static CALLS: AtomicI64 = AtomicI64::new(0);
    unsafe extern "C" fn call(context: *mut ffi::sqlite3_context, _: std::ffi::c_int, _: *mut *mut ffi::sqlite3_value) {
        // SAFETY: SQLite gives the context of the call.
        unsafe { ffi::sqlite3_result_int64(context, CALLS.fetch_add(1, Ordering::Relaxed)) }
    }
    let name = std::ffi::CString::new(name).unwrap();
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_DETERMINISTIC;
    // SAFETY: the connection is open, the name is ended by NUL, and the function needs nothing that could go away.
    let code = unsafe {
        let (handle, none) = (connection.handle(), std::ptr::null_mut());
        ffi::sqlite3_create_function_v2(handle, name.as_ptr(), 1, flags, none, Some(call), None, None, None)
    };
    assert_eq!(code, ffi::SQLITE_OK);
}

/// A file with an index that lacks an entry, and a migration that is pending.
fn damaged() -> Project {
    let project = Project::new(&[
        (
            "1_a.up.sql",
            "CREATE TABLE a(b TEXT);\nCREATE INDEX a_b ON a(b);\nINSERT INTO a VALUES ('x');\nCREATE TABLE c(d);",
        ),
        ("1_a.down.sql", "-- whimbrel: lossy\nDROP TABLE c;\nDROP TABLE a;"),
    ]);
    project.runner().up(To::Newest).unwrap();
    project
        .execute("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = NULL, type = 'gone' WHERE name = 'a_b';");
    project.execute("PRAGMA writable_schema = ON; INSERT INTO a VALUES ('y'); UPDATE sqlite_schema SET type = 'index', sql = 'CREATE INDEX a_b ON a(b)' WHERE name = 'a_b'");
    project
}

#[test]
fn old_damage_is_told_before_the_first_statement_in_either_direction() {
    let project = damaged();
    project.write("2_b.up.sql", "CREATE TABLE e(f);");
    let unchecked = || RunnerOptions { check_integrity: false, ..RunnerOptions::default() };
    for error in [project.runner().up(To::Newest).unwrap_err(), project.runner().down(To::Steps(1)).unwrap_err()] {
        assert_eq!(error.kind(), Kind::Differs);
        assert!(
            error.cause().contains("it was damaged before migration") && error.cause().contains("nothing was run"),
            "{error}"
        );
        assert!(error.cause().contains("a_b"), "{error}");
        assert!(error.way_out().unwrap().contains("--no-integrity"), "{error:?}");
    }
    assert_eq!(project.tables(), ["a", "c"]);
    let dry = RunnerOptions { dry_run: true, ..RunnerOptions::default() };
    assert!(project.runner_with(dry).up(To::Newest).unwrap_err().cause().contains("before migration `2_b` began"));
    project.runner_with(unchecked()).up(To::Newest).unwrap();
    // And such a migration can repair it.
    project.write("3_repair.up.sql", "REINDEX a;");
    project.runner_with(unchecked()).up(To::Newest).unwrap();
    project.write("4_next.up.sql", "CREATE TABLE g(h);");
    project.runner().up(To::Newest).unwrap();
}

#[test]
fn damage_that_a_migration_does_is_told_as_its_own() {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    give_function(&connection, "unsteady");
    let files = [
        ("1_a.up.sql", "CREATE TABLE a(b);\nINSERT INTO a VALUES (1), (2);"),
        ("2_i.up.sql", "CREATE INDEX i ON a(unsteady(b));"),
    ];
    let migrations = whimbrel::schema::Migrations::from_files("test", files).unwrap();
    let mut runner = Runner::on_connection(connection, migrations, RunnerOptions::default());
    let error = runner.up(To::Newest).unwrap_err();
    assert!(
        error.to_string().starts_with("keep the integrity of `2_i`: the file was sound before this migration"),
        "{error}"
    );
    assert_eq!(runner.status().unwrap().version, 1);
}

#[test]
fn keys_that_were_broken_before_are_told_so_and_a_migration_can_repair_them() {
    let project = Project::new(&[(
        "1_a.up.sql",
        "CREATE TABLE a(id INTEGER PRIMARY KEY);\nCREATE TABLE c(a REFERENCES a);\nINSERT INTO a VALUES (1);\nINSERT INTO c VALUES (1);",
    )]);
    project.runner().up(To::Newest).unwrap();
    let connection = rusqlite::Connection::open(project.database()).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (98), (99)").unwrap();
    let refused = |sql: &str| {
        project.write("2_b.up.sql", sql);
        project.runner().up(To::Newest).unwrap_err()
    };
    for sql in ["CREATE TABLE e(f);", "UPDATE a SET id = id;", "-- whimbrel: loses c\nDELETE FROM c WHERE a = 98;"] {
        let error = refused(sql);
        assert!(
            error.cause().contains("broken before this migration began, and it does not repair them"),
            "{sql}: {error}"
        );
        assert!(error.way_out().unwrap().contains("in a migration of their own"), "{error:?}");
    }
    let error = refused("-- whimbrel: loses a\nDELETE FROM a;");
    assert!(!error.cause().contains("before this migration"), "{error}");
    project.write("2_b.up.sql", "-- whimbrel: loses c\nDELETE FROM c WHERE a NOT IN (SELECT id FROM a);");
    project.write("3_c.up.sql", "CREATE TABLE e(f);");
    project.runner().up(To::Newest).unwrap();
}

#[test]
fn a_definition_that_only_the_application_can_read_stops_no_migration() {
    let project = Project::new(&[(
        "1_a.up.sql",
        "CREATE TABLE a(b);\nCREATE TABLE c(d TEXT);\nCREATE INDEX c_d ON c(d);\nINSERT INTO c VALUES ('x');",
    )]);
    project.runner().up(To::Newest).unwrap();
    let connection = project.connection();
    give_function(&connection, "own");
    connection.execute_batch("CREATE INDEX a_own ON a(own(b)); INSERT INTO a VALUES (1)").unwrap();
    drop(connection);
    project.write("2_b.up.sql", "CREATE TABLE e(f);");
    let options = RunnerOptions { lock_timeout: Duration::from_secs(1), ..RunnerOptions::default() };
    project.runner_with(options).up(To::Newest).unwrap();
}
