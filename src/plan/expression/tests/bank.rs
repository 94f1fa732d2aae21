//! What is asked of every engine and version besides conditions and computed values.

use super::*;

/// Each view's query; compared on the same rows, in order.
pub(super) const VIEWS: &[&str] = &[
    "SELECT a.id, c.id AS cid FROM (sample a LEFT JOIN (sample b JOIN sample c ON ((c.id = b.id))) ON ((b.id = a.n))) ORDER BY a.id, c.id",
    "SELECT a.id, b.id AS other FROM (sample a FULL JOIN sample b ON ((a.id = (b.id + 100)))) ORDER BY a.id, b.id",
    "SELECT id, a.n, b.m FROM (sample a FULL JOIN ( SELECT (s.id + 60) AS id, s.m FROM sample s) b USING (id)) ORDER BY id",
    "(SELECT s.id FROM sample s ORDER BY s.id LIMIT 3) UNION ALL (SELECT t.n AS id FROM sample t WHERE (t.n = 5) ORDER BY t.id LIMIT 2)",
    "SELECT s.n FROM sample s EXCEPT (SELECT t.m AS n FROM sample t UNION SELECT 100 AS n) ORDER BY 1",
    "SELECT v.a, v.b FROM (VALUES (1, 'x'::text), (2, 'y'::text)) v(a, b) ORDER BY v.a DESC",
    "SELECT s.status, count(*) AS c FROM sample s GROUP BY s.status ORDER BY s.status",
    "SELECT s.active, sum(s.n) AS n, count(DISTINCT s.m) AS m FROM sample s GROUP BY s.active ORDER BY s.active NULLS FIRST",
    "SELECT (s.code)::text AS code, s.price FROM sample s WHERE (s.price IS NOT NULL) ORDER BY s.price DESC, s.id",
    "SELECT date_trunc('month'::text, s.starts) < s.starts AS later, s.id FROM sample s WHERE (s.starts < '2021-01-01 00:00:00'::timestamp without time zone) ORDER BY s.id",
    "WITH RECURSIVE tree AS (SELECT s.id, 0 AS depth FROM sample s WHERE (s.id = 1) UNION ALL SELECT c.id, (t.depth + 1) FROM (sample c JOIN tree t ON ((c.id = (t.id * 2)))) WHERE (t.depth < 10)) SELECT tree.id, tree.depth FROM tree ORDER BY tree.id",
    "SELECT s.id, rank() OVER (ORDER BY s.n DESC, s.m) AS place FROM sample s ORDER BY s.id",
    "SELECT s.n FROM sample s GROUP BY s.n HAVING (sum(s.price) > (1000)::numeric) ORDER BY s.n",
    "SELECT sample.id, sample.name FROM sample WHERE (sample.n > 0) ORDER BY sample.id;",
    "SELECT s.n, count(*) AS count, sum(s.price) AS total, min(s.m) AS least FROM sample s GROUP BY s.n ORDER BY s.n",
    "SELECT s.n, count(*) FILTER (WHERE s.active) AS active FROM sample s GROUP BY s.n HAVING (count(*) > 1) ORDER BY s.n DESC",
    "SELECT a.id, b.id AS other FROM (sample a LEFT JOIN sample b ON (((b.id = a.n) AND (b.m = 3)))) ORDER BY a.id, b.id",
    "WITH top AS (SELECT s.id, s.n FROM sample s WHERE (s.n > 0)) SELECT t.id, (t.n + 1) AS next FROM top t ORDER BY t.id LIMIT 5 OFFSET 2",
    "WITH RECURSIVE steps(at) AS (SELECT 1 UNION ALL SELECT (s.at + 1) FROM steps s WHERE (s.at < 5)) SELECT steps.at FROM steps ORDER BY steps.at",
    "SELECT sample.id AS x FROM sample WHERE (sample.n = 5) UNION SELECT sample.m AS x FROM sample ORDER BY 1",
    "SELECT s.id, row_number() OVER (PARTITION BY s.n ORDER BY s.id DESC) AS place FROM sample s ORDER BY s.id",
    "SELECT s.id, lag(s.id) OVER (ORDER BY s.id) AS before, sum(s.id) OVER (ORDER BY s.id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS two FROM sample s ORDER BY s.id",
    "SELECT DISTINCT s.m FROM sample s ORDER BY s.m",
    "SELECT s.id FROM sample s WHERE (EXISTS ( SELECT 1 FROM sample t WHERE ((t.m = s.n) AND (t.id <> s.id)))) ORDER BY s.id",
    "SELECT s.id FROM sample s WHERE (s.n IN ( SELECT t.m FROM sample t WHERE (t.m IS NOT NULL))) ORDER BY s.id",
    "SELECT s.id, ( SELECT max(t.m) AS max FROM sample t WHERE (t.n = s.n)) AS most FROM sample s ORDER BY s.id",
    "SELECT q.n, q.c FROM ( SELECT s.n, count(s.m) AS c FROM sample s GROUP BY s.n) q WHERE (q.c > 1) ORDER BY q.n",
    "SELECT s.n, string_agg(s.name, ', '::text ORDER BY s.id) AS names FROM sample s GROUP BY s.n ORDER BY s.n",
    "SELECT s.id, CASE WHEN s.active THEN 'active'::text ELSE ''::text END AS notes FROM sample s ORDER BY s.status, s.id",
    "SELECT a.id, b.n FROM (sample a JOIN sample b USING (id)) ORDER BY a.id",
    "SELECT s.id, (s.starts)::date AS day, EXTRACT(dow FROM s.created) AS dow FROM sample s WHERE (s.starts < '2021-01-01 00:00:00'::timestamp without time zone) ORDER BY s.id",
    "SELECT bool_or(s.active) AS some, bool_and(s.active) AS every, sum((s.price * 2.0)) AS twice FROM sample s",
    "SELECT a.id, b.id AS other, b.n FROM (sample a RIGHT JOIN sample b ON ((a.id = (b.id + 100)))) ORDER BY b.id",
    "SELECT a.id, b.id AS other, c.id AS third FROM ((sample a JOIN sample b ON ((b.id = (a.id + 1)))) RIGHT JOIN sample c ON ((a.id = (c.id - 60)))) ORDER BY c.id",
    "SELECT id, a.n, b.m FROM (sample a RIGHT JOIN ( SELECT (s.id + 60) AS id, s.m FROM sample s) b USING (id)) ORDER BY id",
    "SELECT id, a.n, b.m, c.name FROM ((sample a RIGHT JOIN ( SELECT (s.id + 60) AS id, s.m FROM sample s) b USING (id)) LEFT JOIN sample c USING (id)) ORDER BY id",
    "SELECT id, a.n, b.m, c.m AS third FROM ((sample a LEFT JOIN sample b USING (id)) RIGHT JOIN ( SELECT (s.id + 60) AS id, s.m FROM sample s) c USING (id)) ORDER BY id",
    "SELECT s.id, EXTRACT(week FROM s.starts) AS week, EXTRACT(isoyear FROM s.starts) AS year, EXTRACT(isodow FROM s.starts) AS day, EXTRACT(quarter FROM s.starts) AS quarter FROM sample s WHERE (s.starts < '2021-01-01 00:00:00'::timestamp without time zone) ORDER BY s.id",
    "SELECT s.id, EXTRACT(week FROM s.created) AS week, EXTRACT(isoyear FROM s.created) AS year, EXTRACT(isodow FROM s.created) AS day FROM sample s ORDER BY s.id",
    "SELECT s.id, (s.data ->> 'k'::text) AS k, (s.data ->> 'b'::text) AS b, (s.data ->> 'n'::text) AS n, (s.data ->> 1) AS second FROM sample s WHERE ((jsonb_typeof((s.data -> 'k'::text)) <> 'object'::text) OR (jsonb_typeof(s.data) = 'array'::text)) ORDER BY s.id",
    "SELECT s.id, (s.data -> 'k'::text) AS k, (s.data -> 'b'::text) AS b, (s.data -> 'n'::text) AS n, (s.data -> 0) AS first FROM sample s WHERE (s.id < 1) ORDER BY s.id",
    "SELECT s.n, sum(s.id ORDER BY s.id) AS total, count(s.m ORDER BY s.id) AS m FROM sample s GROUP BY s.n ORDER BY s.n",
    "SELECT s.id, (s.n IS DISTINCT FROM s.m) AS other, (s.name IS NOT DISTINCT FROM s.\"Title\") AS same FROM sample s ORDER BY s.id",
];

