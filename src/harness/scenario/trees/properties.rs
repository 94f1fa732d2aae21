//! What has to hold for every tree. Where a property is asked of a database, too, its own file says what it does.

use super::super::case::{open, remembered_digests};
use super::super::properties::{checks, digests, integrity, published, queries, rollback, twice};
use super::super::property::Verdict;
use super::case::{Case, differences, picture};
use crate::backup::restore::{RestoreOptions, Which, restore};
use crate::error::{Context, Error, Kind, Result};
use crate::harness::mutation::{Subject, catalogue, kill};
use crate::metadata::tree::TREE_TABLE;
use crate::quote::quote;
use crate::verify::Level;
use std::path::Path;

/// Something that has to hold for a tree.
pub(super) struct TreeProperty {
    pub name: &'static str,
    pub says: &'static str,
    pub ask: fn(&mut Case<'_>) -> Result<Verdict>,
}

/// Every property, in the order in which a case is asked: those that only read before those that change the file.
pub(super) const ALL: &[TreeProperty] = &[
    TreeProperty {
        name: "published",
        says: "what is as the layout says is migrated, verified and published",
        ask: is_published,
    },
    TreeProperty { name: "counts", says: "every table has as many rows as the files have records", ask: counts },
    TreeProperty { name: "digests", says: "every value is the same, by digest", ask: digests_are_the_same },
    TreeProperty { name: "integrity", says: "the file is sound, and every reference leads to a row", ask: is_sound },
    TreeProperty { name: "checks", says: "the project's checks find nothing", ask: passes_checks },
    TreeProperty { name: "queries", says: "every query of the project runs", ask: runs_queries },
    TreeProperty { name: "twice", says: "migrating twice gives the same file content", ask: is_the_same_twice },
    TreeProperty { name: "way back", says: "the file becomes the same tree, byte for byte", ask: comes_back },
    TreeProperty { name: "mutations", says: "the checker notices a change of the finished file", ask: notices_rows },
    TreeProperty { name: "mutations of files", says: "the checker notices a change of the tree", ask: notices_files },
    TreeProperty { name: "rollback", says: "rolling back restores the old file and the old tree", ask: rolls_back },
    TreeProperty { name: "source untouched", says: "the tree is only read", ask: is_untouched },
];

fn is_published(case: &mut Case<'_>) -> Result<Verdict> {
    let mut findings = match case.migrate(&case.target, Level::Full) {
        Ok(outcome) if outcome.verification.is_sound() => {
            case.outcome = Some(outcome);
            return Ok(Verdict::Holds);
        }
        Ok(outcome) => published::differences(&outcome.verification),
        Err(error) => vec![match error.way_out() {
            Some(hint) => format!("{error} (hint: {hint})"),
            None => error.to_string(),
        }],
    };
    // All or nothing: whatever stopped the run, the target is what it was before.
    if !case.old.is_at(&case.target)? {
        findings.push("and the target is not what it was before".to_owned());
    }
    Ok(Verdict::of(findings))
}

/// What was put into the files is counted by whoever made them.
fn counts(case: &mut Case<'_>) -> Result<Verdict> {
    let connection = case.open_target()?;
    let mut findings = Vec::new();
    let mut compare = |what: &str, sql: &str, expected: u64| -> Result<()> {
        let found: i64 = connection.query_row(sql, [], |row| row.get(0)).could_not("count rows of", what)?;
        if i64::try_from(expected) != Ok(found) {
            findings.push(format!("{what}: {expected} were written, {found} are in the file"));
        }
        Ok(())
    };
    for table in &case.subject.layout.layout.tables {
        let expected = case.made.rows.get(&table.name).copied().unwrap_or(0);
        let sql = format!("SELECT count(*) FROM {}", quote(&table.name));
        compare(&format!("records of table `{}`", table.name), &sql, expected)?;
    }
    let sql = format!("SELECT count(*) FROM {TREE_TABLE} WHERE entry = 'file'");
    compare("files", &sql, case.made.files() as u64)?;
    Ok(Verdict::of(findings))
}

fn digests_are_the_same(case: &mut Case<'_>) -> Result<Verdict> {
    let remembered = remembered_digests(&case.target).could_not("read the manifest of", "the target")?;
    digests::of(case.outcome()?, &case.target, Some(remembered))
}

fn is_sound(case: &mut Case<'_>) -> Result<Verdict> {
    integrity::of(&case.open_target()?)
}

fn passes_checks(case: &mut Case<'_>) -> Result<Verdict> {
    checks::of(case.subject.settings.options.checks.as_deref(), &case.open_target()?)
}

fn runs_queries(case: &mut Case<'_>) -> Result<Verdict> {
    let (verdict, times) = queries::of(&case.subject.settings, &case.open_target()?, case.seed, &case.cancel)?;
    case.latencies = times;
    Ok(verdict)
}

fn is_the_same_twice(case: &mut Case<'_>) -> Result<Verdict> {
    let second = case.path("second.db");
    let again = case.migrate(&second, Level::Digest)?;
    let outcome = case.outcome()?;
    let differing = outcome.copied.iter().zip(&again.copied).filter(|(one, other)| one.digest != other.digest).count();
    if differing > 0 {
        return Ok(Verdict::Violated(format!("{differing} tables have other rows the second time")));
    }
    again.ensure_published()?;
    // Columns that no file fills may have the moment of the run: of their tables the digests above are compared.
    let connection = case.open_target()?;
    let mut dated = Vec::new();
    for table in &outcome.plan.tables {
        let sql = "SELECT count(*) FROM pragma_table_info(?1)";
        let columns: i64 =
            connection.query_row(sql, [&table.target], |row| row.get(0)).could_not("look at", &table.target)?;
        if usize::try_from(columns) != Ok(table.columns.len()) {
            dated.push(table.target.as_str());
        }
    }
    twice::of(&connection, &open(&second)?, &outcome.plan, &dated)
}

fn comes_back(case: &mut Case<'_>) -> Result<Verdict> {
    let out = case.path("out");
    case.back(&out)?.ensure_published()?;
    Ok(Verdict::of(differences(&case.before, &picture(&out)?, case.subject.layout.layout.times)))
}

/// How many changes a case makes.
const CHANGES: usize = 2;
/// How many it looks for a place for, until it has made those.
const TRIES_MAX: usize = 8;

fn notices_rows(case: &mut Case<'_>) -> Result<Verdict> {
    let mut random = case.seed.of("mutations").random();
    let all: Vec<_> = catalogue().collect();
    let (mut findings, mut made) = (Vec::new(), Vec::new());
    let mut source = case.source(&case.tree)?;
    for _ in 0..TRIES_MAX {
        let Some(mutation) = random.pick(&all) else { break };
        let outcome = case.outcome()?;
        let digests: Vec<_> = outcome.copied.iter().map(|copied| copied.digest).collect();
        let subject = Subject {
            target: &case.target,
            plan: &outcome.plan,
            source_digests: Some(&digests),
            metadata: outcome.ledger,
            checks: None,
        };
        let Some(kill) = kill(mutation, subject, &mut source, &mut random)? else { continue };
        if !kill.noticed {
            findings.push(format!("`{}` was not noticed: {}", kill.mutation, kill.applied));
        }
        made.push((kill.mutation.to_owned(), kill.noticed));
        if made.len() == CHANGES {
            break;
        }
    }
    let none = made.is_empty();
    case.mutations.extend(made);
    Ok(match none {
        true => Verdict::NotAsked("the file has nothing that the chosen mutations change"),
        false => Verdict::of(findings),
    })
}

/// One file of a copy of the tree has another byte, one byte less, is gone, or has other permissions.
fn notices_files(case: &mut Case<'_>) -> Result<Verdict> {
    const NAMES: [&str; 4] = ["a byte of a file", "the end of a file", "a file", "the permissions of a file"];
    let mut random = case.seed.of("mutations of files").random();
    let files: Vec<_> = case.made.entries.iter().filter(|(_, entry)| entry.is_file()).map(|(path, _)| path).collect();
    let Some(path) = random.pick(&files) else { return Ok(Verdict::NotAsked("the tree has no file")) };
    let copy = case.path("changed");
    case.made.write(&copy)?;
    let file = copy.join(path);
    let mut bytes = std::fs::read(&file).could_not("read", format!("`{}`", file.display()))?;
    let at = random.below(bytes.len() as u64) as usize;
    let change = if bytes.is_empty() { 2 + random.below(2) } else { random.below(4) };
    let changed = match change {
        0 => {
            bytes[at] ^= 1 << random.below(7);
            overwrite(&file, &bytes)
        }
        1 => {
            bytes.pop();
            overwrite(&file, &bytes)
        }
        2 => std::fs::remove_file(&file),
        _ => std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o711)),
    };
    changed.could_not("change", format!("`{}`", file.display()))?;
    let name = NAMES[change as usize];
    let is_noticed = match case.verify(&copy) {
        Ok(found) => !found.is_sound(),
        // It is no file of its kind any more, or leaves its directory behind.
        Err(error) => error.kind() != Kind::Interrupted,
    };
    case.mutations.push((name.to_owned(), is_noticed));
    Ok(match is_noticed {
        true => Verdict::Holds,
        false => Verdict::Violated(format!("a change of {name} was not noticed: {path:?}, byte {at}")),
    })
}

