//! A jq program as a step: each record goes in, what the program gives becomes records. The language is jaq's
//! (<https://github.com/01mf02/jaq>), without what reaches outside: the environment, `halt`, `debug`, `input`.

mod depth;
mod room;

use crate::doc::Doc;
use crate::tree::Tree;
use depth::{MOST_LEVELS, is_too_deep, levels};
use jaq_core::load::{Arena, File, Loader, parse, span};
use jaq_core::{Compiler, Ctx, Filter, Vars, compile, data, load};
use jaq_json::{Val, read};
use longshore_core::error::{Error, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// What a program may make of one page.
const MOST_BYTES: usize = 256 << 20;
/// How long it may take for one page: a program may never end.
const LONGEST: Duration = Duration::from_secs(60);

/// A program, compiled.
#[derive(Clone)]
pub(crate) struct Program(Arc<Filter<data::JustLut<Val>>>);

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

impl Program {
    /// Compiles a program; says where it is wrong.
    pub(crate) fn new(code: &str) -> std::result::Result<Program, String> {
        let filter = match room::guarded(code) {
            // As it was written, for what is wrong with it.
            Some(guarded) => compiled(&guarded).or_else(|wrong| compiled(code).and(Err(wrong))),
            None => compiled(code),
        };
        Ok(Program(Arc::new(filter?)))
    }

    /// Puts the records of a page through, on a thread with room for recursion.
    pub(crate) fn apply(&self, records: Vec<Tree>) -> Result<Vec<Tree>> {
        let (done, wait) = channel();
        let program = self.clone();
        let work = move || {
            room::begin();
            drop(done.send(program.records(&records)));
        };
        let thread = std::thread::Builder::new().name("longshore-jq".to_owned()).stack_size(room::STACK).spawn(work);
        thread.map_err(|e| Error::internal("a thread cannot be started").source(e))?;
        match wait.recv_timeout(LONGEST) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(Error::input("the jq program did not end in time")
                .with("seconds", LONGEST.as_secs())
                .hint("ask for smaller pages, or look for a loop that never ends")),
            Err(RecvTimeoutError::Disconnected) => Err(Error::internal("the jq program broke off")),
        }
    }

    fn records(&self, records: &[Tree]) -> Result<Vec<Tree>> {
        let (mut made, mut bytes) = (Vec::new(), 0);
        for (i, record) in records.iter().enumerate() {
            let place = |e: Error| e.with("record of the page", i + 1);
            let record = record.to_bytes();
            if levels(&record) > MOST_LEVELS {
                return Err(place(
                    Error::input("the record is nested too deeply for a jq program")
                        .with("levels", MOST_LEVELS)
                        .hint("take what is so deep away by a step before it, such as drop"),
                ));
            }
            let value = read::parse_single(&record)
                .map_err(|_| place(Error::internal("a record cannot be given to the jq program")))?;
            let context = Ctx::<data::JustLut<Val>>::new(&self.0.lut, Vars::new([]));
            for output in self.0.id.run((context, value)) {
                let value =
                    output.map_err(|e| place(failed(&e.get_err().map(|e| e.to_string()).unwrap_or_default())))?;
                if is_too_deep(&value) {
                    std::mem::forget(value); // it would be taken apart by recursion, too
                    return Err(place(
                        Error::input("the jq program makes a value that is nested too deeply")
                            .with("levels", MOST_LEVELS),
                    ));
                }
                let text = value.to_string();
                bytes += text.len();
                if bytes > MOST_BYTES {
                    return Err(place(
                        Error::input("the jq program makes too much of one page")
                            .with("bytes", MOST_BYTES)
                            .hint("ask for smaller pages, or look for a loop that never ends"),
                    ));
                }
                let doc = Doc::parse(text.into_bytes()).map_err(|_| place(no_json()))?;
                made.push(Tree::of(doc.root()));
            }
        }
        Ok(made)
    }
}

fn compiled(code: &str) -> std::result::Result<Filter<data::JustLut<Val>>, String> {
    let outside = ["halt", "halt_error", "debug", "debug_empty", "stderr", "stderr_empty", "env"];
    let core = jaq_core::defs().filter(|d: &parse::Def| d.name != depth::TEXT_OF);
    let defs = depth::definitions().chain(core).chain(jaq_std::defs()).chain(jaq_json::defs());
    let defs = defs.filter(|d: &parse::Def| !outside.contains(&d.name));
    let funs = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_std::extra_funs()).chain(jaq_json::funs());
    let funs = funs.map(depth::renamed).chain(depth::functions()).chain([room::function()]);
    let funs = funs.filter(|(name, ..)| !outside.contains(name));
    let arena = Arena::default();
    let modules = Loader::new(defs).load(&arena, File { code, path: () }).map_err(|e| unread(code, e))?;
    Compiler::default().with_funs(funs).compile(modules).map_err(|e| undefined(code, e))
}

