//! Only what is new: the range a load asks for, which records belong to it, and what is remembered.

mod cursor;
mod moment;
mod state;

pub(crate) use cursor::Cursor;
pub(crate) use state::{Memory, Observed};

use crate::config::{Bound, Convert, IncrementalConfig, LastValue, OnMissing, OneOrMany, RowOrder};
use crate::doc::{Doc, Val};
use crate::jsonpath::JsonPath;
use crate::template::Word;
use crate::tree::Tree;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use longshore_core::error::{Error, Result};
use longshore_core::values::iso_timestamp::format_iso;
use sha3::Shake128;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use std::cmp::Ordering;
use std::collections::HashSet;

/// An incremental, read.
#[derive(Debug, Clone)]
pub(crate) struct IncrementalPlan {
    pub(crate) path: JsonPath,
    pub(crate) start_param: Option<String>,
    pub(crate) end_param: Option<String>,
    pub(crate) per_parent: bool,
    initial: Option<Cursor>,
    end: Option<Cursor>,
    smallest: bool,
    dedup: Dedup,
    order: Option<RowOrder>,
    on_missing: OnMissing,
    lag: Option<f64>,
    start_open: bool,
    end_closed: bool,
    convert: Option<Convert>,
    /// Microseconds before now that are left to the next load.
    safety: Option<i64>,
}

/// How records at the boundary are told apart.
#[derive(Debug, Clone, PartialEq)]
enum Dedup {
    Off,
    Whole,
    Keys(Vec<String>),
}

/// What one chain of pages asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Range {
    start: Option<Cursor>,
    end: Option<Cursor>,
    /// Records at the start that the last load had.
    known: HashSet<String>,
    /// As sent: start, initial, last, end.
    words: [Option<String>; 4],
}

impl Range {
    /// Returns a value as JSON text.
    pub(crate) fn word(&self, word: Word) -> Option<&str> {
        self.words[word as usize].as_deref()
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Drop,
    /// Dropped, and all that follow would be.
    Stop,
}

impl IncrementalPlan {
    /// Reads the configuration.
    pub(crate) fn new(config: &IncrementalConfig, resource_key: Option<&OneOrMany<String>>) -> Result<Self, String> {
        if config.cursor_path.is_empty() {
            return Err("'cursor_path' is missing".to_owned());
        }
        let value = |value: &Option<serde_json::Value>, key: &str| match value {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(value) => {
                Cursor::parse(&value.to_string()).map(Some).ok_or_else(|| format!("'{key}' is a text or a number"))
            }
        };
        let (initial, end) = (value(&config.initial_value, "initial_value")?, value(&config.end_value, "end_value")?);
        if end.is_some() && initial.is_none() {
            return Err("'end_value' needs 'initial_value'".to_owned());
        }
        if let (Some(from), Some(to)) = (&initial, &end) {
            let wrong = if config.last_value_func == LastValue::Min { Ordering::Less } else { Ordering::Greater };
            if from.compare(to).is_none_or(|o| o == wrong) {
                return Err("'end_value' lies before 'initial_value', or is of another kind".to_owned());
            }
        }
        if config.safety.is_some() && end.is_some() {
            return Err("'safety' and 'end_value' cannot both be given".to_owned());
        }
        if config.end_param.is_some() && end.is_none() && config.safety.is_none() {
            return Err("'end_param' needs 'end_value' or 'safety'".to_owned());
        }
        let safety = config.safety.as_deref().map(duration).transpose()?;
        let keys = config.primary_key.as_ref().or(resource_key).map(OneOrMany::to_vec);
        let lag = config.lag.filter(|l| *l != 0.0);
        let start_open = config.range_start == Some(Bound::Open);
        let dedup = match keys {
            _ if start_open || lag.is_some() => Dedup::Off,
            Some(keys) if keys.is_empty() => Dedup::Off,
            Some(keys) => Dedup::Keys(keys),
            None => Dedup::Whole,
        };
        Ok(IncrementalPlan {
            path: JsonPath::parse(&config.cursor_path)?,
            start_param: config.start_param.clone(),
            end_param: config.end_param.clone(),
            per_parent: config.per_parent.unwrap_or(true),
            initial,
            end,
            smallest: config.last_value_func == LastValue::Min,
            dedup,
            order: config.row_order,
            on_missing: config.on_cursor_value_missing,
            lag,
            start_open,
            end_closed: config.range_end == Some(Bound::Closed),
            convert: config.convert,
            safety,
        })
    }

