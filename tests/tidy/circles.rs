//! Circles between files. A file hangs on another one where it names something that stands there, followed through
//! `pub use`; `mod` and `pub use` lines alone make no file hang on another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The names that lead to a module, from the crate's root.
pub type Module = Vec<String>;

/// What a file says of others.
#[derive(Default)]
struct File {
    imports: Vec<Import>,
    /// What stands in it.
    defined: BTreeSet<String>,
    /// The paths of more than one name outside of imports.
    paths: Vec<Module>,
}

struct Import {
    is_public: bool,
    path: Module,
    /// The name that it has here.
    name: String,
}

/// All files by their modules.
pub struct Files(BTreeMap<Module, File>);

/// What a path leads to.
enum Found {
    Module,
    /// Something that stands in the file of this module.
    In(Module),
}

impl Files {
    /// From modules and their code, without comments, texts and tests.
    pub fn of(code: impl IntoIterator<Item = (Module, String)>) -> Files {
        Files(code.into_iter().map(|(module, code)| (module, File::read(&code))).collect())
    }

    /// The module that a path begins at, and what is left of it; nothing where that is another crate's.
    fn start<'p>(&self, from: &[String], mut path: &'p [String]) -> Option<(Module, &'p [String])> {
        let mut module = from.to_vec();
        match path.first()?.as_str() {
            "crate" => return Some((Module::new(), &path[1..])),
            "self" => return Some((module, &path[1..])),
            "super" => {
                while path.first().is_some_and(|name| name == "super") {
                    module.pop();
                    path = &path[1..];
                }
                return Some((module, path));
            }
            name => module.push(name.to_owned()),
        }
        let is_child = self.0.contains_key(&module);
        module.pop();
        is_child.then_some((module, path))
    }

    fn find(&self, mut module: Module, path: &[String], seen: &mut BTreeSet<(Module, String)>) -> Option<Found> {
        for (place, name) in path.iter().enumerate() {
            module.push(name.clone());
            if self.0.contains_key(&module) {
                continue;
            }
            module.pop();
            let file = self.0.get(&module)?;
            if file.defined.contains(name) || name == "*" || !seen.insert((module.clone(), name.clone())) {
                return Some(Found::In(module));
            }
            let rest = &path[place + 1..];
            if let Some(import) = file.imports.iter().find(|import| import.name == *name) {
                let (from, own) = self.start(&module, &import.path)?;
                return self.find(from, &[own, rest].concat(), seen);
            }
            for import in file.imports.iter().filter(|import| import.name == "*") {
                let Some((from, own)) = self.start(&module, &import.path) else { continue };
                let all = [&own[..own.len() - 1], &path[place..]].concat();
                let whole = [from.as_slice(), &own[..own.len() - 1]].concat();
                if self.0.get(&whole).is_some_and(|file| file.has(name)) {
                    return self.find(from, &all, seen);
                }
            }
            return Some(Found::In(module));
        }
        Some(Found::Module)
    }

    /// The files that each file hangs on, with a name that says so.
    fn needs(&self) -> BTreeMap<&Module, BTreeMap<Module, String>> {
        let mut needs: BTreeMap<&Module, BTreeMap<Module, String>> = BTreeMap::new();
        for (module, file) in &self.0 {
            let mut need = |from: Module, path: &[String], said: &[String]| {
                if let Some(Found::In(other)) = self.find(from, path, &mut BTreeSet::new())
                    && other != *module
                {
                    needs.entry(module).or_default().entry(other).or_insert_with(|| said.join("::"));
                }
            };
            for import in file.imports.iter().filter(|import| !import.is_public) {
                if let Some((from, path)) = self.start(module, &import.path) {
                    need(from, path, &import.path);
                }
            }
            for path in &file.paths {
                let import = file.imports.iter().find(|import| import.name == path[0]);
                let whole = import.map_or_else(|| path.clone(), |import| [&import.path[..], &path[1..]].concat());
                if let Some((from, rest)) = self.start(module, &whole) {
                    need(from, rest, path);
                }
            }
        }
        needs
    }

    /// A shortest circle through each file that is on one, each circle once.
    pub fn circles(&self) -> Vec<String> {
        let needs = self.needs();
        let mut told = BTreeMap::new();
        for start in needs.keys().copied() {
            let mut before: BTreeMap<&Module, &Module> = BTreeMap::new();
            let mut next = VecDeque::from([start]);
            while let Some(module) = next.pop_front().filter(|_| !before.contains_key(start)) {
                for other in needs.get(module).into_iter().flat_map(BTreeMap::keys) {
                    if !before.contains_key(other) {
                        before.insert(other, module);
                        next.push_back(other);
                    }
                }
            }
            let mut circle = Vec::new();
            let mut at = start;
            while let Some(module) = before.get(at).copied() {
                circle.push(format!("{} needs {} ({})", module.join("::"), at.join("::"), needs[module][at]));
                at = module;
                if at == start {
                    circle.reverse();
                    let same: BTreeSet<_> = circle.iter().cloned().collect();
                    told.entry(same).or_insert_with(|| circle.join("; "));
                    break;
                }
            }
        }
        told.into_values().collect()
    }
}

