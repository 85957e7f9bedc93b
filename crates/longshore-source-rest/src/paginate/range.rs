//! Where counting paginators end: dlt's rule of totals, maxima and has-more, and what an empty page means.

use super::{Page, has_more, whole_at};
use crate::config::{OffsetConfig, PageNumberConfig};
use crate::signs::said_count;
use longshore_core::error::{Error, Result};

/// A page without records that stands before the last one, by the API's own word: mostly it counts from another number.
pub(super) fn empty_page(
    config: &PageNumberConfig,
    page: &Page<'_>,
    at: u64,
    note: &mut dyn FnMut(String),
) -> Result<()> {
    let path = config.total_path.as_deref().unwrap_or("total");
    let total = if path.is_empty() { None } else { whole_at(page, path)? };
    // Many say that nothing is one page, too.
    let is_missed = |total: &u64| at < total.saturating_add(config.base_page) && said_count(page.doc) != Some(0);
    if let Some(total) = total.filter(is_missed) {
        let middle = if at > config.base_page {
            "; if it has empty pages in the middle: paginator.stop_after_empty_page = false"
        } else {
            ""
        };
        note(format!(
            "page {at} has no records, so that the pages end here, though the API says that there are {total} pages; \
             check paginator.base_page, the number of the API's first page (now {}){middle}",
            config.base_page
        ));
    }
    Ok(())
}

/// dlt's rule of ranges: total, maximum, has-more.
pub(super) struct RangeRule<'a> {
    total: &'a Option<String>,
    maximum: Option<u64>,
    has_more: &'a Option<String>,
    /// An empty page ends it too.
    open: bool,
    base: u64,
}

impl<'a> RangeRule<'a> {
    pub(super) fn of_offsets(config: &'a OffsetConfig) -> Self {
        RangeRule {
            total: &config.total_path,
            maximum: config.maximum_offset,
            has_more: &config.has_more_path,
            open: config.stop_after_empty_page,
            base: 0,
        }
    }

    pub(super) fn of_numbers(config: &'a PageNumberConfig) -> Self {
        RangeRule {
            total: &config.total_path,
            maximum: config.maximum_page,
            has_more: &config.has_more_path,
            open: config.stop_after_empty_page,
            base: config.base_page,
        }
    }

    /// True where the total or has-more at a path that was given says that `at` is not the end.
    pub(super) fn promises_more(&self, page: &Page<'_>, at: u64) -> bool {
        let given = |path: &'a Option<String>| path.as_deref().filter(|path| !path.is_empty());
        let total = given(self.total).and_then(|path| whole_at(page, path).ok().flatten());
        total.is_some_and(|total| at < total.saturating_add(self.base))
            || given(self.has_more).is_some_and(|path| has_more(page, path).unwrap_or(false))
    }

    /// True where the total, if there is one, lies beyond `at`.
    pub(super) fn is_below_total(&self, page: &Page<'_>, at: u64) -> Result<bool> {
        let path = self.total.as_deref().unwrap_or("total");
        let total = if path.is_empty() { None } else { whole_at(page, path)? };
        Ok(total.is_some_and(|total| at < total.saturating_add(self.base)))
    }

    pub(super) fn ends(&self, page: &Page<'_>, at: u64) -> Result<bool> {
        let total = match self.total.as_deref() {
            Some("") => None,
            // dlt fails here where the API has no `total`; an empty page ends it as well.
            None => whole_at(page, "total")?,
            Some(path) => match whole_at(page, path)? {
                None if !self.open && self.maximum.is_none() && self.has_more.is_none() => {
                    return Err(Error::input(format!(
                        "the response has no total at '{path}', and nothing else ends the pages"
                    ))
                    .hint("correct paginator.total_path, or give has_more_path or stop_after_empty_page"));
                }
                found => found,
            },
        };
        let more = self.has_more.as_deref().filter(|p| !p.is_empty()).map(|p| has_more(page, p)).transpose()?;
        Ok(total.is_some_and(|t| at >= t.saturating_add(self.base))
            || self.maximum.is_some_and(|m| at >= m)
            || more == Some(false))
    }
}
