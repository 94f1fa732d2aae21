//! Spellings of `pg_get_expr` and `pg_get_viewdef` that the parser does not take, as others of the same meaning.

use super::Refusal;
use super::refusal::unreadable;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

/// A parser over the text's tokens.
pub(super) fn parser<'a>(dialect: &'a PostgreSqlDialect, sql: &str) -> Result<Parser<'a>, Refusal> {
    let tokens = Tokenizer::new(dialect, sql).tokenize_with_location().map_err(|error| unreadable(error.into()))?;
    Ok(Parser::new(dialect).with_tokens_with_locations(respelled(tokens)?))
}

/// The function that `ANY (…)` and `ALL (…)` become behind an extension's operator. The server writes a function of such
/// a name with its schema.
pub(super) const ANY_OF: &str = "any of";
pub(super) const ALL_OF: &str = "all of";

/// `TRIM(BOTH FROM x)` is `btrim(x)`: the server prints the side even where nothing else stands before FROM. `ANY` and `ALL`
/// behind `OPERATOR(public.=)`, as an IN over `citext` is printed, are made functions: the parser takes them behind plain
/// operators only.
fn respelled(mut tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, Refusal> {
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let keyword = |at: usize| match tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(Word { keyword, quote_style: None, .. })) => Some(*keyword),
        _ => None,
    };
    let word = |at: usize| match tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(Word { value, quote_style: None, .. })) => Some(value.as_str()),
        _ => None,
    };
    let mut respelled = Vec::with_capacity(tokens.len());
    let mut at = 0;
    let mut after_operator = None;
    while let Some(token) = tokens.get(at) {
        let called = matches!(tokens.get(at + 1).map(|token| &token.token), Some(Token::LParen));
        let function = match (keyword(at), keyword(at + 2), keyword(at + 3)) {
            (Some(Keyword::TRIM), Some(Keyword::BOTH), Some(Keyword::FROM)) if called => Some("btrim"),
            (Some(Keyword::TRIM), Some(Keyword::LEADING), Some(Keyword::FROM)) if called => Some("ltrim"),
            (Some(Keyword::TRIM), Some(Keyword::TRAILING), Some(Keyword::FROM)) if called => Some("rtrim"),
            // The word is reserved: but for FETCH, it stands before a table.
            (Some(Keyword::ONLY), ..) if at > 0 && !matches!(keyword(at - 1), Some(Keyword::ROW | Keyword::ROWS)) => {
                return Err(Refusal::new(
                    "it reads a table without the rows of those that inherit from it (ONLY), which SQLite does not have",
                ));
            }
            (Some(Keyword::WITH), ..) if word(at + 1).is_some_and(|word| word.eq_ignore_ascii_case("ties")) => {
                return Err(Refusal::new("it uses FETCH FIRST … WITH TIES, which SQLite does not have"));
            }
            (Some(Keyword::SIMILAR), ..) if keyword(at + 1) != Some(Keyword::TO) => {
                return Err(Refusal::new(
                    "it uses SUBSTRING … SIMILAR (regular expression), which SQLite does not have",
                ));
            }
            _ => None,
        };
        if keyword(at) == Some(Keyword::OPERATOR) && called {
            let length = tokens[at..].iter().position(|token| token.token == Token::RParen);
            after_operator = length.map(|length| at + length + 1);
        }
        let quantifier = match keyword(at).filter(|_| after_operator == Some(at) && called) {
            Some(Keyword::ANY) => Some(ANY_OF),
            Some(Keyword::ALL) => Some(ALL_OF),
            _ => None,
        };
        if let Some(name) = quantifier {
            if matches!(keyword(at + 2), Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES)) {
                return Err(Refusal::new("it compares with a subquery by an operator of an extension"));
            }
            respelled.push(TokenWithSpan { token: Token::make_word(name, Some('"')), span: token.span });
            at += 1;
            continue;
        }
        match function {
            Some(name) => {
                respelled.push(TokenWithSpan { token: Token::make_word(name, None), span: token.span });
                respelled.push(tokens[at + 1].clone());
                at += 4;
            }
            None => {
                respelled.push(token.clone());
                at += 1;
            }
        }
    }
    Ok(respelled)
}
