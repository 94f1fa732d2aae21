//! What of a file its rows do not tell.

use super::super::document::{Document, NodeId, NodeKind, Syntax};
use super::super::layout::{Origin, ValueForm};
use super::edit::{Frame, Splice, apply, line_indent, look_of};
use super::sets::{Many, Set, Sets};
use super::tree::Look;
use super::unweave::{Found, locate};
use super::{Piece, form, open};
use crate::value::Cell;

/// The text of a piece with the shortest value in each place whose value a column tells and which is spelled as we would. What
/// tells records apart stays. None where the format has no such thing.
pub(super) fn skeleton(sets: &Sets<'_>, piece: &Piece<'_>) -> Option<Vec<u8>> {
    let document = open::document(sets, piece).ok()?;
    if document.syntax == Syntax::Line {
        return None;
    }
    let look = look_of(&document, &sets.kind.style);
    let mut cutting = Cutting { sets, document: &document, look, splices: Vec::new() };
    if sets.whole {
        cutting.record(0, 0);
    } else if let Some(set) = sets.root.own {
        cutting.records(set, 0);
    } else {
        let mut found = Found::default();
        locate(&document, &sets.root, 0, &mut found, None).ok()?;
        for (set, node) in found.records {
            cutting.records(set, node);
        }
    }
    if let Some(body) = &document.body {
        let told = sets
            .list
            .first()
            .is_some_and(|set| set.records.columns.iter().any(|filled| filled.from.contains(&Origin::Body)));
        if told {
            cutting.splices.push(Splice::new(body.clone(), ""));
        }
    }
    let mut splices = cutting.splices;
    Some(apply(document.text, 0..document.text.len(), &mut splices).into_bytes())
}

struct Cutting<'c, 'l, 't> {
    sets: &'c Sets<'l>,
    document: &'c Document<'t>,
    look: Look,
    splices: Vec<Splice>,
}

/// The shortest value, and what it means.
const SHORTEST: &str = "0";

impl Cutting<'_, '_, '_> {
    fn records(&mut self, set: usize, node: NodeId) {
        let document = self.document;
        match (self.sets.list[set].many, document.kind(node)) {
            (Many::One, kind) if kind != NodeKind::Null => self.record(set, node),
            (Many::Elements, NodeKind::Array) => document.elements(node).for_each(|node| self.record(set, node)),
            (Many::Entries, NodeKind::Object) => document.entries(node).for_each(|(_, node)| self.record(set, node)),
            (Many::One | Many::Elements | Many::Entries, _) => {}
        }
    }

    fn record(&mut self, own: usize, node: NodeId) {
        let document = self.document;
        let set = &self.sets.list[own];
        let mut found = Found { slots: vec![None; set.slots], records: Vec::new() };
        let mut one_line = false;
        if let Some(inner) = set.fields.own {
            found.records.push((inner, node));
        } else if set.has_members() {
            if locate(document, &set.fields, node, &mut found, Some(&mut Vec::new())).is_err() {
                return;
            }
            one_line = Frame::of(document, node).indent(&self.look).is_none();
        }
        for (filled, origins) in set.records.columns.iter().zip(&set.origins) {
            let is_key = set.table.key.contains(&filled.column) || set.identity.contains(&filled.column);
            if is_key || origins.len() != 1 {
                continue;
            }
            let at = match origins[0] {
                (Origin::Member(path), slot) => found.slots[slot].map(|at| (at, one_line || path.len() > 1)),
                (Origin::Value, _) => Some((node, false)),
                _ => None,
            };
            if let Some((at, one_line)) = at {
                self.value(set, filled.column, at, one_line);
            }
        }
        for (set, node) in found.records {
            self.records(set, node);
        }
    }

    fn value(&mut self, set: &Set<'_>, column: usize, node: NodeId, one_line: bool) {
        let form = set.form(column);
        let spelled = self.document.slice(node);
        if spelled.len() <= SHORTEST.len() {
            return;
        }
        let Ok(Some(cell)) = form::read(self.document, node, form) else { return };
        // What the shortest value means must not be what stands there.
        let means_it = match form {
            ValueForm::Text if self.document.syntax == Syntax::Yaml => {
                matches!(&cell, Cell::Text(text) if text == SHORTEST)
            }
            ValueForm::Real => matches!(cell, Cell::Float(value) if value == 0.0),
            _ => false,
        };
        let Ok(tree) = form::tree(&cell, form) else { return };
        let mut ours = String::new();
        match self.document.syntax {
            Syntax::Json if one_line => self.look.on_one_line().json(&tree, "", &mut ours),
            Syntax::Json => {
                let start = self.document.span(node).start;
                self.look.json(&tree, line_indent(self.document.text, start), &mut ours);
            }
            Syntax::Yaml => self.look.yaml_flow(&tree, &mut ours),
            Syntax::Line => return,
        }
        if ours == spelled && !means_it {
            self.splices.push(Splice::new(self.document.span(node), SHORTEST));
        }
    }
}