/// Views whose answers PostgreSQL spells otherwise; only versions of SQLite are compared over them.
pub(super) const MORE_VIEWS: &[&str] = &[
    "SELECT s.n, array_agg(s.id ORDER BY s.id DESC) AS ids FROM sample s GROUP BY s.n ORDER BY s.n",
    "SELECT s.n, array_agg(s.name) AS names FROM sample s GROUP BY s.n ORDER BY s.n",
    "SELECT s.n, round(avg(s.price), 1) AS mean, round(avg(s.tax)) AS whole FROM sample s GROUP BY s.n ORDER BY s.n",
    "SELECT s.id, round((s.price / s.tax), 2) AS share FROM sample s WHERE (s.tax > (0)::numeric) ORDER BY s.id",
    "SELECT d.day, EXTRACT(week FROM d.day) AS week, EXTRACT(isoyear FROM d.day) AS year, EXTRACT(isodow FROM d.day) AS dow, EXTRACT(doy FROM d.day) AS doy FROM days d ORDER BY d.day",
    "SELECT d.id, (d.doc -> 'a'::text) AS a, (d.doc ->> 'a'::text) AS text, (d.doc -> 0) AS first, (d.doc ->> 0) AS first_text, (d.doc ->> 2) AS third, (d.doc -> 2) AS third_value FROM docs d ORDER BY d.id",
    "SELECT sum(s.id) AS x FROM sample s HAVING (count(*) > 5)",
    "SELECT 1 AS x, (SELECT count(*) AS c FROM days d HAVING (count(*) > 5)) AS y FROM sample s HAVING (count(*) > 5)",
    "SELECT s.id, 2 AS two FROM sample s ORDER BY 2::integer, s.id DESC LIMIT 3",
    "SELECT 2 AS two, count(*) AS c FROM sample s GROUP BY 2::integer",
    "SELECT a.id AS x, c.id AS y, d.m FROM sample a, (sample c LEFT JOIN sample d USING (id)) WHERE (a.id = 3) ORDER BY c.id",
    "SELECT d.id, jsonb_typeof(d.doc) AS type, jsonb_array_length(d.doc) AS length FROM docs d WHERE (jsonb_typeof(d.doc) = 'array'::text) ORDER BY d.id",
];

