//! Scripts as people, editors and other programs leave them: line ends, encodings, names.

use whimbrel::schema::{Migrations, To, checksum};

use crate::support::runner::{Postgres, Project};

const UP: &str = "-- a note\nCREATE TABLE a(b text);\nINSERT INTO a VALUES ('one\ntwo'), ('three\r\nfour');\n\
                  CREATE VIEW v AS SELECT b || '\n' AS c FROM a;\n";
const DOWN: &str = "-- whimbrel: lossy\n-- whimbrel: loses a\nDROP VIEW v;\nDELETE FROM a WHERE b <> 'one\ntwo';\nALTER TABLE a RENAME TO kept;\n";

fn windows(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn project(convert: impl Fn(&str) -> String) -> Project {
    Project::new(&[("1_a.up.sql", &convert(UP)), ("1_a.down.sql", &convert(DOWN))])
}

#[test]
fn a_line_end_in_a_literal_is_kept_and_checksums_do_not_know_it() {
    let unix = project(str::to_owned);
    unix.runner().up(To::Newest).unwrap();
    assert_eq!(
        unix.number(
            "SELECT count(*) FROM a WHERE b IN ('one' || char(10) || 'two', 'three' || char(13, 10) || 'four')"
        ),
        2
    );
    let dos = project(windows);
    dos.runner().up(To::Newest).unwrap();
    assert_eq!(
        dos.number(
            "SELECT count(*) FROM a WHERE b IN ('one' || char(13, 10) || 'two', 'three' || char(13, 10) || 'four')"
        ),
        2
    );
    let sums = |project: &Project| {
        let migrations = project.migrations();
        let migration = migrations.get(1).unwrap();
        (migration.up_checksum.clone(), migration.down_checksum.clone())
    };
    // As it was for files of either kind.
    assert_eq!(sums(&unix), sums(&dos));
    assert_eq!(sums(&unix), (checksum(UP), Some(checksum(DOWN))));
    // A checkout with the other line ends finds nothing changed, nothing drifted and nothing to repair.
    for (name, text) in [("1_a.up.sql", UP), ("1_a.down.sql", DOWN)] {
        dos.write(name, text);
        unix.write(name, &windows(text));
    }
    for project in [&unix, &dos] {
        let findings = project.runner().validate().unwrap();
        assert!(findings.is_clean(), "{:?}", findings.problems());
        assert!(project.runner().repair(1).unwrap_err().cause().contains("nothing of it has changed"));
        project.migrations().expect_same_as_dir(project.migrations_dir()).unwrap();
    }
    // The way back is that of the files which went up.
    unix.runner().down(To::Version(0)).unwrap();
    dos.runner().down(To::Version(0)).unwrap();
    assert_eq!(unix.number("SELECT count(*) FROM kept WHERE b = 'one' || char(10) || 'two'"), 1);
    assert_eq!(dos.number("SELECT count(*) FROM kept WHERE b = 'one' || char(13, 10) || 'two'"), 1);
}

#[test]
fn postgres_keeps_them_too() {
    let body = "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\nSELECT 'x\ny'\n$$;\n";
    let of = |convert: fn(&str) -> String| {
        let project = project(convert);
        project.write("2_f.up.sql", &convert(body));
        let postgres = Postgres::new();
        project.runner_for(&postgres.url).up(To::Newest).unwrap();
        (project, postgres)
    };
    for (convert, other, end) in [
        (str::to_owned as fn(&str) -> String, windows as fn(&str) -> String, "E'\\n'"),
        (windows, str::to_owned, "E'\\r\\n'"),
    ] {
        let (project, postgres) = of(convert);
        assert_eq!(postgres.number(&format!("SELECT count(*) FROM a WHERE b = 'one' || {end} || 'two'")), 1);
        assert_eq!(postgres.number(&format!("SELECT count(*) FROM f() x WHERE x = 'x' || {end} || 'y'")), 1);
        project.write("1_a.up.sql", &other(UP));
        project.write("1_a.down.sql", &other(DOWN));
        project.write("2_f.up.sql", &other(body));
        let findings = project.runner_for(&postgres.url).validate().unwrap();
        assert!(findings.is_clean(), "{:?}", findings.problems());
    }
}

#[test]
fn a_run_that_stopped_is_resumed_from_another_checkout() {
    let broken = "-- whimbrel: no-transaction\nCREATE TABLE a(b\n);\nINSERT INTO nowhere\nVALUES (1);\n";
    let project = Project::new(&[("1_a.up.sql", &windows(broken))]);
    project.runner().up(To::Newest).unwrap_err();
    project.write("1_a.up.sql", &broken.replace("nowhere", "a"));
    project.runner().resume().unwrap();
    assert_eq!(project.number("SELECT count(*) FROM a"), 1);
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_script() {
    let project = project(|text| format!("\u{feff}{}", windows(text)));
    project.runner().up(To::Newest).unwrap();
    let postgres = Postgres::new();
    project.runner_for(&postgres.url).up(To::Newest).unwrap();
    assert_eq!(project.migrations().get(1).unwrap().up_checksum, checksum(UP));
}

#[test]
fn what_is_not_utf_8_is_named_with_its_line_and_a_way_out() {
    let project = project(str::to_owned);
    let read = |bytes: &[u8]| {
        std::fs::write(project.migrations_dir().join("2_b.up.sql"), bytes).unwrap();
        Migrations::from_dir(project.migrations_dir()).unwrap_err()
    };
    let error = read(b"CREATE TABLE b(c);\nINSERT INTO b VALUES ('caf\xe9');\n");
    assert!(error.object().contains("2_b.up.sql"), "{error}");
    assert!(error.cause().contains("line 2 has the byte e9") && error.way_out().unwrap().contains("UTF-8"), "{error}");
    let utf_16: Vec<u8> = "\u{feff}SELECT 1;".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = read(&utf_16);
    assert!(error.cause().contains("it is UTF-16") && error.way_out() == Some("save it as UTF-8"), "{error}");
}

#[test]
fn files_that_do_not_belong_together_say_what_to_rename() {
    let of = |files: &[&str]| {
        Migrations::from_files("test", files.iter().map(|file| (*file, "-- whimbrel: lossy\nSELECT 1;"))).unwrap_err()
    };
    for (files, cause, hint) in [
        (["0001_a.up.sql", "1_b.up.sql"], "`0001_a.up.sql` and `1_b.up.sql` have the same version 1", "another number"),
        (["0001_a.sql", "0001_a.up.sql"], "have the same version 1", "another number"),
        (["0001_a.down.sql", "1_a.down.sql"], "have the same version 1", "another number"),
        (
            ["0001_a.sql", "0001_a.down.sql"],
            "does not belong to `0001_a.sql`",
            "rename `0001_a.sql` to `0001_a.up.sql`",
        ),
        (["0001_a.up.sql", "0001_b.down.sql"], "does not belong to `0001_a.up.sql`", "to `0001_b.up.sql`"),
        (["0001_a.up.sql", "0002_b.down.sql"], "`0002_b.down.sql` has no up of the same name", "write `0002_b.up.sql`"),
        (["0001_a.up.sql", "0002_b.up.sql\r"], "does not end in `.sql`", "names are `0001_name.up.sql`"),
    ] {
        let error = of(&files);
        assert!(error.cause().contains(cause), "{files:?}: {error}");
        assert!(error.way_out().unwrap().contains(hint), "{files:?}: {error:?}");
    }
}
