//! How pages follow one another.

use super::yes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How pages follow one another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum PaginatorConfig {
    /// Found out from the first response.
    #[default]
    Auto,
    /// There is one page.
    SinglePage,
    /// The response's body holds the next page's URL.
    #[serde(alias = "json_response")]
    JsonLink {
        /// Where (JSONPath).
        #[serde(default = "next")]
        next_url_path: String,
    },
    /// The `Link` header holds it.
    HeaderLink {
        /// The link's `rel`.
        #[serde(default = "next")]
        links_next_key: String,
    },
    /// A header holds the next page's cursor.
    HeaderCursor {
        /// The header.
        #[serde(default = "next")]
        cursor_key: String,
        /// The parameter it is sent as.
        #[serde(default = "cursor")]
        cursor_param: String,
    },
    /// The body holds the next page's cursor.
    Cursor(CursorConfig),
    /// Records are skipped by number.
    Offset(OffsetConfig),
    /// Pages are numbered.
    PageNumber(PageNumberConfig),
}

fn next() -> String {
    "next".to_owned()
}
fn cursor() -> String {
    "cursor".to_owned()
}

/// A cursor in the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorConfig {
    /// Where the cursor is (JSONPath).
    #[serde(default = "cursors_next")]
    pub cursor_path: String,
    /// Query parameter it is sent as. Default `cursor`.
    #[serde(default)]
    pub cursor_param: Option<String>,
    /// Path in the JSON body it is sent at, instead.
    #[serde(default)]
    pub cursor_body_path: Option<String>,
    /// Whether a page without records is the last.
    #[serde(default)]
    pub stop_after_empty_page: bool,
    /// Where the response says whether there is more (JSONPath).
    #[serde(default)]
    pub has_more_path: Option<String>,
}

fn cursors_next() -> String {
    "cursors.next".to_owned()
}

/// Offset and limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetConfig {
    /// Records a page.
    pub limit: u64,
    /// The first offset.
    #[serde(default)]
    pub offset: u64,
    /// Query parameter of the offset. Default `offset`.
    #[serde(default)]
    pub offset_param: Option<String>,
    /// Query parameter of the limit. Default `limit`.
    #[serde(default)]
    pub limit_param: Option<String>,
    /// Path in the JSON body of the offset, instead.
    #[serde(default)]
    pub offset_body_path: Option<String>,
    /// Path in the JSON body of the limit, instead.
    #[serde(default)]
    pub limit_body_path: Option<String>,
    /// Where the response says how many records there are (JSONPath). Default `total`, where it is there; "" for none.
    #[serde(default)]
    pub total_path: Option<String>,
    /// The offset to stop at.
    #[serde(default)]
    pub maximum_offset: Option<u64>,
    /// Whether a page without records is the last.
    #[serde(default = "yes")]
    pub stop_after_empty_page: bool,
    /// Where the response says whether there is more (JSONPath).
    #[serde(default)]
    pub has_more_path: Option<String>,
}

/// Numbered pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageNumberConfig {
    /// Number of the API's first page.
    #[serde(default)]
    pub base_page: u64,
    /// Number of the page to begin with. Default: the first.
    #[serde(default)]
    pub page: Option<u64>,
    /// Query parameter of the number. Default `page`.
    #[serde(default)]
    pub page_param: Option<String>,
    /// Path in the JSON body of the number, instead.
    #[serde(default)]
    pub page_body_path: Option<String>,
    /// Where the response says how many pages there are (JSONPath). Default `total`, where it is there; "" for none.
    #[serde(default)]
    pub total_path: Option<String>,
    /// The page to stop at (it is not fetched).
    #[serde(default)]
    pub maximum_page: Option<u64>,
    /// Whether a page without records is the last.
    #[serde(default = "yes")]
    pub stop_after_empty_page: bool,
    /// Where the response says whether there is more (JSONPath).
    #[serde(default)]
    pub has_more_path: Option<String>,
}
