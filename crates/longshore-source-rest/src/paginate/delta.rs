//! What is changed in a chain's first request to ask for another page.

use super::Place;
use crate::config::{OffsetConfig, PageNumberConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is changed in a chain's first request to ask for another page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// A whole URL instead of the first one; its query replaces the parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) params: Vec<(String, String)>,
    /// Values at dotted paths of the JSON body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) body: Vec<(String, Value)>,
}

impl Delta {
    pub(super) fn of_param(name: &str, value: &str) -> Delta {
        Delta { params: vec![(name.to_owned(), value.to_owned())], ..Delta::default() }
    }

    pub(super) fn of_body(path: &str, value: Value) -> Delta {
        Delta { body: vec![(path.to_owned(), value)], ..Delta::default() }
    }

    pub(super) fn of_url(url: String) -> Delta {
        Delta { url: Some(url), ..Delta::default() }
    }

    pub(super) fn of_offset(config: &OffsetConfig, at: u64) -> Delta {
        let mut delta = Delta::default();
        delta.put(&config.offset_body_path, config.offset_param.as_deref().unwrap_or("offset"), at);
        delta.put(&config.limit_body_path, config.limit_param.as_deref().unwrap_or("limit"), config.limit);
        delta
    }

    pub(super) fn of_number(config: &PageNumberConfig, at: u64) -> Delta {
        let mut delta = Delta::default();
        delta.put(&config.page_body_path, config.page_param.as_deref().unwrap_or("page"), at);
        delta
    }

    /// The same value at another place.
    pub(super) fn moved_to(&self, place: &Place) -> Option<Delta> {
        let text = self.params.first().map(|(_, text)| Value::from(text.as_str()));
        let value = text.or_else(|| self.body.first().map(|(_, value)| value.clone()))?;
        Some(match (place, value) {
            (Place::Body(path), value) => Delta::of_body(path, value),
            (Place::Param(name), Value::String(text)) => Delta::of_param(name, &text),
            (Place::Param(name), value) => Delta::of_param(name, &value.to_string()),
        })
    }

    fn put(&mut self, body: &Option<String>, param: &str, value: u64) {
        match body {
            Some(path) => self.body.push((path.clone(), value.into())),
            None => self.params.push((param.to_owned(), value.to_string())),
        }
    }
}
