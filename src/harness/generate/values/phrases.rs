//! Types whose values are written from a table: a form with numbers in it for ordinary and for distinct values, and a
//! list of awkward ones.
//!
//! In a form `#` is the number and `$` the next one; everything else is itself.

use super::digits::push_integer;
use super::kind::Values;
use crate::harness::Random;

/// A type of the table.
pub(super) struct Phrase {
    names: &'static [&'static str],
    /// How ordinary values are written; the first form also makes the distinct ones.
    forms: &'static [&'static str],
    /// Numbers are below this.
    below: u64,
    /// How many distinct values the first form has; 0 for types that cannot be in a unique key.
    distinct: u64,
    awkward: &'static [&'static str],
}

const MANY: u64 = u32::MAX as u64;

pub(super) const TABLE: &[Phrase] = &[
    Phrase {
        names: &["interval", "interval day to second", "interval day to minute", "interval hour to second"],
        forms: &["#:00:00", "# days", "# hours", "$ days 0#:30:15"],
        below: 10,
        distinct: 1_000_000,
        awkward: &[
            "0",
            "1 mon",
            "30 days",
            "720:00:00",
            "-1 day",
            "-00:00:01",
            "1 day -24:00:00",
            "1 day 01:02:03",
            "-3 days +04:05:06",
            "2147483647 days",
            "00:00:00.000001",
            "-00:00:00.000001",
            "1 year -2 mons +3 days -04:05:06.789",
            "-1 year +2 mons -3 days +04:05:06.789",
            "178000000 years",
            "-178000000 years",
            "2562047788:00:54.775807",
            "P1Y2M3DT4H5M6S",
        ],
    },
    Phrase {
        names: &["interval year", "interval year to month", "interval month"],
        forms: &["# years"],
        below: 90,
        distinct: 1_000_000,
        awkward: &["0", "1 year", "-1 years", "178000000 years", "3 years 2 mons", "-1 mons"],
    },
    Phrase {
        names: &["interval day", "interval day to hour"],
        forms: &["# days"],
        below: 90,
        distinct: 1_000_000,
        awkward: &["0", "-1 days", "2147483647 days"],
    },
    Phrase {
        names: &["interval hour", "interval hour to minute"],
        forms: &["# hours"],
        below: 90,
        distinct: 1_000_000,
        awkward: &["0", "-1 hours", "30 days"],
    },
    Phrase {
        names: &["interval minute", "interval minute to second", "interval second"],
        forms: &["# minutes"],
        below: 90,
        distinct: 1_000_000,
        awkward: &["0", "-1 minutes", "05:06"],
    },
    Phrase {
        names: &["point"],
        forms: &["(#.5,$)"],
        below: 1_000,
        distinct: 0,
        awkward: &[
            "(0,0)",
            "(-0,1e-300)",
            "(NaN,Infinity)",
            "(NaN,NaN)",
            "(0.1,0.30000000000000004)",
            "(1e308,-1e308)",
            "(5e-324,1)",
        ],
    },
    Phrase {
        names: &["line"],
        forms: &["{#,$,3}"],
        below: 1_000,
        distinct: 0,
        awkward: &["{0,-1,0.1}", "{1,0,-0}", "{1e100,1,1}"],
    },
    Phrase {
        names: &["lseg"],
        forms: &["[(#,0),($,1)]"],
        below: 1_000,
        distinct: 0,
        awkward: &["[(-1.5,0.1),(1e300,-1e-300)]", "[(0,0),(0,0)]", "[(NaN,1),(Infinity,2)]"],
    },
    Phrase {
        names: &["box"],
        forms: &["($,$),(#,0)"],
        below: 1_000,
        distinct: 0,
        awkward: &["(0.1,0.2),(-0.3,-0.4)", "(0,0),(0,0)", "(1e300,1),(-1e300,-0)", "(Infinity,1),(0,0)"],
    },
    Phrase {
        names: &["path"],
        forms: &["((0,0),(#,1),($,0))", "[(0,0),(#,$)]"],
        below: 1_000,
        distinct: 0,
        awkward: &["((0,0))", "[(0,0)]", "[(NaN,1),(2,Infinity)]", "((0.1,0.2),(1e-300,1e300))"],
    },
    Phrase {
        names: &["polygon"],
        forms: &["((0,0),(#,1),($,0))"],
        below: 1_000,
        distinct: 0,
        awkward: &["((0,0))", "((1e300,-1e300),(0.1,0.2))", "((0,0),(0,0),(0,0))"],
    },
    Phrase {
        names: &["circle"],
        forms: &["<(#,0),$>"],
        below: 1_000,
        distinct: 0,
        awkward: &["<(0,0),0>", "<(0.1,0.2),1e10>", "<(NaN,1),2>", "<(0,0),Infinity>"],
    },
    Phrase {
        names: &["xml"],
        forms: &["<item id=\"#\">text $</item>", "<list><item>#</item><item/></list>"],
        below: 100_000,
        distinct: 0,
        awkward: &[
            "<a/>",
            "<a b=\"c\">text &amp; &lt;more&gt;</a>",
            "<a>\n  <b/>\n</a>",
            "just text",
            "",
            "<!-- note --><a/>",
            "<a><![CDATA[<not> & parsed]]></a>",
            "<\u{e4}>\u{1f600}\u{645}</\u{e4}>",
            "<a>one</a><b>two</b>",
        ],
    },
    Phrase {
        names: &["tsvector"],
        forms: &["'word#':1 'other$':2", "'cat':1,3 'dog#':2A"],
        below: 10_000,
        distinct: MANY,
        awkward: &[
            "",
            "'quo''ted' 'word':1A,2B",
            "the cat sat",
            "'\u{1f600}':16383",
            "'with blank':1 '\\\\':2",
            "'a':1,2,3,4,5A,6B,7C",
        ],
    },
    Phrase {
        names: &["tsquery"],
        forms: &["'word#' & 'other$'", "'cat#' | !'dog'"],
        below: 10_000,
        distinct: MANY,
        awkward: &["", "cat & !dog | (rat <-> bat)", "'it''s':*AB", "a <10> b", "!!!x", "'\u{1f600}'"],
    },
    Phrase {
        names: &["jsonpath"],
        forms: &["$.\"field#\"", "$.list[#].name"],
        below: 1_000,
        distinct: 0,
        awkward: &[
            "$",
            "$.a[*] ? (@.b > 1)",
            "strict $.\"key with \\\"quote\\\"\"",
            "$.a ? (@ like_regex \"^x\" flag \"i\")",
            "$.**",
        ],
    },
    Phrase {
        names: &["hstore"],
        forms: &["\"key\"=>\"#\", \"other\"=>\"value $\""],
        below: 10_000,
        distinct: MANY,
        awkward: &[
            "",
            "a=>1, b=>NULL",
            "\"quo\\\"ted\"=>\"x => y\", \"\"=>\"\", \"NULL\"=>\"NULL\"",
            "\"c\\\\d\"=>\"{}\", \"\u{fc}\"=>\"\u{c4}\"",
            "\"a\"=>\"1\", \"a\"=>\"2\"",
            "\" \"=>\" \"",
        ],
    },
    Phrase {
        names: &["ltree"],
        forms: &["top.n#", "top.science.n#.m$"],
        below: 10_000,
        distinct: MANY,
        awkward: &["", "a", "A.a.A", "Top.Science.Astronomy", "_._", "1.2.3"],
    },
    Phrase {
        names: &["lquery"],
        forms: &["top.*.n#"],
        below: 1_000,
        distinct: 0,
        awkward: &["*", "a|b.!c", "a*@.b{1,2}"],
    },
    Phrase { names: &["ltxtquery"], forms: &["top & n#"], below: 1_000, distinct: 0, awkward: &["a", "!a | b*@"] },
    Phrase {
        names: &["cube"],
        forms: &["(#)", "(#, $)", "(#, 1),($, 2)"],
        below: 10_000,
        distinct: MANY,
        awkward: &["(0)", "()", "(-0)", "(0.1)", "(1, 2),(3, 4)", "(1e300, -1e-300)"],
    },
    Phrase {
        names: &["seg"],
        forms: &["#"],
        below: 1_000,
        distinct: 100_000,
        awkward: &["0", "~5.0", "1.5 .. 2.5", "<3", "1 ..", ".. 2"],
    },
    Phrase {
        names: &["isbn13", "isbn"],
        forms: &["978-0-11-000533-1"],
        below: 1,
        distinct: 1,
        awkward: &["978-0-306-40615-7", "978-3-16-148410-0"],
    },
    Phrase { names: &["ean13"], forms: &["400-638133393-1"], below: 1, distinct: 1, awkward: &["978-0-11-000533-1"] },
    Phrase { names: &["issn13", "issn"], forms: &["1436-4522"], below: 1, distinct: 1, awkward: &["0317-8471"] },
    Phrase {
        names: &["refcursor"],
        forms: &["cursor #"],
        below: 1_000,
        distinct: 0,
        awkward: &["", "a cursor", "<unnamed portal 1>"],
    },
    Phrase {
        names: &["tid"],
        forms: &["(#,1)"],
        below: 10_000,
        distinct: MANY,
        awkward: &["(0,0)", "(4294967295,65535)", "(0,1)"],
    },
    Phrase {
        names: &["int2vector"],
        forms: &["# $ 3"],
        below: 1_000,
        distinct: 0,
        awkward: &["", "1 2 -3", "-32768 32767"],
    },
    Phrase {
        names: &["oidvector"],
        forms: &["# $"],
        below: 10_000,
        distinct: MANY,
        awkward: &["", "1 4294967295", "0"],
    },
    Phrase {
        names: &["txid_snapshot", "pg_snapshot"],
        forms: &["1#:1$:"],
        below: 1_000,
        distinct: 0,
        awkward: &["1:1:", "10:20:10,14,15"],
    },
    Phrase {
        names: &["aclitem"],
        forms: &["=r/pg_read_all_data"],
        below: 1,
        distinct: 0,
        awkward: &["pg_read_all_data=r*w/pg_write_all_data"],
    },
    Phrase {
        names: &["regclass"],
        forms: &["pg_catalog.pg_class", "pg_catalog.pg_type", "pg_catalog.pg_attribute"],
        below: 1,
        distinct: 1,
        awkward: &["-", "4294967295"],
    },
    Phrase {
        names: &["regtype"],
        forms: &["integer", "text", "boolean"],
        below: 1,
        distinct: 1,
        awkward: &["-", "integer[]", "character varying"],
    },
    Phrase { names: &["regproc"], forms: &["pg_catalog.now"], below: 1, distinct: 1, awkward: &["-"] },
    Phrase {
        names: &["regprocedure"],
        forms: &["pg_catalog.sum(integer)"],
        below: 1,
        distinct: 1,
        awkward: &["-", "pg_catalog.abs(numeric)"],
    },
    Phrase { names: &["regoper"], forms: &["pg_catalog.||/"], below: 1, distinct: 1, awkward: &["0"] },
    Phrase {
        names: &["regoperator"],
        forms: &["pg_catalog.+(integer,integer)"],
        below: 1,
        distinct: 1,
        awkward: &["0", "pg_catalog.!~~*(text,text)"],
    },
    Phrase {
        names: &["regnamespace"],
        forms: &["pg_catalog"],
        below: 1,
        distinct: 1,
        awkward: &["-", "information_schema"],
    },
    Phrase { names: &["regrole"], forms: &["pg_read_all_data"], below: 1, distinct: 1, awkward: &["-"] },
    Phrase { names: &["regconfig"], forms: &["pg_catalog.simple"], below: 1, distinct: 1, awkward: &["-"] },
    Phrase { names: &["regdictionary"], forms: &["pg_catalog.simple"], below: 1, distinct: 1, awkward: &["-"] },
    Phrase { names: &["regcollation"], forms: &["\"C\""], below: 1, distinct: 1, awkward: &["-", "\"POSIX\""] },
];

