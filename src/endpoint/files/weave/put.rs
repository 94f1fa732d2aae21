//! Rows into a text that is there already.

use super::super::document::lines::MORE;
use super::super::document::{Document, Flaw, NodeId, NodeKind, Syntax};
use super::super::layout::{Absent, Filled, Origin, ValueForm};
use super::edit::{Frame, Item, Splice, apply, line_indent, look_of};
use super::fresh::{Given, Group, Rest, line};
use super::sets::{Field, Fields, Is, Many, Set};
use super::tree::{Look, Tree};
use super::unweave::{Found, locate};
use super::{Piece, Unwoven, form, open, unweave};
use crate::value::Cell;
use std::collections::{HashMap, HashSet, VecDeque};

/// A document that is edited.
pub(super) struct Putting<'p, 'l, 'd, 't, 'r, 'a> {
    pub(super) given: Given<'p, 'l, 'a>,
    pub(super) document: &'d Document<'t>,
    pub(super) look: &'r Look,
}

/// The bytes of a piece with the rows in it.
pub(super) fn bytes(given: &Given<'_, '_, '_>, piece: &Piece<'_>) -> Outcome<Vec<u8>> {
    let document = open::document(given.sets, piece)?;
    let look = look_of(&document, &given.sets.kind.style);
    let putting = Putting { given: *given, document: &document, look: &look };
    let mut splices = putting.splices()?;
    let mut text = apply(document.text, 0..document.text.len(), &mut splices);
    // The records before it are gone, and so is the comma behind them.
    if piece.part.position == 0 && !piece.part.first && text.trim_start().starts_with(',') && document.inner.is_some() {
        text = text.replacen(',', "", 1);
    }
    if let Some(more) = given.empty_last_line() {
        let edited = open::document(given.sets, &Piece { text: text.as_bytes(), ..*piece })?;
        let last = edited.nodes.last().filter(|last| last.kind == NodeKind::Bare);
        if last.is_none_or(|last| edited.text[last.start as usize..last.end as usize] != *more) {
            text.push_str(look.newline);
        }
    }
    Ok(text.into_bytes())
}

/// What happens to a value.
enum Change<'a> {
    Keep,
    Replace(Tree<'a>),
    Remove,
}

/// The members of an object that is edited.
struct Members {
    keys: Vec<String>,
    nodes: Vec<NodeId>,
    stays: Vec<bool>,
    /// New members, each with the place of the old one that it stands behind.
    new: Vec<(Option<usize>, String)>,
}

type Outcome<T> = Result<T, Unwoven>;

