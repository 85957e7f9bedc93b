//! Events: wide and sparse. 156 keys may occur, about 25 do; objects six deep, long texts, many timestamps, long floats.

use crate::clock::{self, START};
use crate::json::Json;
use crate::rng::Rng;
use crate::{Records, RowCounts};

const TOPICS: [&str; 15] = [
    "user",
    "session",
    "device",
    "page",
    "cart",
    "network",
    "campaign",
    "browser",
    "geo",
    "payment",
    "search",
    "video",
    "app",
    "error",
    "experiment",
];

const KINDS: [(Kind, &str); 10] = [
    (Kind::Id, "key"),
    (Kind::Time, "at"),
    (Kind::Count, "count"),
    (Kind::Score, "score"),
    (Kind::Text, "text"),
    (Kind::Flags, "flags"),
    (Kind::Sequence, "sequence"),
    (Kind::Amount, "amount"),
    (Kind::Context, "context"),
    (Kind::Active, "active"),
];

/// Parts of texts, escaped already: every kind of escape, and letters of one to four bytes.
const PHRASES: [&str; 16] = [
    "The visitor opened the page and left again. ",
    "She said \\\"not today\\\" and closed the tab. ",
    "C:\\\\Users\\\\zoë\\\\Desktop ",
    "line one\\nline two\\r\\n\\tindented ",
    "https:\\/\\/example.com\\/söka?q=smörgås&page=2 ",
    "東京タワーへようこそ。 ",
    "Größe, Straße, façade, naïve — żółć. ",
    "\\u00e9t\\u00e9 \\u4e2d\\u6587 ",
    "rocket \\ud83d\\ude80 and 🚀 ",
    "{\\\"looks\\\": [\\\"like\\\", \\\"json\\\"]} ",
    "at com.example.Handler.run(Handler.java:117) ",
    "Привет, мир. ",
    "plain words without anything special in them, only a little longer than the others ",
    "\\b\\f\\u0001\\u001f ",
    "SELECT * FROM \\\"t\\\" WHERE x = 'y' -- ",
    "नमस्ते दुनिया ",
];

/// Every so many records a count is a text, not a number.
const TEXT_COUNT_EVERY: u64 = 997;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Id,
    Time,
    Count,
    Score,
    Text,
    Flags,
    Sequence,
    Amount,
    Context,
    Active,
}

/// One of the 150 keys that come and go.
struct Field {
    kind: Kind,
    key: String,
    /// The child table below it, where its kind has one.
    table: String,
    probability: f64,
    rows: u64,
}

pub(crate) struct Events {
    fields: Vec<Field>,
}

impl Events {
    pub(crate) fn new() -> Events {
        let count = TOPICS.len() * KINDS.len();
        let field = |i: usize| {
            let topic = TOPICS[i / KINDS.len()];
            let (kind, name) = KINDS[i % KINDS.len()];
            // A few keys in most records, many in few: the usual shape of sparse data. 67 shares no factor with 150.
            let rank = (i * 67 + 13) % count;
            Field {
                kind,
                key: styled(topic, name, i / KINDS.len()),
                table: match kind {
                    Kind::Context => format!("events__{topic}_{name}__env__spans"),
                    _ => format!("events__{topic}_{name}"),
                },
                probability: (5.0 / (rank as f64 + 3.0)).min(0.9),
                rows: 0,
            }
        };
        Events { fields: (0..count).map(field).collect() }
    }
}

/// A key in one of the spellings found in the wild; all of them are `topic_name` in snake case.
fn styled(topic: &str, name: &str, style: usize) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    match style % 5 {
        0 => topic.to_owned() + &capital(name),
        1 => format!("{topic}_{name}"),
        2 => capital(topic) + &capital(name),
        3 => format!("{topic}-{name}"),
        _ => format!("{topic}.{name}"),
    }
}

impl Field {
    fn write(&mut self, i: u64, rng: &mut Rng, out: &mut Json) {
        out.key(&self.key);
        match self.kind {
            Kind::Id => hex(rng, out),
            Kind::Time => time(i, rng, out),
            Kind::Count if i.is_multiple_of(TEXT_COUNT_EVERY) => out.string(&["unknown"]),
            Kind::Count => out.int(rng.range(-1000, 1_000_000)),
            Kind::Score => out.float(rng.unit()),
            Kind::Text => text(rng, out, 18),
            Kind::Flags => self.rows += flags(rng, out),
            Kind::Sequence => out.int(around_2_to_53(rng)),
            Kind::Amount => out.float(amount(rng)),
            Kind::Context => self.rows += context(i, rng, out),
            Kind::Active => out.bool(rng.chance(0.5)),
        }
    }
}