/// Other bytes for a file that may be there to read only.
fn overwrite(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let permissions = std::fs::metadata(file)?.permissions();
    std::fs::remove_file(file)?;
    std::fs::write(file, bytes)?;
    std::fs::set_permissions(file, permissions)
}

fn rolls_back(case: &mut Case<'_>) -> Result<Verdict> {
    // A tree that is not the one of the file, and then is.
    let replaced = case.path("replaced");
    case.made.write(&replaced)?;
    std::fs::create_dir(replaced.join("only before")).could_not("create", "a directory")?;
    let before = picture(&replaced)?;
    case.back(&replaced)?.ensure_published()?;
    let mut findings = differences(&case.before, &picture(&replaced)?, false);
    let flag = case.cancel.flag();
    let options = RestoreOptions { directory: None, wait_ms: 0, cancel: &flag };
    restore(&replaced, &Which::Newest, options)?;
    findings.extend(differences(&before, &picture(&replaced)?, false));
    if !findings.is_empty() {
        return Ok(Verdict::of(findings));
    }
    let Some(published) = &case.outcome()?.published else {
        return Err(Error::could_not("roll back", "", "nothing was published"));
    };
    rollback::of(&case.target, &case.old, published)
}

fn is_untouched(case: &mut Case<'_>) -> Result<Verdict> {
    Ok(Verdict::of(differences(&case.before, &picture(&case.tree)?, true)))
}