/// jq knows more values than JSON: NaN, bytes, keys that are no texts.
fn no_json() -> Error {
    Error::input("the jq program made a value that JSON does not have").hint("such as NaN, or a key that is no text")
}

/// Says what went wrong without the values that jaq names.
fn failed(text: &str) -> Error {
    if text.contains(room::NONE_LEFT) {
        return Error::input("the jq program calls itself too deeply")
            .hint("look for a definition that calls itself and never comes to an end");
    }
    if text.contains(depth::TOO_DEEP) {
        return Error::input("the jq program writes or reads JSON that is nested too deeply")
            .with("levels", MOST_LEVELS);
    }
    let what = match text.split_once("cannot ").map(|(_, rest)| rest) {
        Some(rest) if rest.starts_with("use ") => {
            let kind = rest.rsplit(" as ").next().unwrap_or_default();
            format!("a value cannot be used as {kind}")
        }
        Some(rest) if rest.starts_with("index ") => "a value of that kind has no keys or elements".to_owned(),
        Some(rest) if rest.starts_with("calculate ") => "values cannot be calculated with".to_owned(),
        _ => "it raised an error".to_owned(),
    };
    Error::input(format!("the jq program failed: {what}"))
        .hint("'?' behind an expression passes over what it does not fit, '// default' puts something in its place")
}

/// The character a part of the code begins at, counted from 1.
fn at(code: &str, part: &str) -> usize {
    let inside = code.as_bytes().as_ptr_range().contains(&part.as_ptr());
    let offset = if inside { span(code, part).start } else { code.len() };
    code[..offset].chars().count() + 1
}

fn unread(code: &str, errors: load::Errors<&str, ()>) -> String {
    let one = |error: &load::Error<&str>| match error {
        load::Error::Io(found) => found.first().map(|_| "modules cannot be imported".to_owned()),
        load::Error::Lex(found) => found
            .first()
            .map(|(expected, part)| format!("character {}: expected {}", at(code, part), expected.as_str())),
        load::Error::Parse(found) => found.first().map(|(expected, part)| {
            let part: &str = part;
            let what = if part.is_empty() { "the end".to_owned() } else { format!("'{part}'") };
            format!("character {}: expected {}, found {what}", at(code, part), expected.as_str())
        }),
    };
    let first = errors.iter().find_map(|(_, error)| one(error)).unwrap_or_else(|| "it cannot be read".to_owned());
    format!("the jq program is wrong at {first}")
}

