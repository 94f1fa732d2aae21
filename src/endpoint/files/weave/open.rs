//! The concrete syntax of a piece of a file.

use super::super::document::{Document, Flaw, Node, NodeKind, Syntax, json, text_of, yaml};
use super::super::layout::Format;
use super::sets::Sets;
use super::{Part, Piece};

/// The document that a piece is.
pub(super) fn document<'t>(sets: &Sets<'_>, piece: &Piece<'t>) -> Result<Document<'t>, Flaw> {
    if let Format::Bytes = sets.kind.format {
        return Ok(Document::of("", Syntax::Line, vec![Node::EMPTY]));
    }
    let text = text_of(piece.text)?;
    match &sets.kind.format {
        // Of a SQLite file, the document of its tables.
        Format::Sqlite => json::read(text),
        Format::Json if piece.part == Part::WHOLE => json::read(text),
        Format::Json => json::read_part(text, piece.part.first, piece.part.last, piece.line),
        Format::JsonLines => json::read_lines(text, piece.line),
        Format::Lines(_) => match &sets.lines {
            Some(lines) => lines.read(text),
            None => Err(Flaw::at(0, "the kind has no pattern of lines")),
        },
        Format::Yaml => yaml::read(text),
        Format::Markdown { front_matter: true } => yaml::read_front_matter(text),
        Format::Markdown { front_matter: false } => {
            let root = Node { kind: NodeKind::Object, block: true, ..Node::EMPTY };
            Ok(Document { body: Some(0..text.len()), ..Document::of(text, Syntax::Yaml, vec![root]) })
        }
        Format::Bytes => Ok(Document::of("", Syntax::Line, vec![Node::EMPTY])),
    }
}