    /// A range with an end is a backfill: it reads no state and leaves none.
    pub(crate) fn is_stateless(&self) -> bool {
        self.end.is_some()
    }

    /// What is asked for depends on the time of day.
    pub(crate) fn asks_by_now(&self) -> bool {
        self.safety.is_some()
    }

    /// Compares in the direction of growth.
    fn compare(&self, a: &Cursor, b: &Cursor) -> Result<Ordering> {
        let order = a.compare(b).ok_or_else(|| {
            let short = |cursor: &Cursor| cursor.raw.chars().take(60).collect::<String>();
            Error::input(format!(
                "two values of the cursor '{}' have no order: {} and {}",
                self.path,
                short(a),
                short(b)
            ))
            .hint(
                "give initial_value in the kind and spelling the API has, or make the field a number or a time such as \
                 2024-01-31T00:00:00Z in processing_steps (cast, jq)",
            )
        })?;
        Ok(if self.smallest { order.reverse() } else { order })
    }

    /// Makes the range of a chain from what is remembered.
    pub(crate) fn range(&self, remembered: &Observed, now_micros: i64) -> Result<Range> {
        let last = remembered.last.clone().filter(|_| !self.is_stateless());
        let lagged = match (&last, self.lag) {
            (Some(last), Some(lag)) => {
                let moved = last.moved(if self.smallest { lag } else { -lag });
                match &self.initial {
                    // Never before the very first start.
                    Some(initial) if self.compare(&moved, initial)? == Ordering::Less => Some(initial.clone()),
                    _ => Some(moved),
                }
            }
            _ => last.clone(),
        };
        let start = lagged.or_else(|| self.initial.clone());
        let end = self.end.clone().or_else(|| self.safety.map(|s| Cursor::at(now_micros - s)));
        let known = if last.is_some() && self.dedup != Dedup::Off {
            remembered.hashes.iter().cloned().collect()
        } else {
            HashSet::new()
        };
        let sent = |value: &Option<Cursor>| value.as_ref().map(|v| self.written(v));
        let words = [sent(&start), sent(&self.initial), sent(&last.or_else(|| self.initial.clone())), sent(&end)];
        Ok(Range { start, end, known, words })
    }

    /// The value as it is sent, JSON text.
    fn written(&self, value: &Cursor) -> String {
        let Some(convert) = self.convert else { return value.raw.clone() };
        let Some(micros) = value.micros() else { return crate::tree::quoted(&value.plain()) };
        match convert {
            Convert::EpochSeconds => micros.div_euclid(1_000_000).to_string(),
            Convert::EpochMillis => micros.div_euclid(1000).to_string(),
            Convert::Date => crate::tree::quoted(&format_iso(micros)[..10]),
            Convert::Iso => Cursor::at(micros).raw,
            Convert::Text => crate::tree::quoted(&value.plain()),
        }
    }

