//! The concrete syntax of a piece of a file.

use super::super::document::{Document, Flaw, Node, Syntax, json, text_of};
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
        Format::Json if piece.part == Part::WHOLE => json::read(text),
        Format::Json => json::read_part(text, piece.part.first, piece.part.last, piece.line),
        Format::JsonLines => json::read_lines(text, piece.line),
        _ => Err(Flaw::at(0, "this format cannot be read")),
    }
}
