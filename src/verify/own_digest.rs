//! The source's own digest of each table, held against the file's.
//!
//! The source computes it where the rows are, from the texts of its values; the file's is made of its stored values,
//! each turned back through its rule. So neither the bytes that came over the wire nor the digest that was taken of
//! them has a part in it: damage on the way and a value that is read wrongly each time are seen here and nowhere else.

use super::diff;
use super::verification::TableCheck;
use crate::cancel::Cancel;
use crate::catalog::Catalog;
use crate::endpoint::{Finished, Level, ReadTable, Source, hash_texts};
use crate::error::Result;
use crate::plan::TablePlan;
use crate::types::Codec;
use crate::value::{Cell, TextDigest, TextHasher};

/// Asks for the digest of each table that was read back, and says what could not be asked. Without a `ledger`, columns
/// that do not hold their values whole are left out by name.
///
/// # Errors
/// When the source or the file cannot be read.
pub fn compare(
    source: &mut dyn Source,
    target: &mut dyn Finished,
    tables: &[TablePlan],
    texts: &[Option<TextDigest>],
    ledger: bool,
    checks: &mut [TableCheck],
    cancel: &Cancel,
) -> Result<Vec<String>> {
    let mut not_checked = Vec::new();
    for ((table, texts), check) in tables.iter().zip(texts).zip(checks) {
        let Some(read_back) = *texts else { continue };
        let codecs = diff::codecs(table);
        let Some(own) = source.own_digest(&ReadTable::of(table))? else {
            not_checked.push(format!("the source's own digest of `{}` (its engine computes none)", table.source));
            continue;
        };
        check.own_digests = Some((own, read_back));
        if own == read_back || ledger {
            continue;
        }
        let inexact = inexact_columns(source, table, &codecs)?;
        if !inexact.contains(&true) {
            continue;
        }
        let own = source.own_digest(&held(ReadTable::of(table), &inexact))?;
        check.own_digests = own.zip(Some(digest_of_held(&mut *target.reread(cancel)?, table, &inexact)?));
        not_checked.extend(table.columns.iter().zip(&inexact).filter(|(_, inexact)| **inexact).map(|(column, _)| {
            format!(
                "the source's own digest of column `{}` of `{}` (it does not hold every value, and there is no ledger)",
                column.source, table.source
            )
        }));
    }
    Ok(not_checked)
}

/// A finding where the source's schema, read once more, is another one than it was planned by; only where the level
/// asks for it.
///
/// # Errors
/// When the schema cannot be read.
pub fn schema_read_twice(level: Level, first: &Catalog, source: &mut dyn Source) -> Result<Option<String>> {
    if level < Level::Paranoid {
        return Ok(None);
    }
    let is_same = settled(first.clone()) == settled(Catalog::clone(&*source.catalog_again()?));
    Ok((!is_same).then(|| "the source's schema is another one when it is read again: run again".to_owned()))
}

/// A schema without the estimates, which change by themselves.
fn settled(mut catalog: Catalog) -> Catalog {
    for table in &mut catalog.tables {
        (table.row_estimate, table.size_bytes) = (0, 0);
    }
    catalog
}

/// The columns with a value that they do not hold whole, as the source says when it is read once more.
fn inexact_columns(source: &mut dyn Source, table: &TablePlan, codecs: &[Codec]) -> Result<Vec<bool>> {
    let mut inexact = vec![false; codecs.len()];
    if table.columns.iter().all(|column| column.remainder.is_none()) {
        return Ok(inexact);
    }
    source.read(&[ReadTable::of(table)], &mut |_: usize, cells: &[Cell<'_>]| {
        for ((cell, codec), inexact) in cells.iter().zip(codecs).zip(&mut inexact) {
            *inexact |= !codec.place(cell).exact;
        }
        Ok(())
    })?;
    Ok(inexact)
}

fn held<'p>(mut request: ReadTable<'p>, inexact: &[bool]) -> ReadTable<'p> {
    let mut places = inexact.iter();
    request.columns.retain(|_| places.next() == Some(&false));
    request.key = &[];
    request
}

fn digest_of_held(target: &mut dyn Source, table: &TablePlan, inexact: &[bool]) -> Result<TextDigest> {
    let codecs = diff::codecs(table);
    let codecs: Vec<_> = codecs.iter().zip(inexact).filter(|(_, inexact)| !**inexact).map(|(codec, _)| codec).collect();
    let (mut digest, mut hasher) = (TextDigest::default(), TextHasher::default());
    target.read(&[held(ReadTable::of(table), inexact)], &mut |_: usize, cells: &[Cell<'_>]| {
        hash_texts(&mut hasher, cells, codecs.iter().copied());
        digest.add(hasher.finish());
        Ok(())
    })?;
    Ok(digest)
}
