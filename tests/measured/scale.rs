//! Cost grows no faster than the input: one migration of a schema and one of a schema four times as large, each with
//! everything but rows, and the processor's time of both compared.
//!
//! The source is a catalog in memory, so that no server's work is measured; `scripts/scale` measures with one.

use crate::support::turn::alone;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use whimbrel::cancel::Cancel;
use whimbrel::catalog::*;
use whimbrel::endpoint::{ReadTable, RowSink, Source};
use whimbrel::event::nobody;
use whimbrel::to_sqlite::{ApplySchema, Job, Outcome, migrate};

/// The name of a database whose target has a schema of its own.
const GIVEN: &str = "given";
/// How much larger the larger schema is.
const TIMES: usize = 4;
/// What is in proportion costs four times as much, what is quadratic sixteen times.
const GROWTH_MAX: f64 = 8.0;

/// A database of empty tables.
struct Empty(Arc<Catalog>);

impl Source for Empty {
    fn label(&self) -> &str {
        "a catalog in memory"
    }

    fn catalog(&mut self) -> whimbrel::Result<Arc<Catalog>> {
        Ok(Arc::clone(&self.0))
    }

    fn read(&mut self, tables: &[ReadTable<'_>], sink: &mut dyn RowSink) -> whimbrel::Result<()> {
        (0..tables.len()).try_for_each(|table| {
            sink.begin(table)?;
            sink.end(table)
        })
    }
}

fn column(name: impl Into<String>, spelling: &str, shape: Shape) -> Column {
    Column {
        name: name.into(),
        data_type: DataType::new(spelling, shape),
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        collation: None,
        comment: None,
    }
}

fn integer(name: impl Into<String>) -> Column {
    column(name, "integer", Shape::Integer)
}

fn key(name: impl Into<String>, column: &str) -> Key {
    Key {
        name: name.into(),
        columns: vec![column.to_owned()],
        nulls_not_distinct: false,
        deferrable: Deferrable::No,
        include: Vec::new(),
    }
}

/// A table with a key `id`, and whatever columns besides.
fn table(name: String, columns: Vec<Column>) -> Table {
    let id = Column { not_null: true, ..integer("id") };
    Table {
        primary_key: Some(key(format!("{name}_pkey"), "id")),
        name: QualifiedName::new("public", name),
        kind: TableKind::Ordinary,
        inherits: Vec::new(),
        has_heirs: false,
        columns: std::iter::once(id).chain(columns).collect(),
        unique_keys: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        indexes: Vec::new(),
        comment: None,
        row_estimate: 0,
        size_bytes: 0,
    }
}

fn index(name: String, column: &str) -> Index {
    Index {
        definition: format!("CREATE INDEX {name}"),
        name,
        unique: false,
        nulls_not_distinct: false,
        method: "btree".to_owned(),
        parts: vec![IndexPart {
            key: IndexKey::Column(column.to_owned()),
            descending: false,
            nulls_first: false,
            collation: None,
            operator_class: None,
        }],
        include: Vec::new(),
        predicate: None,
        valid: true,
    }
}

fn foreign_key(name: String, column: &str, parent: &str) -> ForeignKey {
    ForeignKey {
        name,
        columns: vec![column.to_owned()],
        references: QualifiedName::new("public", parent),
        referenced_columns: vec!["id".to_owned()],
        on_delete: Action::Cascade,
        on_update: Action::NoAction,
        on_delete_columns: Vec::new(),
        match_full: false,
        deferrable: Deferrable::No,
        validated: true,
    }
}

fn check(name: String, expression: String) -> Check {
    Check { name, expression, validated: true }
}

fn view(name: String, definition: String) -> View {
    View {
        name: QualifiedName::new("public", name),
        columns: vec!["a".to_owned()],
        definition,
        comment: None,
        takes_writes: false,
        checks_writes: false,
        secured: Vec::new(),
    }
}

fn catalog(tables: Vec<Table>, views: Vec<View>) -> Catalog {
    Catalog {
        dialect: Default::default(),
        engine: "none".to_owned(),
        database: "scale".to_owned(),
        collations: Default::default(),
        encoding: "UTF8".to_owned(),
        tables,
        views,
        sequences: Vec::new(),
        others: Vec::new(),
        layout: None,
    }
}

/// Ordinary tables: a serial key, a unique key, a check, a default, an index, a foreign key to the table before.
fn tables(count: usize) -> Catalog {
    let one = |number: usize| {
        let name = format!("t{number}");
        let text = column("email", "text", Shape::Text);
        let mut one = table(name.clone(), vec![text, integer("price"), integer("parent")]);
        one.columns[0].sequence = Some(QualifiedName::new("public", format!("{name}_id_seq")));
        one.columns[2].default = Some("7".to_owned());
        one.unique_keys.push(key(format!("{name}_email_key"), "email"));
        one.checks.push(check(format!("{name}_price_check"), "(price >= 0)".to_owned()));
        one.indexes.push(index(format!("{name}_price"), "price"));
        one.foreign_keys.push(foreign_key(format!("{name}_fkey"), "parent", &format!("t{}", number.saturating_sub(1))));
        one
    };
    let mut catalog = catalog((0..count).map(one).collect(), Vec::new());
    catalog.sequences = (0..count)
        .map(|number| Sequence {
            name: QualifiedName::new("public", format!("t{number}_id_seq")),
            data_type: "integer".to_owned(),
            last_value: Some(5),
            first_value: None,
            start: 1,
            increment: 1,
            min_value: 1,
            max_value: i64::from(i32::MAX),
            cache: 1,
            cycle: false,
            owned_by: Some((QualifiedName::new("public", format!("t{number}")), "id".to_owned())),
        })
        .collect();
    catalog
}

/// Tables for which a schema is given.
fn tables_of_a_given_schema(count: usize) -> Catalog {
    Catalog { database: GIVEN.to_owned(), ..tables(count) }
}

/// One table with that many columns, each with a default and a check, and a view of all.
fn columns(count: usize) -> Catalog {
    let names: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
    let column = |name: &String| Column { default: Some("1".to_owned()), not_null: true, ..integer(name) };
    let mut wide = table("wide".to_owned(), names.iter().map(column).collect());
    wide.checks = names.iter().map(|name| check(format!("{name}_check"), format!("({name} > 0)"))).collect();
    let mut all = view("all".to_owned(), format!("SELECT {} FROM public.wide", names.join(", ")));
    all.columns = names;
    catalog(vec![wide], vec![all])
}

/// One table with that many checks.
fn checks(count: usize) -> Catalog {
    let mut one = table("t".to_owned(), vec![integer("a")]);
    one.checks = (0..count).map(|n| check(format!("check_{n}"), format!("(a <> {})", n + 1))).collect();
    catalog(vec![one], Vec::new())
}

/// One table with that many foreign keys.
fn foreign_keys(count: usize) -> Catalog {
    let mut two: Vec<Table> = (0..2).map(|number| table(format!("t{number}"), vec![integer("a")])).collect();
    two[1].foreign_keys = (0..count).map(|n| foreign_key(format!("key_{n}"), "a", "t0")).collect();
    catalog(two, Vec::new())
}

/// One table with that many indexes.
fn indexes(count: usize) -> Catalog {
    let mut one = table("t".to_owned(), vec![integer("a")]);
    one.indexes = (0..count).map(|n| index(format!("index_{n}"), "a")).collect();
    catalog(vec![one], Vec::new())
}

/// One table whose columns are of an enum with that many labels.
fn labels(count: usize) -> Catalog {
    let labels = (0..count).map(|number| format!("label {number}")).collect();
    let shape = Shape::Enum(Enumeration { name: QualifiedName::new("public", "mood"), labels });
    let columns = ["a", "b"].map(|name| column(name, "mood", shape.clone()));
    catalog(vec![table("t".to_owned(), columns.into())], Vec::new())
}

/// That many views of one table, and of each a view that SQLite does not take.
fn views(count: usize) -> Catalog {
    let union = vec!["SELECT id AS a FROM public.t"; 501].join(" UNION ALL ");
    let sound = (0..count).map(|n| view(format!("v{n}"), format!("SELECT (id + {n}) AS a FROM public.t")));
    // Few of these: each is a long statement.
    let refused = (0..count / 50).map(|n| view(format!("w{n}"), union.clone()));
    catalog(vec![table("t".to_owned(), Vec::new())], sound.chain(refused).collect())
}

/// One table of that many partitions, and as many functions, which are only listed.
fn partitions(count: usize) -> Catalog {
    let mut one = table("t".to_owned(), vec![integer("k")]);
    one.kind = TableKind::Partitioned {
        partitions: (0..count).map(|n| QualifiedName::new("public", format!("p{n}"))).collect(),
        conditions: (0..count).map(|n| format!("(k = {n})")).collect(),
        foreign_keys: Vec::new(),
    };
    let mut catalog = catalog(vec![one], Vec::new());
    catalog.others = (0..count)
        .map(|n| OtherObject { kind: ObjectKind::Function, name: format!("public.f{n}()"), definition: None })
        .collect();
    catalog
}

/// The same tables as `tables`, as a schema that is given, with their indexes and a trigger each.
fn given(count: usize, file: &Path) {
    let connection = rusqlite::Connection::open(file).expect("a file");
    connection.execute_batch("PRAGMA synchronous = OFF; BEGIN").expect("a transaction");
    for n in 0..count {
        let parent = n.saturating_sub(1);
        let sql = format!(
            "CREATE TABLE t{n} (id INTEGER PRIMARY KEY, email TEXT UNIQUE, price INTEGER, parent INTEGER REFERENCES t{parent});
             CREATE INDEX t{n}_price ON t{n} (price); CREATE INDEX t{n}_parent ON t{n} (parent);
             CREATE TRIGGER t{n}_touch AFTER UPDATE ON t{n} BEGIN SELECT 1; END"
        );
        connection.execute_batch(&sql).expect("a table");
    }
    connection.execute_batch("COMMIT").expect("a schema");
}

fn run(source: &mut Empty) -> Outcome {
    let is_given = source.0.database == GIVEN;
    let apply = |file: &Path| {
        given(source.0.tables.len(), file);
        Ok(())
    };
    let folder = tempfile::tempdir().expect("a folder");
    let job = Job::new(folder.path().join("t.db"));
    let job = Job { schema: is_given.then_some(&apply as &ApplySchema<'_>), ..job };
    let outcome = migrate(&mut Empty(source.0.clone()), &job, &Cancel::new(), &nobody).expect("a run");
    outcome.ensure_published().expect("a sound target");
    outcome
}

/// The processor's time of this process so far.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value of our own.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below a second"))
}

/// The least that a migration of the catalog took in three, in seconds of the processor.
fn cost(catalog: Catalog) -> f64 {
    let mut source = Empty(Arc::new(catalog));
    let mut once = || {
        let start = processor_time();
        run(&mut source);
        (processor_time() - start).as_secs_f64()
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// One test, so that nothing else takes the processor's time of this process.
#[test]
fn cost_grows_no_faster_than_the_schema_and_what_is_nested_too_deeply_is_named() {
    let _alone = alone();
    views_beyond_the_limit_are_named();
    what_is_nested_deeper_than_a_stack_is_named();
    type Make = fn(usize) -> Catalog;
    let kinds: [(&str, Make, usize); 9] = [
        ("tables", tables, 300),
        ("tables of a given schema", tables_of_a_given_schema, 300),
        ("columns", columns, 400),
        ("checks of a table", checks, 500),
        ("foreign keys of a table", foreign_keys, 500),
        // Few: SQLite itself goes through all indexes of a table for each one that it makes or reads.
        ("indexes of a table", indexes, 100),
        ("labels of an enum", labels, 5_000),
        ("views", views, 500),
        ("partitions and functions", partitions, 2_500),
    ];
    let mut missed = Vec::new();
    for (kind, make, count) in kinds {
        let (less, more) = (cost(make(count)), cost(make(count * TIMES)));
        let growth = more / less;
        let told = format!("{count} to {} {kind}: {less:.3} s to {more:.3} s, {growth:.1} times", count * TIMES);
        println!("{told}");
        if growth > GROWTH_MAX {
            missed.push(told);
        }
    }
    assert!(missed.is_empty(), "more than {GROWTH_MAX} times for {TIMES} times the input: {}", missed.join("; "));
}

fn views_beyond_the_limit_are_named() {
    let chain = (0..250).map(|number| match number {
        0 => view("v0".to_owned(), "SELECT id AS a FROM public.t".to_owned()),
        _ => view(format!("v{number}"), format!("SELECT a FROM public.v{}", number - 1)),
    });
    let outcome = run(&mut Empty(Arc::new(catalog(vec![table("t".to_owned(), Vec::new())], chain.collect()))));
    assert_eq!(outcome.plan.views.len(), 200);
    let loss = outcome.plan.losses.first().expect("the rest is named");
    assert!(loss.object == "public.v200" && loss.reason.to_string().contains("200 views"), "{loss:?}");
}

/// Nothing that a source defines exhausts the stack of a small thread, in which no test can catch it.
fn what_is_nested_deeper_than_a_stack_is_named() {
    let terms = |count: usize| vec!["(a > 0)"; count].join(" OR ");
    let mut one = table("t".to_owned(), vec![integer("a")]);
    one.checks =
        [50_000, 95_000, 200_000].map(|count| check(format!("check_{count}"), format!("({})", terms(count)))).into();
    one.checks.push(check("nested".to_owned(), format!("{}a > 0{}", "(".repeat(100_000), ")".repeat(100_000))));
    let union = |count: usize| vec!["SELECT id AS a FROM public.t"; count].join(" UNION ALL ");
    let views = [500, 501, 30_000].map(|count| view(format!("v{count}"), union(count)));
    let mut source = Empty(Arc::new(catalog(vec![one], views.into())));
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let plan = small.spawn(move || run(&mut source).plan).expect("a thread").join().expect("a plan");
    assert_eq!(plan.views.len(), 1);
    let lost: Vec<&str> = plan.losses.iter().map(|loss| loss.object.as_str()).collect();
    let checks = ["50000", "95000", "200000"].map(|count| format!("public.t.check_{count}"));
    let mut expected: Vec<&str> = checks.iter().map(String::as_str).collect();
    expected.extend(["public.t.nested", "public.v501", "public.v30000"]);
    assert_eq!(
        {
            let mut lost = lost;
            lost.sort_unstable();
            lost
        },
        {
            expected.sort_unstable();
            expected
        }
    );
}
