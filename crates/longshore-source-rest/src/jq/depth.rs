//! How deep values are: jaq goes through them by recursion, and an API may send any number of brackets.
//!
//! Where values become texts and texts values, it is asked first how deep they are: `fromjson`, `tojson` and `tostring` are
//! definitions of our own around jaq's.

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::Def;
use jaq_core::native::{Fun, v};
use jaq_core::{Error, Exn, Native, data};
use jaq_json::Val;

/// Levels of a record, and of what a program makes of it.
pub(super) const MOST_LEVELS: usize = 10_000;
/// What the error says, to be known again.
pub(super) const TOO_DEEP: &str = "nested too deeply for JSON";
/// The definition of jaq's own that ours stands for.
pub(super) const TEXT_OF: &str = "tostring";

const DEFINITIONS: &str = r#"
def fromjson: longshore_shallow_text | longshore_fromjson;
def tojson: longshore_shallow | longshore_tojson;
def tostring: longshore_shallow | "\(.)";
"#;

pub(super) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    jaq_core::load::parse(DEFINITIONS, |p| p.defs()).unwrap_or_default().into_iter()
}

/// jaq's own functions under names that only our definitions know.
pub(super) fn renamed((name, arguments, native): Fun<data::JustLut<Val>>) -> Fun<data::JustLut<Val>> {
    let name = match name {
        "fromjson" => "longshore_fromjson",
        "tojson" => "longshore_tojson",
        other => other,
    };
    (name, arguments, native)
}

/// Each gives back what it is given, unless that is too deep.
pub(super) fn functions() -> [Fun<data::JustLut<Val>>; 2] {
    let value = Native::<data::JustLut<Val>>::new(|cv| box_once(shallow(cv.1)));
    let text = Native::<data::JustLut<Val>>::new(|cv| box_once(shallow_text(cv.1)));
    [("longshore_shallow", v(0), value), ("longshore_shallow_text", v(0), text)]
}

fn shallow<'a>(value: Val) -> Result<Val, Exn<'a, Val>> {
    if !is_too_deep(&value) {
        return Ok(value);
    }
    std::mem::forget(value); // it would be taken apart by recursion, too
    Err(Exn::from(Error::str(TOO_DEEP)))
}

fn shallow_text<'a>(value: Val) -> Result<Val, Exn<'a, Val>> {
    match &value {
        Val::TStr(text) | Val::BStr(text) if levels(text) > MOST_LEVELS => Err(Exn::from(Error::str(TOO_DEEP))),
        _ => Ok(value),
    }
}

/// True for a value with more levels than are gone through by recursion.
pub(super) fn is_too_deep(value: &Val) -> bool {
    let mut level = vec![value];
    for _ in 0..=MOST_LEVELS {
        let mut below = Vec::new();
        for value in level {
            match value {
                Val::Arr(list) => below.extend(list.iter()),
                Val::Obj(table) => below.extend(table.values()),
                _ => {}
            }
        }
        if below.is_empty() {
            return false;
        }
        level = below;
    }
    true
}

/// How deep lists and objects of a record stand in one another.
pub(super) fn levels(json: &[u8]) -> usize {
    let (mut now, mut most, mut in_text, mut bytes) = (0_usize, 0, false, json.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_text => {
                bytes.next();
            }
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}
