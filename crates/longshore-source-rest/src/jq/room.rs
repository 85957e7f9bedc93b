//! Room on the stack: a jq program that calls itself without an end is an error, not the end of the process.
//!
//! jaq runs programs by recursion and knows no limit. So each definition of a program asks first whether there is
//! room: `def f: body;` is run as `def f: longshore_room | body;`, where a call in last place stays one.

use jaq_core::box_iter::box_once;
use jaq_core::load::lex::{StrPart, Tok, Token};
use jaq_core::load::{Lexer, span};
use jaq_core::native::{Fun, v};
use jaq_core::{Error, Exn, Native, data};
use jaq_json::Val;
use std::cell::Cell;

/// Programs and values are gone through by recursion.
pub(super) const STACK: usize = 256 << 20;
/// For what a definition does between two calls, and for values, which are gone through by recursion, too.
const RESERVE: usize = 64 << 20;
/// What the error says, to be known again.
pub(super) const NONE_LEFT: &str = "no room for another call";
const NAME: &str = "longshore_room";

thread_local! {
    /// Where the stack of the thread begins.
    static BEGIN: Cell<usize> = const { Cell::new(0) };
}

/// Says that the stack of this thread, of [`STACK`] bytes, begins here.
pub(super) fn begin() {
    BEGIN.set(here());
}

#[inline(never)]
fn here() -> usize {
    let mark = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&mark)).addr()
}

fn room<'a>() -> Result<(), Exn<'a, Val>> {
    if BEGIN.get().abs_diff(here()) < STACK - RESERVE { Ok(()) } else { Err(Exn::from(Error::str(NONE_LEFT))) }
}

/// The function that gives back what it is given, or fails where there is no room.
pub(super) fn function() -> Fun<data::JustLut<Val>> {
    let native = Native::<data::JustLut<Val>>::new(|cv| box_once(room().map(|()| cv.1)))
        .with_paths(|cv| box_once(room().map(|()| cv.1)))
        .with_update(|cv, update| match room() {
            Ok(()) => update(cv.1),
            Err(error) => box_once(Err(error)),
        });
    (NAME, v(0), native)
}

/// Returns the program with the question in each definition; `None` where it has none.
pub(super) fn guarded(code: &str) -> Option<String> {
    let tokens = Lexer::new(code).lex().ok()?;
    let mut bodies = Vec::new();
    definitions(code, &tokens, &mut bodies);
    let mut guarded = code.to_owned();
    bodies.iter().rev().for_each(|at| guarded.insert_str(*at, &format!(" {NAME} | ")));
    (!bodies.is_empty()).then_some(guarded)
}

/// Collects where the bodies of definitions begin: behind the colon of `def name:` and `def name(arguments):`.
fn definitions(code: &str, tokens: &[Token<&str>], bodies: &mut Vec<usize>) {
    for (i, Token(text, kind)) in tokens.iter().enumerate() {
        match kind {
            Tok::Word if *text == "def" && matches!(tokens.get(i + 1), Some(Token(_, Tok::Word))) => {
                let arguments = usize::from(matches!(tokens.get(i + 2), Some(Token(_, Tok::Block(_)))));
                if let Some(Token(colon, Tok::Sym)) = tokens.get(i + 2 + arguments)
                    && *colon == ":"
                {
                    bodies.push(span(code, colon).end);
                }
            }
            Tok::Block(inner) => definitions(code, inner, bodies),
            Tok::Str(parts) => parts.iter().for_each(|part| {
                if let StrPart::Term(token) = part {
                    definitions(code, std::slice::from_ref(token), bodies);
                }
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_asks_for_room() {
        for (code, expected) in [
            (".def | {def: 1}", None),
            ("def f: 1; f", Some("def f: longshore_room |  1; f")),
            (
                r#""\(def f($x; g):g; f(1; .))" | [def h: def i: 2; i; h] # def j: 1;"#,
                Some(
                    r#""\(def f($x; g): longshore_room | g; f(1; .))" | [def h: longshore_room |  def i: longshore_room |  2; i; h] # def j: 1;"#,
                ),
            ),
        ] {
            assert_eq!(guarded(code).as_deref(), expected, "{code}");
        }
    }
}
