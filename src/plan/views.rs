//! Views.

use super::build::Builder;
use super::expression;
use super::names::{natural, quote, quote_all};
use super::{Caveat, ViewPlan};

impl Builder<'_> {
    /// Plans the views; those whose query SQLite cannot answer in the same way are listed.
    pub(super) fn views(&mut self) -> Vec<ViewPlan> {
        let mut views = Vec::new();
        for view in &self.catalog.views {
            let object = view.name.to_string();
            if !self.is_selected(&view.name) || self.is_excluded_object(&view.name, &view.name.name) {
                self.lose("view", &object, "excluded by name");
                continue;
            }
            match expression::view(&view.definition, self.forms()) {
                Ok(translated) => {
                    self.caveats.extend(
                        translated.caveats.iter().map(|text| Caveat { object: object.clone(), text: text.clone() }),
                    );
                    let wanted = self.chosen_table_name(&view.name).unwrap_or_else(|| natural(&view.name));
                    let target = self.room.take(&wanted);
                    let columns = quote_all(view.columns.iter().map(String::as_str));
                    let list = if view.columns.is_empty() { String::new() } else { format!(" ({columns})") };
                    let sql = format!("CREATE VIEW {}{list} AS {}", quote(&target), translated.sql);
                    let forms = view
                        .columns
                        .iter()
                        .zip(translated.columns)
                        .map(|(name, (_, mut form))| {
                            form.name.clone_from(name);
                            (name.clone(), form)
                        })
                        .collect();
                    self.forms_mut().add(&view.name, &target, forms, translated.views_deep);
                    views.push(ViewPlan { source: view.name.clone(), target, sql });
                }
                Err(refusal) => self.lose("view", &object, &refusal.reason),
            }
        }
        views
    }
}
