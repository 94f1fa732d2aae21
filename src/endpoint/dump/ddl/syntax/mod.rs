//! PostgreSQL's grammar: from the text of one statement to its [`Definition`]. Nothing outside this folder knows the parser.
//!
//! Texts (types, expressions, queries) are pieces of the statement as it was written: the server that printed it printed
//! the same for whoever asks its catalog.

mod drop;
mod index;
mod other;
mod query;
mod routine;
mod sequence;
mod table;
mod types;

use super::definition::{Definition, Name};
use super::name;
use crate::endpoint::postgres::fenced;
use squawk_syntax::ast::{self, AstNode, Stmt};
use squawk_syntax::{SourceFile, SyntaxKind, SyntaxNode, SyntaxToken};

/// What nests deeper is no statement of a dump; the parser calls itself once per level.
const DEPTH_MAX: usize = 1_000;
/// Longer chains of operators than this are no statement of a dump either: their tree is as deep as they are long.
const TOKENS_MAX: usize = 400_000;
/// Prefix operators and casts in a row, for which the parser takes time by the square of their number.
const IN_A_ROW_MAX: usize = 200;
/// Enough for all of them in a debug build.
const STACK_BYTES: usize = 256 << 20;

/// What a statement defines; `None` where it is not understood.
///
/// What is made of it has no part in the parser's tree.
pub(super) fn read(text: &str) -> Option<Definition> {
    if too_deep(text) {
        return None;
    }
    stacker::grow(STACK_BYTES, || {
        // The parser asserts what it believes of itself.
        fenced(|| {
            let parse = SourceFile::parse(text);
            if !parse.errors().is_empty() {
                return None;
            }
            let mut statements = parse.tree().stmts();
            let statement = statements.next()?;
            if statements.next().is_some() {
                return None;
            }
            Reader { text }.statement(statement)
        })
        .ok()
        .flatten()
    })
}

/// Whether the parser would have to go deeper, or longer, than is safe; and whether a constant or comment is open at the end.
fn too_deep(text: &str) -> bool {
    let (mut depth, mut words) = (0_usize, 0_usize);
    // Signs without a word between them, and casts of casts.
    let (mut signs, mut casts) = (0_usize, 0_usize);
    let (mut rest, mut before) = (text, None);
    while let Some(sign) = rest.chars().next() {
        let Some(length) = name::token_length(rest, before) else { return true };
        let is_blank = sign.is_whitespace() || rest.starts_with("--") || rest.starts_with("/*");
        match sign {
            _ if is_blank => {}
            '(' | '[' => (depth, casts) = (depth + 1, 0),
            ')' | ']' => (depth, casts) = (depth.saturating_sub(1), 0),
            '+' | '-' | '~' | '!' | '@' | '#' => (signs, casts) = (signs + 1, 0),
            ':' => casts += 1,
            '.' | '"' => {}
            sign if is_word(sign) => signs = 0,
            _ => casts = 0,
        }
        words += usize::from(!(is_blank || is_word(sign) && before.is_some_and(is_word)));
        if depth > DEPTH_MAX || words > TOKENS_MAX || signs > IN_A_ROW_MAX || casts > 2 * IN_A_ROW_MAX {
            return true;
        }
        before = rest[..length].chars().next_back();
        rest = &rest[length..];
    }
    false
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// The statement that is read.
#[derive(Clone, Copy)]
struct Reader<'t> {
    text: &'t str,
}

impl<'t> Reader<'t> {
    fn statement(self, statement: Stmt) -> Option<Definition> {
        match statement {
            Stmt::CreateTable(create) => self.create_table(&create),
            Stmt::CreateForeignTable(create) => self.create_foreign_table(&create),
            Stmt::AlterTable(alter) => {
                // ALL IN TABLESPACE changes none of them.
                if alter.all_in_tablespace().is_some() {
                    return Some(Definition::Nothing);
                }
                self.changes(&alter.table_relation_name()?, alter.actions())
            }
            Stmt::AlterForeignTable(alter) => self.changes(&alter.table_relation_name()?, alter.actions()),
            Stmt::CreateIndex(create) => self.create_index(&create),
            Stmt::AlterIndex(alter) => self.alter_index(&alter),
            Stmt::CreateView(create) => self.create_view(&create),
            Stmt::CreateMaterializedView(create) => self.create_materialized_view(&create),
            Stmt::CreateSequence(create) => self.create_sequence(&create),
            Stmt::AlterSequence(alter) => self.alter_sequence(&alter),
            Stmt::CreateType(create) => self.create_type(&create),
            Stmt::AlterType(alter) => self.alter_type(&alter),
            Stmt::CreateDomain(create) => self.create_domain(&create),
            Stmt::AlterDomain(alter) => self.alter_domain(&alter),
            Stmt::CreateFunction(create) => self.create_function(&create),
            Stmt::CreateProcedure(create) => self.create_procedure(&create),
            Stmt::CreateAggregate(create) => self.create_aggregate(&create),
            Stmt::CommentOn(comment) => self.comment(&comment),
            Stmt::Select(select) => self.call(&select),
            other => self.drop(&other).or_else(|| self.other(other)),
        }
    }

    /// A part of the statement as it was written.
    fn piece(self, node: &SyntaxNode) -> &'t str {
        let range = node.text_range();
        self.text.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default().trim()
    }

    /// The statement from one place to another as it was written.
    fn between(self, start: impl Into<usize>, end: impl Into<usize>) -> &'t str {
        self.text.get(start.into()..end.into()).unwrap_or_default().trim()
    }

    fn name(self, node: Option<impl AstNode>) -> Option<Name> {
        Name::parse(self.piece(node?.syntax()))
    }

    /// A name of one part.
    fn word(self, node: Option<impl AstNode>) -> Option<String> {
        let name = self.name(node)?;
        name.schema.is_none().then_some(name.name)
    }

    fn string(self, literal: Option<ast::Literal>) -> Option<String> {
        name::string(self.piece(literal?.syntax()))
    }

    fn collation(self, collate: Option<ast::Collate>) -> Option<Option<Name>> {
        match collate {
            Some(collate) => self.name(collate.collation_ref()).map(Some),
            None => Some(None),
        }
    }
}

/// The words and signs of a node, comments and blanks left out.
fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> {
    node.descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT))
}

/// Whether a node begins with these words.
fn begins_with(node: &SyntaxNode, words: &[&str]) -> bool {
    let mut tokens = tokens(node);
    words.iter().all(|word| tokens.next().is_some_and(|token| token.text().eq_ignore_ascii_case(word)))
}
