//! What the catalog says about a schema that has everything, field by field.

use crate::support::scratch::Scratch;
use whimbrel::catalog::{
    Action, Catalog, Check, Column, Deferrable, Field, Generated, Identity, IndexKey, QualifiedName, Sequence, Shape,
    Table, TableKind,
};
use whimbrel::endpoint::postgres::introspect;

/// Read by two server processes, it is the same: a run over the same schema plans the same.
fn catalog_of(sql: &str) -> Catalog {
    let scratch = Scratch::new(sql);
    let catalog = introspect(&mut scratch.session()).unwrap();
    assert_eq!(introspect(&mut scratch.session()).unwrap(), catalog);
    catalog
}

fn public(name: &str) -> QualifiedName {
    QualifiedName::new("public", name)
}

fn table<'c>(catalog: &'c Catalog, name: &str) -> &'c Table {
    catalog.table(&public(name)).unwrap_or_else(|| panic!("no table {name}"))
}

fn column<'t>(table: &'t Table, name: &str) -> &'t Column {
    table.column(name).unwrap_or_else(|| panic!("no column {name} in {}", table.name))
}

/// The kinds and names of what is not carried.
fn others(catalog: &Catalog) -> Vec<String> {
    catalog.others.iter().map(|other| format!("{}: {}", other.kind, other.name)).collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases, and what is done with each")]
fn every_type_is_resolved_down_to_the_built_in_ones() {
    let catalog = catalog_of(
        r#"
        CREATE SCHEMA types; CREATE SCHEMA extensions;
        CREATE EXTENSION citext SCHEMA extensions; CREATE EXTENSION hstore SCHEMA extensions;
        CREATE TYPE types.mood AS ENUM ('sad', 'so-so', 'it''s ok', '');
        ALTER TYPE types.mood ADD VALUE 'first' BEFORE 'sad';
        CREATE DOMAIN types.price AS numeric(12,3) CONSTRAINT positive CHECK (VALUE > 0) NOT NULL;
        CREATE DOMAIN types.discount AS types.price CONSTRAINT small CHECK (VALUE < 100);
        ALTER DOMAIN types.discount ADD CONSTRAINT odd CHECK (VALUE <> 7) NOT VALID;
        CREATE TYPE types.point3 AS (x real, "Y y" varchar(5)[], mood types.mood);
        CREATE TABLE row_source (a integer, b text);
        CREATE TABLE types_of_columns (
            c_bool boolean, c_int2 smallint, c_int4 integer, c_int8 bigint, c_oid oid, c_float4 real, c_float8 double precision,
            c_numeric numeric, c_numeric_10_2 numeric(10,2), c_numeric_5 numeric(5), c_numeric_negative numeric(3,-2),
            c_numeric_small numeric(2,5), c_text text, c_varchar varchar, c_varchar_7 varchar(7), c_char char, c_char_3 char(3),
            c_bpchar bpchar, c_citext extensions.citext, c_name name, c_bytea bytea, c_uuid uuid, c_timestamp timestamp,
            c_timestamp_0 timestamp(0), c_timestamptz_3 timestamptz(3), c_date date, c_time time(2), c_interval interval,
            c_json json, c_jsonb jsonb, c_mood types.mood, c_price types.price, c_discount types.discount, c_point types.point3,
            c_moods types.mood[], c_varchars varchar(4)[][], c_boxes box[], c_discounts types.discount[], c_points types.point3[],
            c_hstore extensions.hstore, c_int4range int4range, c_xml xml, c_money money, c_vector int2vector,
            c_internal "char", c_row row_source, c_bit bit(3), c_tsvector tsvector
        );
        "#,
    );
    let table = table(&catalog, "types_of_columns");
    let shape = |name: &str| &column(table, &format!("c_{name}")).data_type.shape;
    let spelling = |name: &str| column(table, &format!("c_{name}")).data_type.name.as_str();
    let numeric = |precision_and_scale| Shape::Numeric { precision_and_scale };
    let expected = [
        ("bool", Shape::Boolean),
        ("int2", Shape::SmallInt),
        ("int4", Shape::Integer),
        ("int8", Shape::BigInt),
        ("oid", Shape::Oid),
        ("float4", Shape::Real),
        ("float8", Shape::Double),
        ("numeric", numeric(None)),
        ("numeric_10_2", numeric(Some((10, 2)))),
        ("numeric_5", numeric(Some((5, 0)))),
        ("numeric_negative", numeric(Some((3, -2)))),
        ("numeric_small", numeric(Some((2, 5)))),
        ("text", Shape::Text),
        ("varchar", Shape::VarChar { length: None }),
        ("varchar_7", Shape::VarChar { length: Some(7) }),
        ("char", Shape::Char { length: Some(1) }),
        ("char_3", Shape::Char { length: Some(3) }),
        ("bpchar", Shape::Char { length: None }),
        ("citext", Shape::Citext),
        ("name", Shape::Name),
        ("bytea", Shape::Bytea),
        ("uuid", Shape::Uuid),
        ("timestamp", Shape::Timestamp { precision: 6 }),
        ("timestamp_0", Shape::Timestamp { precision: 0 }),
        ("timestamptz_3", Shape::TimestampTz { precision: 3 }),
        ("date", Shape::Date),
        ("time", Shape::Other),
        ("interval", Shape::Other),
        ("json", Shape::Json),
        ("jsonb", Shape::Jsonb),
        ("hstore", Shape::Hstore),
        ("int4range", Shape::Other),
        ("xml", Shape::Xml),
        ("money", Shape::Other),
        ("vector", Shape::Other),
        ("internal", Shape::Other),
        ("bit", Shape::Other),
        ("tsvector", Shape::Other),
    ];
    for (name, expected) in expected {
        assert_eq!(*shape(name), expected, "{name}");
    }
    for (name, expected) in [
        ("numeric_10_2", "numeric(10,2)"),
        ("time", "time(2) without time zone"),
        ("citext", "extensions.citext"),
        ("moods", "types.mood[]"),
        ("varchars", "character varying(4)[]"),
        ("point", "types.point3"),
    ] {
        assert_eq!(spelling(name), expected, "{name}");
    }

    let Shape::Enum(mood) = shape("mood") else { panic!("{:?}", shape("mood")) };
    assert_eq!(mood.name, QualifiedName::new("types", "mood"));
    assert_eq!(mood.labels, ["first", "sad", "so-so", "it's ok", ""]);

    let Shape::Domain(discount) = shape("discount") else { panic!("{:?}", shape("discount")) };
    assert_eq!(discount.name, QualifiedName::new("types", "discount"));
    assert!(!discount.not_null);
    let checks: Vec<_> =
        discount.checks.iter().map(|c| (c.name.as_str(), c.expression.as_str(), c.validated)).collect();
    assert_eq!(
        checks,
        [("odd", "((VALUE)::numeric <> (7)::numeric)", false), ("small", "((VALUE)::numeric < (100)::numeric)", true)]
    );
    let Shape::Domain(price) = &discount.base.shape else { panic!("{:?}", discount.base) };
    assert!(price.not_null);
    assert_eq!((price.base.name.as_str(), &price.base.shape), ("numeric(12,3)", &numeric(Some((12, 3)))));
    assert!(column(table, "c_discount").not_null, "by the domain below the domain");
    assert_eq!(column(table, "c_discount").data_type.base().name, "numeric(12,3)");

    let Shape::Composite(point) = shape("point") else { panic!("{:?}", shape("point")) };
    let fields: Vec<_> =
        point.fields.iter().map(|field| (field.name.as_str(), field.data_type.name.as_str())).collect();
    assert_eq!(fields, [("x", "real"), ("Y y", "character varying(5)[]"), ("mood", "types.mood")]);
    assert!(matches!(&point.fields[2], Field { data_type, .. } if matches!(data_type.shape, Shape::Enum(_))));
    assert!(matches!(shape("row"), Shape::Composite(row) if row.name == public("row_source") && row.fields.len() == 2));

    let element = |name: &str| match shape(name) {
        Shape::Array { element, delimiter } => (element.name.clone(), element.shape.clone(), *delimiter),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(element("varchars"), ("character varying(4)".into(), Shape::VarChar { length: Some(4) }, ','));
    assert_eq!(element("boxes"), ("box".into(), Shape::Other, ';'));
    assert!(matches!(element("moods").1, Shape::Enum(_)));
    assert!(matches!(element("discounts").1, Shape::Domain(_)));
    assert!(matches!(element("points").1, Shape::Composite(_)));
    assert_eq!(others(&catalog), ["extension: citext 1.6", "extension: hstore 1.8"].map(String::from));
}

#[test]
fn columns_keep_defaults_identity_sequences_and_comments() {
    let catalog = catalog_of(
        r#"
        CREATE SEQUENCE free START 5 INCREMENT -2 MINVALUE -100 MAXVALUE 50 CACHE 3 CYCLE;
        CREATE TABLE columns (
            id integer GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 10),
            by_default bigint GENERATED BY DEFAULT AS IDENTITY,
            serial serial, drawn bigint DEFAULT nextval('free'), gone text,
            word text NOT NULL DEFAULT 'it''s', at timestamptz DEFAULT now(),
            twice integer GENERATED ALWAYS AS (serial * 2) STORED,
            c_collated text COLLATE "C", plain text
        );
        ALTER TABLE columns DROP COLUMN gone;
        COMMENT ON TABLE columns IS 'all of them';
        COMMENT ON COLUMN columns.word IS 'a "word"';
        INSERT INTO columns (word) VALUES ('a'), ('b'), ('c');
        "#,
    );
    let table = table(&catalog, "columns");
    let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let all = ["id", "by_default", "serial", "drawn", "word", "at", "twice", "c_collated", "plain"];
    assert_eq!(names, all, "a dropped column is not among them");
    assert_eq!(table.comment.as_deref(), Some("all of them"));
    assert_eq!(table.kind, TableKind::Ordinary);
    assert!(table.size_bytes > 0);

    let id = column(table, "id");
    assert_eq!((id.identity, id.not_null, &id.default), (Some(Identity::Always), true, &None));
    assert_eq!(id.sequence, Some(public("columns_id_seq")));
    assert_eq!(column(table, "by_default").identity, Some(Identity::ByDefault));
    let serial = column(table, "serial");
    assert_eq!(serial.default.as_deref(), Some("nextval('public.columns_serial_seq'::regclass)"));
    assert_eq!(serial.sequence, Some(public("columns_serial_seq")));
    let drawn = column(table, "drawn");
    assert_eq!(drawn.default.as_deref(), Some("nextval('public.free'::regclass)"));
    assert_eq!(drawn.sequence, None, "the column does not own it");
    let word = column(table, "word");
    assert_eq!((word.default.as_deref(), word.not_null), (Some("'it''s'::text"), true));
    assert_eq!(word.comment.as_deref(), Some("a \"word\""));
    assert_eq!(column(table, "at").default.as_deref(), Some("now()"));
    let twice = column(table, "twice");
    assert_eq!(twice.generated, Some(Generated { expression: "(serial * 2)".into(), stored: true, untold: false }));
    assert_eq!(twice.default, None);
    assert_eq!(column(table, "c_collated").collation.as_deref(), Some("pg_catalog.C"));
    assert_eq!(column(table, "plain").collation, None);

    let sequence = |name: &str| catalog.sequences.iter().find(|sequence| sequence.name == public(name)).unwrap();
    let free = Sequence {
        name: public("free"),
        data_type: "bigint".into(),
        last_value: Some(1),
        first_value: None,
        start: 5,
        increment: -2,
        min_value: -100,
        max_value: 50,
        cache: 3,
        cycle: true,
        owned_by: None,
    };
    // Three are cached for one session: 5, 3, 1.
    assert_eq!(*sequence("free"), free);
    let identity = sequence("columns_id_seq");
    assert_eq!((identity.data_type.as_str(), identity.last_value, identity.increment), ("integer", Some(30), 10));
    assert_eq!(identity.owned_by, Some((public("columns"), "id".into())));
    assert_eq!(sequence("columns_serial_seq").owned_by, Some((public("columns"), "serial".into())));
}

#[test]
fn a_sequence_that_was_never_used_has_no_last_value() {
    let catalog = catalog_of("CREATE SEQUENCE untouched START 42");
    assert_eq!((catalog.sequences[0].last_value, catalog.sequences[0].start), (None, 42));
}

#[test]
fn constraints_keep_their_parts() {
    let catalog = catalog_of(
        r#"
        CREATE TABLE parent (
            a integer, b integer, c text,
            CONSTRAINT parent_key PRIMARY KEY (b, a) INCLUDE (c),
            CONSTRAINT once UNIQUE (c) DEFERRABLE INITIALLY DEFERRED,
            CONSTRAINT positive CHECK (a > 0 AND (b > 0 OR c ~ 'NOT VALID'))
        );
        CREATE TABLE child (
            id integer PRIMARY KEY DEFERRABLE, x integer, y integer, p integer, up integer REFERENCES child (p),
            CONSTRAINT pair FOREIGN KEY (x, y) REFERENCES parent (b, a) MATCH FULL
                ON DELETE CASCADE ON UPDATE RESTRICT DEFERRABLE INITIALLY IMMEDIATE,
            CONSTRAINT child_word UNIQUE (p)
        );
        ALTER TABLE child ADD CONSTRAINT late FOREIGN KEY (y, p) REFERENCES parent (b, a)
            ON DELETE SET DEFAULT ON UPDATE SET NULL NOT VALID;
        ALTER TABLE child ADD CONSTRAINT late_check CHECK (x <> 1) NOT VALID;
        ALTER TABLE child ADD CONSTRAINT alone CHECK (y <> 1) NO INHERIT;
        DO $$ BEGIN
            IF current_setting('server_version_num')::integer >= 150000 THEN
                ALTER TABLE child ADD CONSTRAINT nulls_too UNIQUE NULLS NOT DISTINCT (x, p);
                ALTER TABLE child ADD CONSTRAINT partly FOREIGN KEY (x, p) REFERENCES parent (b, a) ON DELETE SET NULL (p);
            END IF;
        END $$;
        "#,
    );
    let parent = table(&catalog, "parent");
    let key = parent.primary_key.as_ref().unwrap();
    assert_eq!((key.name.as_str(), key.deferrable), ("parent_key", Deferrable::No));
    assert_eq!((&key.columns, &key.include), (&vec!["b".to_owned(), "a".to_owned()], &vec!["c".to_owned()]));
    assert_eq!(parent.unique_keys.len(), 1);
    assert_eq!((parent.unique_keys[0].name.as_str(), parent.unique_keys[0].deferrable), ("once", Deferrable::Deferred));
    assert!(!parent.unique_keys[0].nulls_not_distinct);
    let positive = "((a > 0) AND ((b > 0) OR (c ~ 'NOT VALID'::text)))".to_owned();
    assert_eq!(parent.checks, [Check { name: "positive".into(), expression: positive, validated: true }]);
    assert!(parent.indexes.is_empty(), "the index of a constraint is no index of its own");

    let child = table(&catalog, "child");
    assert_eq!(child.primary_key.as_ref().unwrap().deferrable, Deferrable::Immediate);
    let foreign_key = |name: &str| child.foreign_keys.iter().find(|key| key.name == name).unwrap();
    let pair = foreign_key("pair");
    assert_eq!(
        (&pair.columns[..], &pair.referenced_columns[..]),
        (&["x", "y"].map(String::from)[..], &["b", "a"].map(String::from)[..])
    );
    assert_eq!((&pair.references, pair.match_full, pair.validated), (&public("parent"), true, true));
    assert_eq!(
        (pair.on_delete, pair.on_update, pair.deferrable),
        (Action::Cascade, Action::Restrict, Deferrable::Immediate)
    );
    let late = foreign_key("late");
    assert_eq!((late.on_delete, late.on_update, late.validated), (Action::SetDefault, Action::SetNull, false));
    assert_eq!((late.match_full, late.deferrable), (false, Deferrable::No));
    let up = foreign_key("child_up_fkey");
    assert_eq!((&up.references, up.on_delete, up.on_update), (&public("child"), Action::NoAction, Action::NoAction));
    let check = |name: &str| child.checks.iter().find(|check| check.name == name).unwrap();
    assert_eq!((check("late_check").expression.as_str(), check("late_check").validated), ("(x <> 1)", false));
    assert_eq!((check("alone").expression.as_str(), check("alone").validated), ("(y <> 1)", true));
    if child.foreign_keys.len() > 3 {
        assert_eq!(foreign_key("partly").on_delete_columns, ["p"]);
        assert!(child.unique_keys.iter().any(|key| key.name == "nulls_too" && key.nulls_not_distinct));
    }
    assert!(late.on_delete_columns.is_empty());
    assert!(others(&catalog).is_empty(), "{:?}", others(&catalog));
}

#[test]
fn indexes_keep_their_parts() {
    let catalog = catalog_of(
        r#"
        CREATE EXTENSION pg_trgm;
        CREATE TABLE t (a integer, "B b" text, c text COLLATE "C", d jsonb, e integer);
        CREATE UNIQUE INDEX full_one ON t (a DESC, "B b" COLLATE "POSIX" text_pattern_ops NULLS FIRST, lower(c), (a + e) DESC NULLS LAST)
            INCLUDE (e, "B b") WHERE a > 0;
        CREATE INDEX plain ON t (c);
        CREATE INDEX documents ON t USING gin (d jsonb_path_ops);
        CREATE INDEX words ON t USING gin ("B b" gin_trgm_ops);
        CREATE INDEX hashed ON t USING hash (a);
        INSERT INTO t (a) VALUES (1), (1);
        "#,
    );
    let table = table(&catalog, "t");
    let index = |name: &str| table.indexes.iter().find(|index| index.name == name).unwrap();
    let full = index("full_one");
    assert!(full.unique && full.valid && !full.nulls_not_distinct);
    assert_eq!((full.method.as_str(), full.predicate.as_deref()), ("btree", Some("(a > 0)")));
    assert_eq!(full.include, ["e", "B b"]);
    let keys: Vec<_> = full.parts.iter().map(|part| part.key.clone()).collect();
    let expected = [
        IndexKey::Column("a".into()),
        IndexKey::Column("B b".into()),
        IndexKey::Expression("lower(c)".into()),
        IndexKey::Expression("(a + e)".into()),
    ];
    assert_eq!(keys, expected);
    let order: Vec<_> = full.parts.iter().map(|part| (part.descending, part.nulls_first)).collect();
    assert_eq!(order, [(true, true), (false, true), (false, false), (true, false)]);
    assert_eq!(full.parts[1].collation.as_deref(), Some("pg_catalog.POSIX"));
    assert_eq!(full.parts[1].operator_class.as_deref(), Some("text_pattern_ops"));
    assert_eq!((&full.parts[0].collation, &full.parts[0].operator_class), (&None, &None));
    assert_eq!(full.parts[2].collation.as_deref(), Some("pg_catalog.C"), "the expression sorts as its column");
    assert!(full.definition.starts_with("CREATE UNIQUE INDEX full_one ON public.t USING btree"));
    assert_eq!((&index("plain").parts[0].collation, &index("plain").predicate), (&None, &None));
    assert_eq!(index("documents").parts[0].operator_class.as_deref(), Some("jsonb_path_ops"));
    assert_eq!(index("words").parts[0].operator_class.as_deref(), Some("public.gin_trgm_ops"));
    assert_eq!(index("hashed").method, "hash");
}

#[test]
fn an_index_whose_build_failed_is_not_valid() {
    let scratch = Scratch::new("CREATE TABLE t (a integer); CREATE INDEX broken ON t (a)");
    scratch.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass");
    let catalog = introspect(&mut scratch.session()).unwrap();
    assert!(!table(&catalog, "t").indexes[0].valid);
}

#[test]
fn a_partitioned_table_is_one_with_what_all_its_leaves_have() {
    let catalog = catalog_of(
        r#"
        CREATE TABLE customer (id integer PRIMARY KEY);
        CREATE TABLE sale (
            id integer, at date NOT NULL, customer integer CONSTRAINT to_customer REFERENCES customer, n integer CHECK (n > 0),
            PRIMARY KEY (id, at)
        ) PARTITION BY RANGE (at);
        CREATE INDEX by_n ON sale (n);
        CREATE TABLE sale_old PARTITION OF sale FOR VALUES FROM ('2000-01-01') TO ('2010-01-01');
        CREATE TABLE sale_new PARTITION OF sale FOR VALUES FROM ('2010-01-01') TO ('2030-01-01') PARTITION BY LIST (id);
        CREATE TABLE sale_new_1 PARTITION OF sale_new FOR VALUES IN (1);
        CREATE TABLE sale_new_rest PARTITION OF sale_new DEFAULT;
        -- On every leaf, by itself or from an inner node:
        ALTER TABLE sale_old ADD CONSTRAINT old_fk FOREIGN KEY (n) REFERENCES customer ON DELETE CASCADE;
        ALTER TABLE sale_new ADD CONSTRAINT new_fk FOREIGN KEY (n) REFERENCES customer ON DELETE CASCADE;
        ALTER TABLE sale_old ADD CONSTRAINT small CHECK (n < 1000);
        ALTER TABLE sale_new ADD CONSTRAINT small_too CHECK (n < 1000) NOT VALID;
        CREATE INDEX old_both ON sale_old (n, at); CREATE INDEX new_both ON sale_new (n, at);
        -- Unique on every leaf; only the second tells the leaves apart:
        ALTER TABLE sale_old ADD CONSTRAINT old_u UNIQUE (customer); ALTER TABLE sale_new_1 ADD CONSTRAINT new_1_u UNIQUE (customer);
        ALTER TABLE sale_new_rest ADD CONSTRAINT new_rest_u UNIQUE (customer);
        CREATE UNIQUE INDEX u1 ON sale_old (id, at, customer); CREATE UNIQUE INDEX u2 ON sale_new (at, id, customer);
        CREATE UNIQUE INDEX u3 ON sale_new (id, at, customer);
        -- On some leaves only:
        ALTER TABLE sale_new_1 ADD CONSTRAINT only_here CHECK (id > 0);
        CREATE INDEX only_there ON sale_old (customer);
        CREATE TABLE refund (id integer, sale integer, at date, CONSTRAINT to_sale FOREIGN KEY (sale, at) REFERENCES sale (id, at));
        INSERT INTO customer VALUES (1), (2);
        INSERT INTO sale VALUES (1, '2001-01-01', NULL, 2), (2, '2020-01-01', NULL, 1);
        "#,
    );
    let names: Vec<_> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(names, ["customer", "refund", "sale"]);
    let sale = table(&catalog, "sale");
    let leaves = ["sale_new_1", "sale_new_rest", "sale_old"].map(public).to_vec();
    let TableKind::Partitioned { partitions, conditions, .. } = &sale.kind else { panic!("{:?}", sale.kind) };
    assert_eq!((partitions, conditions.len()), (&leaves, 3));
    assert!(conditions.iter().any(|condition| condition.contains("(at < '")), "{conditions:?}");
    assert!(sale.inherits.is_empty() && !sale.has_heirs && sale.size_bytes > 0);
    assert_eq!(sale.primary_key.as_ref().unwrap().columns, ["id", "at"]);
    let foreign_keys: Vec<_> = sale.foreign_keys.iter().map(|key| (key.name.as_str(), key.on_delete)).collect();
    assert_eq!(foreign_keys, [("to_customer", Action::NoAction), ("new_fk", Action::Cascade)]);
    let checks: Vec<_> = sale.checks.iter().map(|c| (c.name.as_str(), c.expression.as_str(), c.validated)).collect();
    assert_eq!(checks, [("sale_n_check", "(n > 0)", true), ("small_too", "(n < 1000)", false)]);
    assert!(sale.unique_keys.is_empty(), "{:?}", sale.unique_keys);
    let indexes: Vec<_> = sale.indexes.iter().map(|index| (index.parts.len(), index.unique)).collect();
    assert_eq!(indexes, [(1, false), (3, true), (2, false)], "{:?}", sale.indexes);

    let refund = table(&catalog, "refund");
    assert_eq!(refund.foreign_keys.len(), 1, "one key, although the server keeps one more for each partition");
    assert_eq!(refund.foreign_keys[0].references, public("sale"));
    let expected = [
        "constraint of partitions: only_here on 1 of 3 partitions of public.sale",
        "constraint of partitions: new_1_u on 3 of 3 partitions of public.sale",
        "index of partitions: sale_new_1_at_id_customer_idx on 2 of 3 partitions of public.sale",
        "index of partitions: only_there on 1 of 3 partitions of public.sale",
        "partitioning: public.sale by RANGE (at), 3 partitions read as one",
    ];
    let mut found = others(&catalog);
    found.sort();
    let mut expected = expected.map(String::from);
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn heirs_are_tables_of_their_own() {
    let catalog = catalog_of(
        r#"
        CREATE TABLE one (a integer NOT NULL CHECK (a > 0)); CREATE TABLE two (b text);
        CREATE TABLE heir (c date) INHERITS (two, one);
        "#,
    );
    assert!(table(&catalog, "one").has_heirs && table(&catalog, "two").has_heirs);
    let heir = table(&catalog, "heir");
    assert_eq!(heir.inherits, [public("two"), public("one")]);
    assert!(!heir.has_heirs);
    assert_eq!(heir.columns.len(), 3);
    assert!(column(heir, "a").not_null);
    assert_eq!(heir.checks.len(), 1);
}

#[test]
fn views_come_after_what_they_read() {
    let catalog = catalog_of(
        r#"
        CREATE TABLE base (a integer, b text);
        CREATE VIEW z_first AS SELECT a, b AS "B;" FROM base WHERE b <> ';';
        CREATE MATERIALIZED VIEW kept AS SELECT a FROM z_first;
        CREATE VIEW m_second AS SELECT a FROM kept;
        CREATE VIEW a_third AS SELECT m.a FROM m_second m JOIN z_first z USING (a);
        CREATE UNIQUE INDEX kept_a ON kept (a);
        CREATE MATERIALIZED VIEW empty AS SELECT 1 AS one WITH NO DATA;
        COMMENT ON VIEW z_first IS 'reads base';
        "#,
    );
    let names: Vec<_> = catalog.views.iter().map(|view| view.name.name.as_str()).collect();
    assert_eq!(names, ["z_first", "m_second", "a_third"]);
    let first = &catalog.views[0];
    assert_eq!(first.columns, ["a", "B;"]);
    assert_eq!(first.comment.as_deref(), Some("reads base"));
    assert!(first.definition.starts_with("SELECT") && first.definition.contains("public.base"), "{}", first.definition);
    assert!(!first.definition.ends_with(';'));
    let kept = table(&catalog, "kept");
    let TableKind::MaterializedView { definition, populated: true } = &kept.kind else { panic!("{:?}", kept.kind) };
    assert!(definition.contains("public.z_first") && !definition.ends_with(';'));
    assert_eq!((kept.columns.len(), kept.indexes.len()), (1, 1));
    let empty = &table(&catalog, "empty").kind;
    assert!(matches!(empty, TableKind::MaterializedView { populated: false, .. }), "{empty:?}");
}

#[test]
fn whatever_no_table_carries_is_named() {
    let catalog = catalog_of(
        r#"
        CREATE EXTENSION btree_gist; CREATE EXTENSION file_fdw;
        CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
        CREATE FOREIGN TABLE far (a text) SERVER files OPTIONS (filename '/dev/null');
        CREATE TABLE t (a integer, during tsrange, CONSTRAINT no_two EXCLUDE USING gist (a WITH =, during WITH &&));
        CREATE FUNCTION twice(x integer) RETURNS integer LANGUAGE sql AS 'SELECT x * 2';
        CREATE PROCEDURE act() LANGUAGE sql AS 'SELECT 1';
        CREATE AGGREGATE product (integer) (SFUNC = int4mul, STYPE = integer);
        CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touched();
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY some_rows ON t FOR SELECT USING (a > 1);
        CREATE RULE no_delete AS ON DELETE TO t DO INSTEAD NOTHING;
        CREATE STATISTICS a_during ON a, during FROM t;
        CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE PUBLICATION everything FOR TABLE t;
        CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = simple);
        CREATE TEXT SEARCH CONFIGURATION ours (COPY = simple);
        CREATE COLLATION ours FROM "C";
        CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
        CREATE FUNCTION no_range(integer) RETURNS tsrange LANGUAGE sql AS 'SELECT NULL::tsrange';
        CREATE CAST (integer AS tsrange) WITH FUNCTION no_range(integer);
        CREATE TYPE unused AS ENUM ('a', 'b');
        CREATE DOMAIN unused_domain AS integer CHECK (VALUE > 0);
        CREATE TYPE unused_range AS RANGE (subtype = integer);
        SELECT lo_create(0), lo_create(0);
        CREATE EVENT TRIGGER ddl ON ddl_command_end EXECUTE FUNCTION on_ddl();
        "#,
    );
    let expected = [
        "aggregate: public.product(integer)",
        "cast: integer as tsrange",
        "collation: public.ours",
        "domain: public.unused_domain",
        "enum type: public.unused",
        "event trigger: ddl",
        "exclusion constraint: no_two on public.t",
        "extension: btree_gist 1.7",
        "extension: file_fdw 1.0",
        "foreign server: files",
        "foreign table: public.far",
        "function: public.no_range(integer)",
        "function: public.on_ddl()",
        "function: public.touched()",
        "function: public.twice(x integer)",
        "large objects: 2 in this database",
        "operator: public.===(integer,integer)",
        "policy: some_rows on public.t",
        "procedure: public.act()",
        "publication: everything",
        "range type: public.unused_range",
        "row level security: public.t",
        "rule: no_delete on public.t",
        "statistics: public.a_during",
        "text search configuration: public.ours",
        "text search dictionary: public.stems",
        "trigger: touch on public.t",
    ];
    let mut found = others(&catalog);
    found.sort();
    assert_eq!(found, expected);
    let definition = |kind: &str| {
        let other = catalog.others.iter().find(|other| other.kind.name() == kind).unwrap();
        other.definition.clone().unwrap_or_default()
    };
    assert_eq!(
        definition("policy"),
        "CREATE POLICY some_rows ON public.t AS PERMISSIVE FOR SELECT TO PUBLIC USING ((a > 1))"
    );
    assert!(definition("trigger").starts_with("CREATE TRIGGER touch BEFORE UPDATE ON public.t"));
    assert!(definition("exclusion constraint").starts_with("EXCLUDE USING gist (a WITH =, during WITH &&)"));
    assert_eq!(definition("enum type"), "CREATE TYPE public.unused AS ENUM ('a', 'b')");
    assert!(definition("rule").contains("DO INSTEAD NOTHING"));
    assert!(table(&catalog, "t").indexes.is_empty(), "the index of an exclusion is no index of its own");
}

#[test]
fn names_may_hold_anything_and_tables_may_hold_nothing() {
    let catalog = catalog_of(
        "CREATE SCHEMA \"a.b\"; CREATE TABLE \"a.b\".\"quote\"\"d new\nline\" (\"select\" integer PRIMARY KEY, \"\u{e9}'\\t\" text);
         CREATE TABLE nothing ();",
    );
    let table = catalog.table(&QualifiedName::new("a.b", "quote\"d new\nline")).unwrap();
    let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["select", "\u{e9}'\\t"]);
    assert!(catalog.table(&public("nothing")).unwrap().columns.is_empty());
}

#[test]
fn an_empty_database_is_an_empty_catalog_that_survives_json() {
    let catalog = catalog_of("SELECT 1");
    assert!(catalog.tables.is_empty() && catalog.views.is_empty() && catalog.sequences.is_empty());
    assert!(catalog.others.is_empty(), "{:?}", catalog.others);
    assert_eq!(catalog.encoding, "UTF8");
    assert!(catalog.engine.starts_with("PostgreSQL 1"), "{}", catalog.engine);
    let again: Catalog = serde_json::from_str(&serde_json::to_string(&catalog).unwrap()).unwrap();
    assert_eq!(again, catalog);
}