impl File {
    fn has(&self, name: &str) -> bool {
        self.defined.contains(name) || self.imports.iter().any(|import| import.name == name)
    }

    fn read(code: &str) -> File {
        let tokens = tokens(code);
        let token = |at: usize| tokens.get(at).map_or("", String::as_str);
        let mut file = File::default();
        let mut at = 0;
        while at < tokens.len() {
            match token(at) {
                "use" if at == 0 || matches!(token(at - 1), ";" | "}" | "{" | "pub" | ")" | "]") => {
                    let end = at + tokens[at..].iter().position(|token| token == ";").unwrap_or(0);
                    let is_public = at > 0 && matches!(token(at - 1), "pub" | ")");
                    file.import(is_public, &[], &tokens[at + 1..end]);
                    at = end.max(at);
                }
                // `pub(in crate::a)` names no more than where it is seen.
                "pub" if token(at + 1) == "(" => at += tokens[at..].iter().position(|token| token == ")").unwrap_or(0),
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" | "union" => {
                    file.defined.insert(token(at + 1).to_owned());
                }
                "macro_rules" => _ = file.defined.insert(token(at + 2).to_owned()),
                word if is_name(word) && (at == 0 || !matches!(token(at - 1), "::" | ".")) => {
                    let mut path = vec![word.to_owned()];
                    while token(at + 1) == "::" && is_name(token(at + 2)) {
                        path.push(token(at + 2).to_owned());
                        at += 2;
                    }
                    if path.len() > 1 {
                        file.paths.push(path);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        file
    }

    /// Takes a tree of imports apart.
    fn import(&mut self, is_public: bool, above: &[String], tree: &[String]) {
        let Some(open) = tree.iter().position(|token| token == "{") else {
            let (path, alias) = match tree {
                [path @ .., word, alias] if word == "as" => (path, Some(alias)),
                path => (path, None),
            };
            let mut path = [above, &path.iter().filter(|token| *token != "::").cloned().collect::<Vec<_>>()].concat();
            if path.len() > 1 && path.last().is_some_and(|name| name == "self") {
                path.pop();
            }
            let Some(name) = alias.or(path.last()).cloned() else { return };
            return self.imports.push(Import { is_public, path, name });
        };
        let above = [above, &tree[..open].iter().filter(|token| *token != "::").cloned().collect::<Vec<_>>()].concat();
        let (mut depth, mut begin) = (0, open + 1);
        for at in open + 1..tree.len() {
            match tree[at].as_str() {
                "{" => depth += 1,
                "," | "}" if depth == 0 => {
                    if begin < at {
                        self.import(is_public, &above, &tree[begin..at]);
                    }
                    begin = at + 1;
                }
                "}" => depth -= 1,
                _ => {}
            }
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::`, and every other sign by itself; texts in quotes are left out, and so are lifetimes.
fn tokens(code: &str) -> Vec<String> {
    let characters: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let rest = &characters[at..];
        match rest {
            ['/', '/', ..] => at += rest.iter().take_while(|c| **c != '\n').count(),
            ['r', '"' | '#', ..] if rest[1..].iter().find(|c| **c != '#') == Some(&'"') => {
                let signs = rest[1..].iter().take_while(|c| **c == '#').count();
                let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', signs)).collect();
                let body = &rest[signs + 2..];
                let length = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
                at += signs + 2 + length + end.len();
            }
            ['"', ..] => {
                at += 1;
                while characters.get(at).is_some_and(|c| *c != '"') {
                    at += if characters[at] == '\\' { 2 } else { 1 };
                }
                at += 1;
            }
            ['\'', '\\', ..] => at += 3 + rest[3..].iter().take_while(|c| **c != '\'').count(),
            ['\'', _, '\'', ..] => at += 3,
            ['\'', ..] => at += 1 + rest[1..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count(),
            [':', ':', ..] => {
                found.push("::".to_owned());
                at += 2;
            }
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                let word: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                at += word.chars().count();
                found.push(word);
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    found.push(c.to_string());
                }
                at += 1;
            }
            [] => {}
        }
    }
    found
}

#[test]
fn a_circle_is_found_through_what_hands_on_and_what_only_hands_on_makes_none() {
    let files = |code: &[(&str, &str)]| {
        let module = |name: &str| name.split("::").map(str::to_owned).collect::<Module>();
        Files::of(code.iter().map(|(name, code)| (module(name), (*code).to_owned())))
    };
    let handed_on = files(&[
        ("a", "mod b; mod c; pub use b::B; pub(crate) use c::{C, d as e};"),
        ("a::b", "pub struct B; fn f() { \"super::c::C\"; }"),
        ("a::c", "use super::{B, b as other}; pub struct C<'a>(&'a other::B); pub fn d() {}"),
    ]);
    assert_eq!(handed_on.circles(), [""; 0]);
    let circle = files(&[
        ("a", "mod b; mod c; pub use b::B; pub(in crate::a) use c::*;"),
        ("a::b", "pub struct B(crate::a::C);"),
        ("a::c", "use crate::{a::{B}, x}; pub struct C(B);"),
    ]);
    let found = circle.circles();
    assert_eq!(found, ["a::b needs a::c (crate::a::C); a::c needs a::b (crate::a::B)"], "{found:?}");
}