/// Awkward JSON, as PostgreSQL writes `jsonb`.
pub(super) const DOCUMENTS: &[&str] = &[
    r#"{"a": 1.50}"#,
    r#"{"a": 12345678901234567890123.000}"#,
    r#"{"a": -0.0, "b": 1}"#,
    r#"{"a": null}"#,
    r#"{"a": ""}"#,
    r#"{"a": "null"}"#,
    r#"{"a": "[,null]"}"#,
    r#"{"a": "q\"q \\ \n \t \u0001 é 😀"}"#,
    r#"{"a": true, "b": false}"#,
    r#"{"a": false}"#,
    r#"{"a": {"b": [1, 2.0, "x"]}}"#,
    r#"{"a": [1.10, "é", null, {"c": 1}]}"#,
    r#"{"b": {"a": 1}}"#,
    r#"[1.50, "two", null, [3]]"#,
    r#"[null, true, {"a": 1}]"#,
    "[]",
    "{}",
    "1.50",
    r#""text""#,
    "null",
    "true",
];

/// Defaults that vary: the expression, its column's form, and a query that tells 1 of a sound value `c`.
pub(super) fn varying_defaults() -> Vec<(&'static str, Kind, String)> {
    let mut all = Vec::new();
    for unit in [TimeUnit::Seconds, TimeUnit::Millis, TimeUnit::Micros] {
        let per_second = unit.per_second();
        for (expression, seconds) in [("now()", "'now'"), ("(now() + '7 days'::interval)", "'now', '+7 days'")] {
            let sound = format!("typeof(c) = 'integer' AND abs(c / {per_second} - strftime('%s', {seconds})) <= 2");
            all.push((expression, Kind::Epoch { unit, with_zone: true }, sound));
        }
        // Between the shortest and the longest run of thirteen months, and of two.
        for (expression, days) in
            [("(now() - '1 year 1 mon'::interval)", (-397, -395)), ("(now() + '2 mons'::interval)", (59, 62))]
        {
            let (least, most) = (days.0 * 86_400 - 2, days.1 * 86_400 + 2);
            let sound = format!(
                "typeof(c) = 'integer' AND c / {per_second} - strftime('%s', 'now') BETWEEN {least} AND {most}"
            );
            all.push((expression, Kind::Epoch { unit, with_zone: true }, sound));
        }
    }
    let day = "c IN (date('now'), date('now', '-2 seconds'))".to_owned();
    all.push(("CURRENT_DATE", Kind::Date, day));
    for with_zone in [false, true] {
        let sound = "abs(strftime('%s', substr(c, 1, 19)) - strftime('%s', 'now')) <= 2".to_owned();
        all.push(("now()", Kind::IsoTimestamp { with_zone }, sound));
    }
    let digit = "[0-9a-f]";
    let uuid = format!("c GLOB '{}-*-4*-[89ab]*-{}'", digit.repeat(8), digit.repeat(12));
    all.push(("gen_random_uuid()", Kind::Uuid, uuid));
    all.push(("random()", Kind::Real, "c >= 0 AND c < 1".to_owned()));
    all
}