impl Records for Events {
    fn write(&mut self, i: u64, rng: &mut Rng, out: &mut Json) {
        out.begin_record();
        out.key("id");
        hex(rng, out);
        out.key("type");
        out.string(&[rng.pick(&["view", "click", "purchase", "error", "heartbeat"])]);
        out.key("at");
        time(i, rng, out);
        out.key("receivedAt");
        time(i, rng, out);
        out.key("schemaVersion");
        out.int(rng.range(1, 4));
        out.key("message");
        if rng.chance(0.1) {
            out.null();
        } else {
            text(rng, out, 6);
        }
        for field in &mut self.fields {
            if rng.chance(field.probability) {
                field.write(i, rng, out);
            }
        }
        out.end_object();
    }

    fn child_rows(&self) -> RowCounts {
        let with_table = self.fields.iter().filter(|f| matches!(f.kind, Kind::Flags | Kind::Context));
        with_table.map(|f| (f.table.clone(), f.rows)).collect()
    }
}

fn hex(rng: &mut Rng, out: &mut Json) {
    let bits = rng.bits();
    out.string_with(|out| {
        out.buffer.extend((0..16).map(|digit| b"0123456789abcdef"[(bits >> (digit * 4) & 15) as usize]));
    });
}

/// Timestamps with and without a fraction and an offset from UTC, all of them valid ISO 8601.
fn time(i: u64, rng: &mut Rng, out: &mut Json) {
    let (seconds, micros) = (START + i * 3 + rng.below(3600), rng.below(1_000_000));
    let (fraction, zone) = rng.pick(&[(0, "Z"), (3, "Z"), (6, "+00:00"), (3, "+02:00"), (6, "-05:30")]);
    out.string_with(|out| clock::write(out, seconds, micros, fraction, zone));
}

fn text(rng: &mut Rng, out: &mut Json, most: i64) {
    let phrases = rng.range(1, most);
    out.string_with(|out| {
        for _ in 0..phrases {
            out.buffer.extend_from_slice(rng.pick(&PHRASES).as_bytes());
        }
    });
}

/// Two to the power of 53, where a double stops telling whole numbers apart, more or less a hundred; either sign.
fn around_2_to_53(rng: &mut Rng) -> i64 {
    let value = (1 << 53) + rng.range(-100, 100);
    if rng.chance(0.5) { value } else { -value }
}

/// Floats of many sizes, from fractions of a cent to 10^22.
fn amount(rng: &mut Rng) -> f64 {
    let size = rng.pick(&[1e-7, 1e-2, 1e3, 1e6, 1e9, 1e15, 1e22]);
    (rng.unit() - 0.5) * size
}

fn flags(rng: &mut Rng, out: &mut Json) -> u64 {
    let count = rng.below(4);
    out.begin_list();
    for flag in rng.sample(["beta", "internal", "bot", "größer", "slow"], count as usize) {
        out.string(&[flag]);
    }
    out.end_list();
    count
}

/// An object six deep with a list of objects at its second level; returns the rows of that list.
fn context(i: u64, rng: &mut Rng, out: &mut Json) -> u64 {
    out.begin_object();
    out.key("source");
    out.string(&[rng.pick(&["web", "ios", "android"])]);
    out.key("env");
    out.begin_object();
    out.key("startedAt");
    time(i, rng, out);
    let spans = rng.below(3);
    out.key("spans");
    out.begin_list();
    for _ in 0..spans {
        out.begin_object();
        out.key("at");
        time(i, rng, out);
        out.key("ms");
        out.float(rng.unit() * 1000.0);
        out.end_object();
    }
    out.end_list();
    for level in ["os", "release", "build"] {
        out.key(level);
        out.begin_object();
        out.key("name");
        out.string(&[rng.pick(&["Ubuntu", "macOS", "Windows", "Android"])]);
    }
    out.key("host");
    out.begin_object();
    out.key("serial");
    out.int(around_2_to_53(rng));
    out.key("load");
    out.float(rng.unit() * 8.0);
    for _ in 0..6 {
        out.end_object();
    }
    spans
}
