//! From what a first response gives away to a paginator, and to the words that settle it in the configuration.

use super::detect::{self, Found};
use super::{Page, Paginator, Stride};
use crate::config::{CursorConfig, OffsetConfig, PageNumberConfig};

/// The paginator of an API that nothing is said of.
pub(super) fn detected(page: &Page<'_>, single: bool, note: &mut dyn FnMut(String)) -> Paginator {
    let found = detect::detect(page);
    if single
        && !matches!(found, Found::HeaderLink)
        && page.doc.is_some_and(|d| d.root().is_object())
        && !detect::is_page(page)
    {
        return Paginator::Single;
    }
    match found {
        Found::HeaderLink => Paginator::HeaderLink("next".to_owned()),
        Found::JsonLink(path) => Paginator::JsonLink(path),
        Found::HeaderCursor { key, param } => Paginator::HeaderCursor { key: key.to_owned(), param: param.to_owned() },
        Found::PageNumber { total, mut places, current } => {
            let mut config = PageNumberConfig {
                base_page: current.map_or(0, |c| c.min(1)),
                page: None,
                page_param: None,
                page_body_path: None,
                total_path: Some(total),
                maximum_page: None,
                stop_after_empty_page: true,
                has_more_path: None,
            };
            places.remove(0).put_number(&mut config);
            let trial = Some(places).filter(|others| !others.is_empty());
            Paginator::PageNumber { config, at: current.unwrap_or(0), probing: current.is_none(), trial }
        }
        Found::Offset { offset, limit, total, at, size } => {
            let mut config = OffsetConfig {
                limit: size,
                offset: at,
                offset_param: None,
                limit_param: None,
                offset_body_path: None,
                limit_body_path: None,
                total_path: Some(total.unwrap_or_default()),
                maximum_offset: None,
                stop_after_empty_page: true,
                has_more_path: None,
            };
            offset.put_offset(&mut config);
            limit.put_limit(&mut config);
            Paginator::Offset { config, at, stride: Stride::Limit }
        }
        Found::Cursor { path, mut places, has_more, sure } => {
            let mut config = CursorConfig {
                cursor_path: path,
                cursor_param: None,
                cursor_body_path: None,
                stop_after_empty_page: false,
                has_more_path: has_more,
            };
            places.remove(0).put_cursor(&mut config);
            Paginator::Tried { config, others: places, sure }
        }
        Found::Nothing => {
            // One record, or none, is no list that could go on.
            if page.records > 1 {
                note(nothing_leads_on(None));
            }
            Paginator::Single
        }
    }
}

/// Says that one page is all that is loaded; `tried` is where something stands that is no cursor, after all.
pub(super) fn nothing_leads_on(tried: Option<&str>) -> String {
    let tried = tried.map_or_else(String::new, |path| format!(" (what stands at '{path}' brings this page again)"));
    format!(
        "nothing in the answer leads to another page{tried}, so this one is taken for all there is; to settle it: \
         paginator = \"single_page\", or the one of the API's documentation"
    )
}

/// Says what was found out, once it is sure.
pub(super) fn tell(paginator: &Paginator, note: &mut dyn FnMut(String)) {
    let words = match paginator {
        Paginator::HeaderLink(_) => "type = \"header_link\"".to_owned(),
        Paginator::JsonLink(path) => format!("type = \"json_link\", next_url_path = \"{path}\""),
        Paginator::HeaderCursor { key, param } => {
            format!("type = \"header_cursor\", cursor_key = \"{key}\", cursor_param = \"{param}\"")
        }
        Paginator::Cursor(config) => cursor(config),
        Paginator::Offset { config, .. } => offset(config),
        Paginator::PageNumber { config, .. } => number(config),
        _ => return,
    };
    note(format!("how pages follow one another was guessed; to settle it: paginator = {{ {words} }}"));
}

fn key(words: &mut String, key: &str, value: Option<&String>) {
    if let Some(value) = value {
        words.push_str(&format!(", {key} = \"{value}\""));
    }
}

fn cursor(config: &CursorConfig) -> String {
    let mut words = format!("type = \"cursor\", cursor_path = \"{}\"", config.cursor_path);
    key(&mut words, "cursor_param", config.cursor_param.as_ref());
    key(&mut words, "cursor_body_path", config.cursor_body_path.as_ref());
    key(&mut words, "has_more_path", config.has_more_path.as_ref());
    words
}

fn offset(config: &OffsetConfig) -> String {
    let mut words = format!("type = \"offset\", limit = {}", config.limit);
    if config.offset > 0 {
        words.push_str(&format!(", offset = {}", config.offset));
    }
    key(&mut words, "offset_param", config.offset_param.as_ref());
    key(&mut words, "limit_param", config.limit_param.as_ref());
    key(&mut words, "offset_body_path", config.offset_body_path.as_ref());
    key(&mut words, "limit_body_path", config.limit_body_path.as_ref());
    key(&mut words, "total_path", config.total_path.as_ref().filter(|path| !path.is_empty()));
    words
}

fn number(config: &PageNumberConfig) -> String {
    let mut words = format!("type = \"page_number\", base_page = {}", config.base_page);
    key(&mut words, "page_param", config.page_param.as_ref());
    key(&mut words, "page_body_path", config.page_body_path.as_ref());
    key(&mut words, "total_path", config.total_path.as_ref());
    words
}