impl<'p> Putting<'p, '_, '_, '_, '_, '_> {
    /// The splices after which the document holds the rows.
    pub(super) fn splices(&self) -> Outcome<Vec<Splice>> {
        let mut out = Vec::new();
        let all = 0..self.given.rows.len();
        let sets = self.given.sets;
        if sets.whole {
            let group = self.given.whole()?;
            self.record(0, &group, 0, 0, None, &mut out)?;
            if let (Some(body), Some(told)) = (&self.document.body, self.given.body()?)
                && self.document.text[body.clone()] != *told
            {
                out.push(Splice::new(body.clone(), told));
            }
        } else if let Some(set) = sets.root.own {
            self.records(set, 0, all, None, &mut out)?;
        } else {
            let mut found = Found::default();
            locate(self.document, &sets.root, 0, &mut found, None)?;
            let group = Group { row: 0, inner: all };
            self.members(None, &sets.root, 0, &group, &found, None, &mut out)?;
        }
        Ok(out)
    }

    fn set(&self, own: usize) -> &'p Set<'p> {
        &self.given.sets.list[own]
    }

    fn flaw(&self, node: NodeId, what: &str) -> Unwoven {
        let reason = format!("{} where {what} should be", form::described(self.document, node));
        Flaw::at(self.document.span(node).start, reason).into()
    }

    /// A value as it is written in the place of a node.
    fn written(&self, row: usize, tree: &Tree<'_>, node: NodeId, one_line: bool) -> Outcome<String> {
        let span = self.document.span(node);
        let mut text = String::new();
        match self.document.syntax {
            Syntax::Json if one_line => self.look.on_one_line().json(tree, "", &mut text),
            Syntax::Json => self.look.json(tree, line_indent(self.document.text, span.start), &mut text),
            Syntax::Yaml => self.look.yaml_flow(tree, &mut text),
            Syntax::Line => {
                text = Look::raw(tree);
                let name = self.document.key(node - 1);
                let taken = self.given.sets.lines.as_ref().map_or(Ok(()), |lines| lines.takes(&name, &text));
                taken.map_err(|reason| self.given.misfit(row, None, format!("`{name}`: {reason}")))?;
                if self.document.kind(node) == NodeKind::Null {
                    text.insert_str(0, self.look.newline);
                }
            }
        }
        if self.document.syntax == Syntax::Yaml && span.is_empty() {
            text.insert(0, ' ');
        }
        Ok(text)
    }

    fn record(
        &self,
        own: usize,
        group: &Group,
        node: NodeId,
        position: u64,
        parent: Option<usize>,
        out: &mut Vec<Splice>,
    ) -> Outcome<()> {
        self.given.agrees(own, group.row, position, parent)?;
        let set = self.set(own);
        if let Some(inner) = set.fields.own {
            return self.records(inner, node, group.inner.clone(), Some(group.row), out);
        }
        if !set.has_members() {
            for filled in &set.records.columns {
                if filled.from.iter().any(|origin| matches!(origin, Origin::Value)) {
                    match self.change(set, filled, group.row, node)? {
                        Change::Keep => {}
                        Change::Replace(tree) => {
                            out.push(Splice::new(
                                self.document.span(node),
                                self.written(group.row, &tree, node, false)?,
                            ));
                        }
                        Change::Remove => {
                            out.push(Splice::new(
                                self.document.span(node),
                                self.written(group.row, &Tree::Null, node, true)?,
                            ));
                        }
                    }
                }
            }
            return Ok(());
        }
        if self.document.kind(node) != NodeKind::Object {
            return Err(self.flaw(node, "a record"));
        }
        let mut found = Found { slots: vec![None; set.slots], records: Vec::new() };
        locate(self.document, &set.fields, node, &mut found, None).or_else(|flaw| match set.records.rest {
            // What takes the rest takes other things in the place of inner objects as well.
            Some(_) => locate(self.document, &set.fields, node, &mut found, Some(&mut Vec::new())),
            None => Err(flaw),
        })?;
        let rest = set.records.rest.is_some().then(|| self.given.rest(set, group.row)).transpose()?;
        self.members(Some(own), &set.fields, node, group, &found, rest, out)?;
        Ok(())
    }

    /// What happens to the node that a column's value stands in.
    fn change(&self, set: &Set<'_>, filled: &Filled, row: usize, node: NodeId) -> Outcome<Change<'p>> {
        let cell = self.given.cell(row, filled.column);
        let old = form::read(self.document, node, &filled.form);
        Ok(match (old, cell) {
            (Ok(None), Cell::Null) if filled.absent != Absent::Refused => Change::Keep,
            (Ok(Some(old)), cell) if form::same(&old, cell) => Change::Keep,
            _ => match self.given.value(set, filled, row)? {
                Some(tree) => Change::Replace(tree),
                None => Change::Remove,
            },
        })
    }

    /// Whether a value that no member says is said without it.
    fn is_said(&self, set: &Set<'_>, column: usize, row: usize, found: &Found) -> Outcome<bool> {
        let filled = &set.records.columns[column];
        let cell = self.given.cell(row, filled.column);
        let form = &filled.form;
        let elsewhere = set.origins[column].iter().any(|(origin, slot)| match origin {
            Origin::Member(_) => found.slots[*slot].is_some(),
            _ => true,
        });
        Ok(match (cell, &filled.absent) {
            _ if elsewhere => true,
            (Cell::Null, Absent::Null | Absent::WrittenNull) => true,
            (cell, Absent::Default(text)) => {
                form::read_text(text, form).is_ok_and(|default| form::same(&default, cell))
            }
            _ => false,
        })
    }

    /// Edits the members of an object; whether any is left.
    #[expect(clippy::too_many_arguments, reason = "what an object is, what its row says, and where the splices go")]
    fn members(
        &self,
        own: Option<usize>,
        fields: &Fields,
        node: NodeId,
        group: &Group,
        found: &Found,
        mut rest: Option<Rest<'p>>,
        out: &mut Vec<Splice>,
    ) -> Outcome<bool> {
        let document = self.document;
        let set = own.map(|own| self.set(own));
        let frame = Frame::of(document, node);
        let one_line = frame.indent(self.look).is_none();
        let (keys, nodes): (Vec<_>, Vec<_>) =
            document.entries(node).map(|(key, value)| (document.key(key).into_owned(), value)).unzip();
        let stays = vec![true; keys.len()];
        let mut members = Members { keys, nodes, stays, new: Vec::new() };
        let mut taken = vec![false; members.keys.len()];
        // The old member that a new one stands behind.
        let mut last: Option<usize> = None;
        for field in &fields.list {
            let old = self.find(&members.keys, &field.name, last);
            let left = rest.as_mut().and_then(|rest| {
                let place = rest.iter().position(|(key, _)| key.said().as_deref() == Some(&field.name))?;
                Some(rest.remove(place).1)
            });
            if left.is_some() && !matches!(field.is, Is::Inner(_)) {
                return Err(self.given.taken(set, group.row, &field.name).into());
            }
            let change = match old {
                Some(old) => {
                    taken[old] = true;
                    last = Some(old);
                    self.member(own, field, members.nodes[old], group, found, left, rest.is_some(), out)?
                }
                None => match self.new_member(own, field, group, found, left)? {
                    Some(tree) => Change::Replace(tree),
                    None => Change::Keep,
                },
            };
            match (change, old) {
                (Change::Keep, _) | (Change::Remove, None) => {}
                (Change::Remove, Some(old)) if document.syntax == Syntax::Line => {
                    if field.name != MORE {
                        let reason = format!("`{}`: a line has no place for NULL", field.name);
                        return Err(self.given.misfit(group.row, None, reason).into());
                    }
                    // With the end of the line before.
                    let span = document.span(members.nodes[old]);
                    out.push(Splice::new(
                        document.item(node).start.max(line_end_before(document.text, span.start))..span.end,
                        "",
                    ));
                }
                (Change::Remove, Some(old)) => members.stays[old] = false,
                (Change::Replace(tree), Some(old)) => {
                    let node = members.nodes[old];
                    out.push(Splice::new(document.span(node), self.written(group.row, &tree, node, one_line)?));
                }
                (Change::Replace(tree), None) => {
                    let name = Tree::Text(field.name.as_str().into());
                    self.insert(&frame, &mut members, last, &name, &tree)?;
                }
            }
        }
        if let Some(rest) = &mut rest {
            for old in (0..members.keys.len()).filter(|old| !taken[*old]) {
                let place = rest.iter().position(|(key, _)| key.said().as_deref() == Some(members.keys[old].as_str()));
                let Some(place) = place else {
                    members.stays[old] = false;
                    continue;
                };
                let (_, tree) = rest.remove(place);
                if !self.means(members.nodes[old], &tree) {
                    let node = members.nodes[old];
                    out.push(Splice::new(document.span(node), self.written(group.row, &tree, node, one_line)?));
                }
            }
            let last = members.keys.len().checked_sub(1);
            for (key, tree) in rest.drain(..) {
                self.insert(&frame, &mut members, last, &key, &tree)?;
            }
        }
        let mut plan = Vec::with_capacity(members.keys.len() + members.new.len());
        let mut new = members.new.into_iter().collect::<VecDeque<_>>();
        new.make_contiguous().sort_by_key(|(behind, _)| *behind);
        let mut behind = |place: Option<usize>, plan: &mut Vec<Item>| {
            while new.front().is_some_and(|(behind, _)| *behind == place) {
                plan.extend(new.pop_front().map(|(_, text)| Item::New(text)));
            }
        };
        behind(None, &mut plan);
        for place in 0..members.keys.len() {
            if members.stays[place] {
                plan.push(Item::Old(place));
            }
            behind(Some(place), &mut plan);
        }
        let left = !plan.is_empty() || members.keys.is_empty();
        frame.arrange(plan, self.look, out);
        Ok(left)
    }

    fn find(&self, keys: &[String], name: &str, last: Option<usize>) -> Option<usize> {
        let next = last.map_or(0, |last| last + 1);
        if keys.get(next).is_some_and(|key| key == name) {
            return Some(next);
        }
        keys.iter().position(|key| key == name)
    }

    fn means(&self, node: NodeId, tree: &Tree<'_>) -> bool {
        match form::read(self.document, node, &ValueForm::Json) {
            Ok(Some(Cell::Json(text))) => *text == *tree.compact(),
            Ok(_) => *tree == Tree::Null,
            Err(_) => false,
        }
    }

    fn insert(
        &self,
        frame: &Frame<'_>,
        members: &mut Members,
        last: Option<usize>,
        name: &Tree<'_>,
        tree: &Tree<'_>,
    ) -> Outcome<()> {
        let text = self.entry(frame, name, tree)?;
        let behind = if self.given.sets.kind.style.sorted_keys {
            let said = name.said().unwrap_or_default();
            members.keys.iter().rposition(|key| **key <= *said)
        } else {
            last
        };
        members.new.push((behind, text));
        Ok(())
    }

    /// A new entry of an object.
    fn entry(&self, frame: &Frame<'_>, name: &Tree<'_>, tree: &Tree<'_>) -> Outcome<String> {
        let mut text = String::new();
        match (self.document.syntax, frame.indent(self.look)) {
            (Syntax::Json, Some(indent)) => {
                self.look.json(name, &indent, &mut text);
                text.push_str(self.look.colon);
                self.look.json(tree, &indent, &mut text);
            }
            (Syntax::Json, None) => {
                let look = self.look.on_one_line();
                look.json(name, "", &mut text);
                text.push_str(look.colon);
                look.json(tree, "", &mut text);
            }
            (Syntax::Yaml, indent) if frame.is_block() => {
                self.look.yaml_entry(name, tree, &indent.unwrap_or_default(), &mut text);
            }
            (Syntax::Yaml, _) => {
                self.look.yaml_flow(name, &mut text);
                text.push_str(": ");
                self.look.yaml_flow(tree, &mut text);
            }
            (Syntax::Line, _) => {
                let name = name.said().unwrap_or_default();
                return Err(self.given.misfit(0, None, format!("a line has no place for a new `{name}`")).into());
            }
        }
        Ok(text)
    }

    /// A new element of an array.
    fn element(&self, frame: &Frame<'_>, tree: &Tree<'_>) -> Outcome<String> {
        let mut text = String::new();
        match (self.document.syntax, frame.indent(self.look)) {
            (Syntax::Json, Some(indent)) => self.look.json(tree, &indent, &mut text),
            (Syntax::Json, None) => self.look.on_one_line().json(tree, "", &mut text),
            (Syntax::Yaml, indent) if frame.is_block() => {
                self.look.yaml_element(tree, &indent.unwrap_or_default(), &mut text);
            }
            (Syntax::Yaml, _) => self.look.yaml_flow(tree, &mut text),
            (Syntax::Line, _) => {
                text = line(self.given.sets, tree).map_err(|reason| self.given.misfit(0, None, reason))?;
            }
        }
        Ok(text)
    }

    /// What happens to a member that is there.
    #[expect(clippy::too_many_arguments, reason = "what a member is, what its row says, and where the splices go")]
    fn member(
        &self,
        own: Option<usize>,
        field: &Field,
        node: NodeId,
        group: &Group,
        found: &Found,
        left: Option<Tree<'p>>,
        takes_rest: bool,
        out: &mut Vec<Splice>,
    ) -> Outcome<Change<'p>> {
        match &field.is {
            Is::Column(column, _) => match own {
                Some(own) => {
                    let set = self.set(own);
                    self.change(set, &set.records.columns[*column], group.row, node)
                }
                None => Ok(Change::Keep),
            },
            Is::Records(inner) => {
                let parent = own.map(|_| group.row);
                let set = self.set(*inner);
                let is_null = self.document.kind(node) == NodeKind::Null;
                match (set.many, self.given.groups(*inner, group.inner.clone()).len()) {
                    (_, 0) if is_null => Ok(Change::Keep),
                    (Many::One, 0) => Ok(Change::Remove),
                    _ if is_null => match self.given.records(*inner, group.inner.clone(), parent)? {
                        Some(tree) => Ok(Change::Replace(tree)),
                        None => Ok(Change::Keep),
                    },
                    _ => {
                        self.records(*inner, node, group.inner.clone(), parent, out)?;
                        Ok(Change::Keep)
                    }
                }
            }
            Is::Inner(inner) if self.document.kind(node) == NodeKind::Object => {
                let rest = self.given.inner_rest(own.map(|own| self.set(own)), group.row, &field.name, left)?;
                let before = out.len();
                let rest = takes_rest.then_some(rest);
                if !self.members(own, inner, node, group, found, rest, out)? {
                    out.truncate(before);
                    return Ok(Change::Remove);
                }
                Ok(Change::Keep)
            }
            // Null, or what reading refuses.
            Is::Inner(_) => match self.new_member(own, field, group, found, left)? {
                Some(tree) => Ok(Change::Replace(tree)),
                None => Ok(Change::Keep),
            },
        }
    }

    /// The value of a member that is not there; none where it stays away.
    fn new_member(
        &self,
        own: Option<usize>,
        field: &Field,
        group: &Group,
        found: &Found,
        left: Option<Tree<'p>>,
    ) -> Outcome<Option<Tree<'p>>> {
        match &field.is {
            Is::Column(column, slot) => match own {
                Some(own) => {
                    let set = self.set(own);
                    match !set.is_written(*column, *slot) || self.is_said(set, *column, group.row, found)? {
                        true => Ok(None),
                        false => Ok(self.given.value(set, &set.records.columns[*column], group.row)?),
                    }
                }
                None => Ok(None),
            },
            Is::Records(inner) => {
                if self.given.groups(*inner, group.inner.clone()).is_empty() {
                    return Ok(None);
                }
                Ok(self.given.records(*inner, group.inner.clone(), own.map(|_| group.row))?)
            }
            Is::Inner(inner) => {
                let mut members: Rest<'p> = Vec::new();
                let set = own.map(|own| self.set(own));
                let mut rest = self.given.inner_rest(set, group.row, &field.name, left)?;
                for field in &inner.list {
                    let left = rest.iter().position(|(key, _)| key.said().as_deref() == Some(&field.name));
                    let left = left.map(|place| rest.remove(place).1);
                    if left.is_some() && !matches!(field.is, Is::Inner(_)) {
                        return Err(self.given.taken(set, group.row, &field.name).into());
                    }
                    if let Some(tree) = self.new_member(own, field, group, found, left)? {
                        members.push((Tree::Text(field.name.clone().into()), tree));
                    }
                }
                members.extend(rest);
                if members.is_empty() {
                    return Ok(None);
                }
                let mut tree = Tree::Object(members);
                if self.given.sets.kind.style.sorted_keys {
                    tree.sort();
                }
                Ok(Some(tree))
            }
        }
    }

    /// Edits the records of a set where they are.
    fn records(
        &self,
        own: usize,
        node: NodeId,
        range: std::ops::Range<usize>,
        parent: Option<usize>,
        out: &mut Vec<Splice>,
    ) -> Outcome<()> {
        let set = self.set(own);
        let groups = self.given.groups(own, range.clone());
        let kind = self.document.kind(node);
        let (nodes, keys): (Vec<NodeId>, Vec<Option<NodeId>>) = match set.many {
            Many::One => {
                let tree = self.given.groups(own, range);
                return match tree.as_slice() {
                    [group] => self.record(own, group, node, 0, parent, out),
                    [] => Ok(()),
                    [_, second, ..] => {
                        let reason = format!("the place of `{}` holds one record", set.table.name);
                        Err(self.given.misfit(second.row, None, reason).into())
                    }
                };
            }
            Many::Elements if kind == NodeKind::Array => self.document.elements(node).map(|node| (node, None)).unzip(),
            Many::Entries if kind == NodeKind::Object => {
                self.document.entries(node).map(|(key, value)| (value, Some(key))).unzip()
            }
            // An empty document of YAML.
            Many::Elements | Many::Entries if kind == NodeKind::Null && node == 0 => {
                if !groups.is_empty() {
                    let tree = self.given.records(own, range, parent)?.unwrap_or(Tree::Null);
                    out.push(Splice::new(self.document.span(node), self.written(groups[0].row, &tree, node, false)?));
                }
                return Ok(());
            }
            Many::Elements => return Err(self.flaw(node, &format!("the array of `{}`", set.table.name))),
            Many::Entries => return Err(self.flaw(node, &format!("the object of `{}`", set.table.name))),
        };
        let frame = Frame::of(self.document, node);
        let before = if parent.is_none() && node == 0 { self.given.part.position } else { 0 };
        let matched = self.matched(own, &nodes, &keys, &groups)?;
        let stay = longest_increasing(&matched);
        let mut names = HashSet::new();
        let mut plan = Vec::with_capacity(groups.len());
        for (place, group) in groups.iter().enumerate() {
            let position = before + place as u64;
            let name = match set.many {
                Many::Entries => self.given.entry_name(set, group.row)?,
                Many::One | Many::Elements => None,
            };
            if let Some(name) = &name
                && !names.insert(name.clone().into_owned())
            {
                let reason = format!("two rows of `{}` are the entry `{name}`", set.table.name);
                return Err(self.given.misfit(group.row, None, reason).into());
            }
            match matched[place] {
                Some(old) if stay[place] => {
                    self.record(own, group, nodes[old], position, parent, out)?;
                    plan.push(Item::Old(old));
                }
                Some(old) => {
                    let mut splices = Vec::new();
                    self.record(own, group, nodes[old], position, parent, &mut splices)?;
                    plan.push(Item::New(apply(self.document.text, frame.items[old].clone(), &mut splices)));
                }
                None => {
                    let tree = self.given.record(own, group, position, parent)?;
                    plan.push(Item::New(match name {
                        Some(name) => self.entry(&frame, &Tree::Text(name), &tree)?,
                        None => self.element(&frame, &tree)?,
                    }));
                }
            }
        }
        frame.arrange(plan, self.look, out);
        Ok(())
    }

    /// For each row the old record that it is.
    fn matched(
        &self,
        own: usize,
        nodes: &[NodeId],
        keys: &[Option<NodeId>],
        groups: &[Group],
    ) -> Outcome<Vec<Option<usize>>> {
        let set = self.set(own);
        if set.identity.is_empty() {
            return Ok(self.by_place(own, nodes, groups));
        }
        let mut olds: HashMap<Vec<u8>, VecDeque<usize>> = HashMap::with_capacity(nodes.len());
        for (place, (node, key)) in nodes.iter().zip(keys).enumerate() {
            if let Some(identity) = self.identity(set, *node, *key) {
                olds.entry(identity).or_default().push_back(place);
            }
        }
        let identity = |group: &Group| {
            let mut bytes = Vec::new();
            for column in &set.identity {
                self.given.cell(group.row, *column).encode(&mut bytes);
            }
            bytes
        };
        Ok(groups.iter().map(|group| olds.get_mut(&identity(group))?.pop_front()).collect())
    }

    /// What of an old record tells it apart.
    fn identity(&self, set: &Set<'_>, node: NodeId, key: Option<NodeId>) -> Option<Vec<u8>> {
        let mut found = Found { slots: vec![None; set.slots], records: Vec::new() };
        if set.has_members() && self.document.kind(node) == NodeKind::Object {
            locate(self.document, &set.fields, node, &mut found, Some(&mut Vec::new())).ok()?;
        }
        let mut bytes = Vec::new();
        for column in &set.identity {
            let place = set.records.columns.iter().position(|filled| filled.column == *column)?;
            let form = set.form(*column);
            let mut cell = Cell::Null;
            for (origin, slot) in &set.origins[place] {
                let said = match origin {
                    Origin::Member(_) => found.slots[*slot].map(|node| form::read(self.document, node, form)),
                    Origin::Value => Some(form::read(self.document, node, form)),
                    Origin::EntryName => {
                        let name = self.document.key(key?);
                        Some(form::read_text(&name, form).map(|cell| Some(cell.into_owned())))
                    }
                    _ => None,
                };
                if let Some(Ok(Some(said))) = said {
                    cell = said;
                    break;
                }
            }
            cell.encode(&mut bytes);
        }
        Some(bytes)
    }

    /// Records that only their place tells apart: what is equal at both ends stays, the others by their place between.
    fn by_place(&self, own: usize, nodes: &[NodeId], groups: &[Group]) -> Vec<Option<usize>> {
        let shorter = nodes.len().min(groups.len());
        let equal = |old: usize, new: usize| is_record(&self.given, self.document, own, nodes[old], &groups[new]);
        let (mut front, mut back) = (shorter, 0);
        if nodes.len() != groups.len() {
            front = (0..shorter).take_while(|place| equal(*place, *place)).count();
            let last = |back: usize| equal(nodes.len() - 1 - back, groups.len() - 1 - back);
            back = (0..shorter - front).take_while(|place| last(*place)).count();
        }
        let middle = shorter - front - back;
        (0..groups.len())
            .map(|place| match place {
                _ if place < front + middle => Some(place),
                _ if place >= groups.len() - back => Some(nodes.len() + place - groups.len()),
                _ => None,
            })
            .collect()
    }
}

