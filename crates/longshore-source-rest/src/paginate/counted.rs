//! Pages that are counted: the next offset or number, and what the first pages tell of how the API counts.

use super::range::{RangeRule, empty_page};
use super::{Delta, Next, Page, whole_at};
use crate::config::{OffsetConfig, PageNumberConfig};
use crate::signs::said_count;
use longshore_core::error::Result;
use serde::{Deserialize, Serialize};

/// How far an offset goes on from page to page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stride {
    /// By the limit, as in dlt.
    #[default]
    Limit,
    /// The first page had only so many records, and what stands right behind them was asked for: nothing, or all that an
    /// API leaves out which gives fewer at once than the limit.
    Asked(u64),
    /// By what the API gives at once.
    Given(u64),
}

/// The offset that follows a page.
pub(super) fn next_offset(
    config: &OffsetConfig,
    at: &mut u64,
    stride: &mut Stride,
    page: &Page<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Next> {
    let rule = RangeRule::of_offsets(config);
    let records = page.records as u64;
    if let Stride::Asked(given) = *stride {
        *stride = Stride::Limit;
        if records > 0 && (page.repeated || page.overlaps) {
            // It leaves out single records of a page, instead of giving fewer at once.
            *at = config.offset + config.limit;
            return Ok(if rule.ends(page, *at)? { Next::Drop } else { Next::Again(Delta::of_offset(config, *at)) });
        }
        if records > 0 && records <= given {
            note(format!(
                "the API gave {given} records where {} were asked for, and more stand behind these: it goes on by {given}; \
                 to settle it: paginator.limit = {given}",
                config.limit
            ));
            *stride = Stride::Given(given);
        }
    }
    if records == 0 && config.stop_after_empty_page {
        return Ok(Next::End);
    }
    let is_short = *at == config.offset && records > 0 && records < config.limit && page.follow_short;
    if is_short && config.stop_after_empty_page && config.maximum_offset.is_none() {
        let behind = *at + records;
        if !rule.ends(page, *at + config.limit)? || rule.is_below_total(page, behind)? {
            (*at, *stride) = (behind, Stride::Asked(records));
            return Ok(Next::Page(Delta::of_offset(config, *at)));
        }
    }
    *at += match *stride {
        Stride::Given(given) => given,
        _ => config.limit,
    };
    Ok(if rule.ends(page, *at)? { Next::End } else { Next::Page(Delta::of_offset(config, *at)) })
}

/// The number that follows a page.
pub(super) fn next_number(
    config: &mut PageNumberConfig,
    at: &mut u64,
    page: &Page<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Next> {
    let from_zero = config.base_page == 0 && config.page.is_none();
    if from_zero && *at == 1 && page.repeated && !page.equal_is_data {
        note(
            "pages 0 and 1 are the same, so that the API counts from 1; to settle it: paginator.base_page = 1"
                .to_owned(),
        );
        (config.base_page, *at) = (1, 2);
        return Ok(Next::Again(Delta::of_number(config, 2)));
    }
    if page.records == 0 && config.stop_after_empty_page {
        if from_zero && *at == 0 && says_some(config, page)? {
            note(
                "page 0 has no records, though the API says that there are some, so that page 1 is taken for the first; to \
                 settle it: paginator.base_page = 1"
                    .to_owned(),
            );
            (config.base_page, *at) = (1, 1);
            return Ok(Next::Page(Delta::of_number(config, 1)));
        }
        return empty_page(config, page, *at, note).map(|()| Next::End);
    }
    *at += 1;
    Ok(if RangeRule::of_numbers(config).ends(page, *at)? {
        Next::End
    } else {
        Next::Page(Delta::of_number(config, *at))
    })
}

/// True where the API says that there is more than nothing: pages, or records.
fn says_some(config: &PageNumberConfig, page: &Page<'_>) -> Result<bool> {
    let records = said_count(page.doc);
    let path = config.total_path.as_deref().unwrap_or("total");
    let pages = if path.is_empty() { None } else { whole_at(page, path)? };
    Ok(records.or(pages).is_some_and(|n| n > 0))
}