/// `time with time zone`, whose distinct values are told elsewhere.
pub(super) static ZONED_TIMES: Phrase = Phrase {
    names: &["timetz", "time with time zone"],
    forms: &["1#:0$:00+0$"],
    below: 9,
    distinct: 0,
    awkward: &[
        "00:00:00+00",
        "24:00:00-15:59",
        "23:59:60+00",
        "23:59:59.999999+15:59",
        "12:00:00+05:30:15",
        "12:00:00-00:00:01",
        "12:00:00.25+05:30:15",
    ],
};

/// The table's entry for a name.
pub(super) fn find(name: &str) -> Option<&'static Phrase> {
    TABLE.iter().find(|phrase| phrase.names.contains(&name))
}

/// Values of one entry of the table.
#[derive(Debug)]
pub(super) struct Phrases {
    phrase: &'static Phrase,
}

impl std::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Phrase").field(&self.names).finish()
    }
}

impl Phrases {
    pub(super) fn new(phrase: &'static Phrase) -> Self {
        Phrases { phrase }
    }

    fn push(form: &str, number: u64, next: u64, text: &mut String) {
        for letter in form.chars() {
            match letter {
                '#' => push_integer(text, number.into()),
                '$' if form != "$" && !form.starts_with("$.") => push_integer(text, next.into()),
                other => text.push(other),
            }
        }
    }
}

impl Values for Phrases {
    fn ordinary(&self, random: &mut Random, text: &mut String) {
        let form = self.phrase.forms[random.below(self.phrase.forms.len() as u64) as usize];
        let number = random.below(self.phrase.below);
        Self::push(form, number, number + 1, text);
    }

    fn awkward(&self, random: &mut Random, text: &mut String) {
        match random.pick(self.phrase.awkward) {
            Some(value) => text.push_str(value),
            None => self.ordinary(random, text),
        }
    }

    fn capacity(&self) -> u64 {
        self.phrase.distinct
    }

    fn nth(&self, index: u64, text: &mut String) {
        Self::push(self.phrase.forms[0], index, index + 1, text);
    }

    /// The table's own values, and whatever a list gives: the server reads many more than can be told here.
    fn accepts(&self, _value: &str) -> bool {
        true
    }

    fn simplest(&self) -> Vec<String> {
        let mut text = String::new();
        Self::push(self.phrase.forms[0], 0, 1, &mut text);
        vec![text]
    }

    fn reductions(&self, _value: &str) -> Vec<String> {
        Vec::new()
    }
}