/// Where the line before a line ends.
fn line_end_before(text: &str, start: usize) -> usize {
    let before = text[..start].strip_suffix('\n').unwrap_or(&text[..start]);
    before.strip_suffix('\r').unwrap_or(before).len()
}

/// Which of the places belong to one longest run of increasing ones.
fn longest_increasing(places: &[Option<usize>]) -> Vec<bool> {
    let mut stays = vec![false; places.len()];
    // The last of the best run of each length, and what stands before each in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; places.len()];
    for (at, place) in places.iter().enumerate() {
        let Some(place) = place else { continue };
        let length = ends.partition_point(|end| places[*end].is_some_and(|end| end < *place));
        before[at] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut at = ends.last().copied();
    while let Some(place) = at {
        stays[place] = true;
        at = before[place];
    }
    stays
}

/// Whether a record of a document is a row with those inside it, whatever its place.
fn is_record(given: &Given<'_, '_, '_>, document: &Document<'_>, own: usize, node: NodeId, group: &Group) -> bool {
    let Ok(rows) = unweave::rows_of_record(given.sets, document, given.facts, own, node) else { return false };
    let by_place = |origin: &Origin| {
        matches!(origin, Origin::Position | Origin::Parent(_) | Origin::Template(_) | Origin::EntryName)
    };
    rows.len() == group.inner.len() + 1
        && rows.iter().enumerate().all(|(at, old)| {
            let new = given.rows.row(group.row + at);
            let set = &given.sets.list[old.set];
            let told = |column: usize| {
                let filled = set.records.columns.iter().find(|filled| filled.column == column);
                filled.is_some_and(|filled| !filled.from.iter().any(by_place)) || set.records.rest == Some(column)
            };
            let cells = old.cells.iter().zip(new.cells).enumerate();
            old.set == new.set && cells.into_iter().all(|(column, (old, new))| !told(column) || form::same(old, new))
        })
}
