//! Views.

use super::build::Builder;
use super::expression;
use super::names::{Room, natural, quote, quote_all};
use super::{Caveat, Reason, ViewPlan};
use crate::catalog::{ObjectKind, View};

impl Builder<'_> {
    /// Plans the views; those whose query SQLite cannot answer in the same way are listed.
    pub(super) fn views(&mut self) -> Vec<ViewPlan> {
        let mut views = Vec::new();
        for view in &self.catalog.views {
            let object = view.name.to_string();
            if !self.is_selected(&view.name) || self.is_excluded_object(&view.name, &view.name.name) {
                self.lose(ObjectKind::View, &object, Reason::Excluded);
                continue;
            }
            match expression::view(&view.definition, self.forms()) {
                Ok(translated) => {
                    self.tell_of_writes_and_security(view);
                    self.caveats.extend(
                        translated.caveats.iter().map(|text| Caveat { object: object.clone(), text: text.clone() }),
                    );
                    let chosen = self.chosen_table_name(&view.name);
                    let is_chosen = chosen.is_some();
                    let wanted = chosen.unwrap_or_else(|| natural(&view.name));
                    let taken = self.room.take_for(&wanted, is_chosen);
                    self.tell_other_name(&format!("view {object}"), &wanted, &taken);
                    let target = taken.name;
                    let names = self.view_columns(&object, &view.columns);
                    let columns = quote_all(names.iter().map(String::as_str));
                    let list = if names.is_empty() { String::new() } else { format!(" ({columns})") };
                    let sql = format!("CREATE VIEW {}{list} AS {}", quote(&target), translated.sql);
                    let forms = view
                        .columns
                        .iter()
                        .zip(names)
                        .zip(translated.columns)
                        .map(|((source, target), (_, mut form))| {
                            form.name = target;
                            (source.clone(), form)
                        })
                        .collect();
                    self.forms_mut().add(&view.name, &target, forms, translated.views_deep);
                    views.push(ViewPlan { source: view.name.clone(), target, sql });
                }
                Err(refusal) => {
                    let reason = Reason::Untranslated { sql: None, why: refusal.reason };
                    self.lose(ObjectKind::View, &object, reason);
                }
            }
        }
        views
    }

    /// The names of a view's columns in the target, where names that differ by case are the same.
    fn view_columns(&mut self, view: &str, columns: &[String]) -> Vec<String> {
        let mut room = Room::default();
        let mut names = Vec::with_capacity(columns.len());
        for column in columns {
            let taken = room.take_for(column, false);
            self.tell_other_name(&format!("{view}.{column}"), column, &taken);
            names.push(taken.name);
        }
        names
    }

    /// What a view does in the source besides giving the rows of its query.
    fn tell_of_writes_and_security(&mut self, view: &View) {
        let mut tell = |text: String| self.caveats.push(Caveat { object: view.name.to_string(), text });
        if view.takes_writes {
            let checked = if view.checks_writes { ", and refuses rows that it would not show" } else { "" };
            tell(format!("read only: PostgreSQL passes writes to it on to its table{checked}"));
        }
        if !view.secured.is_empty() {
            let names: Vec<_> = view.secured.iter().map(|name| format!("`{name}`")).collect();
            tell(format!("shows every row: in PostgreSQL the row-level security of {} hides some", names.join(", ")));
        }
    }
}