fn undefined(code: &str, errors: compile::Errors<&str, ()>) -> String {
    let first = errors.iter().flat_map(|(_, found)| found).next();
    match first {
        Some((name, compile::Undefined::Filter(arity))) => {
            format!("the jq program is wrong at character {}: there is no function {name}/{arity}", at(code, name))
        }
        Some((name, kind)) => {
            format!("the jq program is wrong at character {}: there is no {} {name}", at(code, name), kind.as_str())
        }
        None => "the jq program is wrong".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: &str, record: &str) -> Result<Vec<String>> {
        let records = vec![Tree::of(Doc::parse(record.into()).unwrap().root())];
        let made = Program::new(code).unwrap().apply(records)?;
        Ok(made.iter().map(|t| String::from_utf8(t.to_bytes()).unwrap()).collect())
    }

    #[test]
    fn programs_make_records_of_records() {
        for (code, record, expected) in [
            (
                ".",
                r#"{"b":1.10,"a":12345678901234567890.5,"c":"\u00e9\n"}"#,
                vec![r#"{"b":1.10,"a":12345678901234567890.5,"c":"é\n"}"#],
            ),
            (
                ".items[] | {id, n: (.n + 1)}",
                r#"{"items":[{"id":1,"n":1},{"id":2,"n":2}]}"#,
                vec![r#"{"id":1,"n":2}"#, r#"{"id":2,"n":3}"#],
            ),
            ("select(.a > 1)", r#"{"a":1}"#, vec![]),
            ("with_entries(.key |= ascii_upcase) | del(.B)", r#"{"a":1,"b":2}"#, vec![r#"{"A":1}"#]),
            (".at |= fromdateiso8601", r#"{"at":"1970-01-01T00:01:00Z"}"#, vec![r#"{"at":60}"#]),
            (".a |= gsub(\"x\"; \"y\")", r#"{"a":"xax"}"#, vec![r#"{"a":"yay"}"#]),
            (".a?", "7", vec![]),
        ] {
            assert_eq!(run(code, record).unwrap(), expected, "{code}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_place_and_no_value() {
        let wrong = |code: &str| Program::new(code).unwrap_err();
        assert_eq!(wrong(".a | {b"), "the jq program is wrong at character 8: expected closing brace");
        assert_eq!(wrong(".a | | .b"), "the jq program is wrong at character 6: expected term, found '|'");
        assert_eq!(wrong(".a | selct(.b)"), "the jq program is wrong at character 6: there is no function selct/1");
        assert_eq!(wrong("ä$x"), "the jq program is wrong at character 1: expected token");
        assert_eq!(wrong(". + $x"), "the jq program is wrong at character 5: there is no variable $x");
        assert!(wrong("env").contains("there is no function env/0"));
        assert!(wrong("$ENV.HOME").contains("there is no variable $ENV"));
        assert!(wrong("halt").contains("there is no function halt/0"));
        assert!(wrong("input").contains("there is no function input/0"));
        for (code, expected) in [
            (".a.b", "has no keys or elements"),
            (".a + 1", "cannot be calculated with"),
            (".a | error", "it raised an error"),
            ("nan", "a value that JSON does not have"),
            ("{(1|tostring|ltrimstr(\"x\")): 1} | {(.[\"1\"]): 2}", "the jq program"),
        ] {
            let error = run(code, r#"{"a":"hush"}"#).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hush"), "{code}: {error}");
        }
    }

    #[test]
    fn a_program_that_goes_on_and_on_is_stopped() {
        let error = run("repeat({a: (\"x\" * 1000000)})", "{}").unwrap_err().to_string();
        assert!(error.contains("too much of one page"), "{error}");
        for code in [
            "def f: f + 1; f",
            "def f: [f]; f",
            "def f: (f | .a); path(f)",
            "def f: f, .a; f |= 1",
            "def f: def g: f + 1; g; \"\\(f)\"",
        ] {
            let error = run(code, r#"{"a":null}"#).unwrap_err().to_string();
            assert!(error.contains("calls itself too deeply"), "{code}: {error}");
        }
    }

    #[test]
    fn what_is_too_deep_is_an_error_and_not_the_end_of_the_process() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        let error = run(".", &nested(100_000)).unwrap_err();
        assert!(
            error.to_string().contains("nested too deeply") && error.hint_text().unwrap().contains("drop"),
            "{error}"
        );
        let deep = nested(9_000);
        assert_eq!(run(".", &deep).unwrap(), std::slice::from_ref(&deep));
        assert_eq!(run("{a, b: (.a | tojson | length)}", &deep).unwrap(), [deep.replace('}', ",\"b\":18000}")]);
        assert_eq!(levels(br#"{"a[[\"[":["\\",{"b":[]}],"c":"]"}"#), 4);
        let error = run("reduce range(1100000) as $i (1; [.])", "1").unwrap_err().to_string();
        assert!(error.contains("makes a value that is nested too deeply"), "{error}");
        assert_eq!(run("reduce range(9000) as $i (1; [.])", "1").unwrap()[0].len(), 18_001);
        // JSON in a text may come from the API, too.
        let text = serde_json::json!({ "t": nested(400_000) }).to_string();
        for code in [
            ".t | fromjson | 1",
            "reduce range(400000) as $i (1; [.]) | tojson",
            "reduce range(400000) as $i (1; [.]) | tostring",
        ] {
            let error = run(code, &text).unwrap_err().to_string();
            assert!(error.contains("JSON that is nested too deeply"), "{code}: {error}");
        }
        let text = serde_json::json!({ "t": nested(9_000) }).to_string();
        assert_eq!(run(".t | fromjson | tojson | length", &text).unwrap(), [nested(9_000).len().to_string()]);
        assert_eq!(run("[1, \"a\", [2]] | map(tostring) | join(\" \")", "1").unwrap(), ["\"1 a [2]\""]);
    }

    #[test]
    fn programs_may_call_themselves() {
        for (code, expected) in [
            ("def f: if . < 3000 then (. + 1 | f) + 0 else . end; 0 | f", "3000"),
            ("def f: if . < 300000 then . + 1 | f else . end; 0 | f", "300000"),
            ("def f: if type == \"object\" then .[] |= f else . + 1 end; f", r#"{"a":{"b":2}}"#),
            ("def f: .a | .b; path(f) | tojson", r#""[\"a\",\"b\"]""#),
        ] {
            assert_eq!(run(code, r#"{"a":{"b":1}}"#).unwrap(), [expected], "{code}");
        }
    }
}
