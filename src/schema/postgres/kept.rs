//! What a table has to have again after it was rebuilt, on PostgreSQL.
//!
//! `DROP TABLE` takes the indexes, triggers and keys of a table with it, and with CASCADE the views that read it and the
//! keys of others that refer to it. A script is read for the tables and views that it drops or renames away and makes
//! again; what was bound to them before it has to be there after it, or be declared in the header.

use super::super::kept::{gone_unsaid, wrongly_declared};
use super::super::plan::Step;
use super::super::script::{Loss, Lost, rebuilt};
use crate::Result;
use crate::endpoint::postgres::{Client, Explained};

/// What was there before a script.
pub(super) struct Kept {
    rebuilt: Vec<String>,
    /// What is bound to these.
    bound: Vec<Object>,
    /// What the header says goes and was there.
    declared: Vec<Loss>,
}

/// An index, a trigger, a key or a view.
struct Object {
    lost: Lost,
    /// As a header names it: of a key, its table.
    name: String,
    /// The table or view that it is on, with its schema.
    on: String,
    /// What it is without its name; of a foreign key the columns alone, whose rule may change.
    definition: String,
}

impl Kept {
    /// Looks at what the script of a step rebuilds or declares; nothing where it does neither. The search path is the
    /// runner's.
    pub(super) async fn before(connection: &mut Client, step: &Step) -> Result<Option<Kept>> {
        let rebuilt: Vec<String> = rebuilt(&step.script.statements).into_iter().collect();
        if rebuilt.is_empty() && declared(step).next().is_none() {
            return Ok(None);
        }
        let bound = objects(connection, &rebuilt, &[], step).await?;
        let declared = declared_and_there(connection, step).await?;
        Ok(Some(Kept { rebuilt, bound, declared }))
    }

    /// Fails where something went that does not come back and is not declared, or is declared and did not go.
    pub(super) async fn after(&self, connection: &mut Client, step: &Step) -> Result<()> {
        let staying = declared_and_there(connection, step).await?;
        // What went before a run was interrupted is not known.
        let is_resumed = step.resume_after.is_some_and(|finished| finished > 0);
        for loss in declared(step) {
            let stays = staying.contains(loss);
            if stays || (!is_resumed && !self.declared.contains(loss)) {
                return Err(wrongly_declared(step, loss, stays));
            }
        }
        let now = objects(connection, &self.rebuilt, &[], step).await?;
        let header = &step.script.header;
        let gone =
            self.bound.iter().filter(|object| !object.is_among(&now) && !header.declares(object.lost, &object.name));
        gone_unsaid(step, gone.map(|object| (object.lost, object.name.clone(), object.describe())).collect())
    }
}

/// Those of the header's losses that are there now.
async fn declared_and_there(connection: &mut Client, step: &Step) -> Result<Vec<Loss>> {
    let names: Vec<String> = declared(step).map(|loss| loss.name.to_lowercase()).collect();
    let there = objects(connection, &names, &names, step).await?;
    let names = |object: &Object, loss: &Loss| object.lost == loss.lost && object.name.eq_ignore_ascii_case(&loss.name);
    Ok(declared(step).filter(|loss| there.iter().any(|object| names(object, loss))).cloned().collect())
}

/// What the header says goes, but for rows.
fn declared(step: &Step) -> impl Iterator<Item = &Loss> {
    step.script.header.loses.iter().filter(|loss| loss.lost != Lost::Rows)
}

impl Object {
    fn is_among(&self, others: &[Object]) -> bool {
        let same_place = |other: &&Object| other.lost == self.lost && other.on == self.on;
        others.iter().filter(same_place).any(|other| match self.lost {
            // One of the same name may cover other columns, and must not stop refusing duplicates.
            Lost::Index => {
                other.definition == self.definition
                    || (other.name == self.name && (other.is_unique() || !self.is_unique()))
            }
            Lost::Trigger => other.name == self.name || other.definition == self.definition,
            _ => other.definition == self.definition,
        })
    }

    fn is_unique(&self) -> bool {
        self.definition.starts_with("unique ")
    }

    fn describe(&self) -> String {
        let words = self.lost.words();
        match self.lost {
            Lost::View => format!("the view `{}`", self.on),
            Lost::PrimaryKey => format!("the {words} of `{}`", self.on),
            Lost::ForeignKey => format!("the {words} of `{}`: {}", self.on, self.definition),
            _ => format!("the {words} `{}` of `{}`", self.name, self.on),
        }
    }
}

async fn objects(connection: &mut Client, tables: &[String], others: &[String], step: &Step) -> Result<Vec<Object>> {
    const KINDS: [Lost; 5] = [Lost::Index, Lost::PrimaryKey, Lost::Trigger, Lost::ForeignKey, Lost::View];
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(include_str!("bound.sql"))
        .bind(tables)
        .bind(others)
        .fetch_all(connection.sqlx())
        .await
        .could_not("look at the tables of", step.label())?;
    let kind = |words: &str| KINDS.into_iter().find(|lost| lost.words() == words);
    Ok(rows
        .into_iter()
        .filter_map(|(words, name, on, definition)| Some(Object { lost: kind(&words)?, name, on, definition }))
        .collect())
}