    /// Says what becomes of a record, and remembers its cursor if it stays.
    pub(crate) fn judge(&self, range: &Range, seen: &mut Observed, doc: &Doc, record: Val<'_>) -> Result<Verdict> {
        let found = self.path.first(doc, record).filter(|v| !v.is_null());
        let Some(cursor) = found.and_then(|v| Cursor::parse(&v.raw_text())) else {
            return match self.on_missing {
                OnMissing::Raise if found.is_some() => Err(Error::input(format!(
                    "what a record has at the cursor '{}' is no text and no number",
                    self.path
                ))
                .hint("name a field that grows in incremental.cursor_path")),
                OnMissing::Include => Ok(Verdict::Keep),
                OnMissing::Exclude => Ok(Verdict::Drop),
                OnMissing::Raise => Err(Error::input(format!("a record has no value at the cursor '{}'", self.path))
                    .hint("set incremental.on_cursor_value_missing to include or exclude")),
            };
        };
        let stop_if = |order: RowOrder| if self.order == Some(order) { Verdict::Stop } else { Verdict::Drop };
        let (rising, falling) =
            if self.smallest { (RowOrder::Desc, RowOrder::Asc) } else { (RowOrder::Asc, RowOrder::Desc) };
        if let Some(end) = &range.end {
            match self.compare(&cursor, end)? {
                Ordering::Greater => return Ok(stop_if(rising)),
                Ordering::Equal if !self.end_closed => return Ok(stop_if(rising)),
                _ => {}
            }
        }
        let mut hash = None;
        if let Some(start) = &range.start {
            match self.compare(&cursor, start)? {
                Ordering::Less => return Ok(stop_if(falling)),
                Ordering::Equal if self.start_open => return Ok(Verdict::Drop),
                Ordering::Equal if !range.known.is_empty() => {
                    let own = self.hash(record);
                    if range.known.contains(&own) {
                        return Ok(Verdict::Drop);
                    }
                    hash = Some(own);
                }
                _ => {}
            }
        }
        let order = seen.last.as_ref().map(|last| self.compare(&cursor, last)).transpose()?;
        if order.is_none_or(|o| o == Ordering::Greater) {
            seen.last = Some(cursor);
            seen.hashes.clear();
        }
        if order.is_none_or(|o| o != Ordering::Less) && self.dedup != Dedup::Off {
            seen.hashes.push(hash.unwrap_or_else(|| self.hash(record)));
        }
        Ok(Verdict::Keep)
    }

    /// Puts what one page saw to what is remembered.
    pub(crate) fn merge(&self, into: &mut Observed, page: &Observed) -> Result<()> {
        let Some(new) = &page.last else { return Ok(()) };
        let order = into.last.as_ref().map(|old| self.compare(new, old)).transpose()?;
        match order {
            None | Some(Ordering::Greater) => *into = page.clone(),
            Some(Ordering::Equal) => {
                let more: Vec<String> = page.hashes.iter().filter(|h| !into.hashes.contains(h)).cloned().collect();
                into.hashes.extend(more);
            }
            Some(Ordering::Less) => {}
        }
        Ok(())
    }

    pub(crate) fn initial_raw(&self) -> Option<&str> {
        self.initial.as_ref().map(|c| c.raw.as_str())
    }

    /// dlt's hash of a record at the boundary: SHAKE128 over its JSON with sorted keys, or over its key's values.
    fn hash(&self, record: Val<'_>) -> String {
        let tree = Tree::of(record);
        let subject = match &self.dedup {
            Dedup::Keys(keys) => {
                let mut values = keys.iter().map(|k| tree.get(k).cloned().unwrap_or_else(Tree::null));
                if keys.len() == 1 { values.next().unwrap_or_else(Tree::null) } else { Tree::List(values.collect()) }
            }
            _ => tree.sorted(),
        };
        let mut hash = Shake128::default();
        hash.update(&subject.to_bytes());
        let mut bytes = [0; 9];
        hash.finalize_xof().read(&mut bytes);
        STANDARD.encode(bytes)
    }
}

/// Reads `90`, `90s`, `5m`, `2h`, `1d` as microseconds.
fn duration(text: &str) -> Result<i64, String> {
    let digits = text.trim().trim_start_matches("now").trim_start_matches([' ', '-']);
    let (number, unit) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
    let seconds = match unit.trim() {
        "" | "s" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hours" => 3600,
        "d" | "days" => 86_400,
        _ => 0,
    };
    match number.parse::<i64>() {
        Ok(number) if seconds > 0 && number < 100_000_000 => Ok(number * seconds * 1_000_000),
        _ => Err("'safety' is a time such as 30s, 5m, 2h or 1d".to_owned()),
    }
}

#[cfg(test)]
mod tests;
