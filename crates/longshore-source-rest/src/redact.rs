//! Takes secrets out of what is printed, logged or recorded.

mod names;

use crate::config::{AuthConfig, ClientConfig, KeyLocation, ResourceConfig};
use crate::doc::Doc;
use crate::tree::Tree;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use longshore_core::connect::Secret;
use names::{is_credential, is_telling};
use serde_json::Value;
use std::sync::{PoisonError, RwLock};
use url::Url;
use url::form_urlencoded;

/// Knows the secrets of a source.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    /// In all spellings they may come in, the longest first.
    secrets: RwLock<Vec<Secret>>,
    /// Query parameters that carry secrets.
    params: Vec<String>,
}

/// Shorter texts are too likely to stand elsewhere by chance.
const SHORTEST: usize = 4;
/// What only its name tells of must be longer, and hold a digit, to be looked for everywhere: it may be a word.
const SHORTEST_BY_NAME: usize = 8;

impl Redactor {
    /// Knows what the configuration authenticates with, what it says under telling names, and `others`: what stood
    /// elsewhere and was put in.
    pub(crate) fn new(client: &ClientConfig, resources: &[ResourceConfig], others: &[Secret]) -> Redactor {
        let mut redactor = Redactor::default();
        let own = resources.iter().filter_map(|r| r.endpoint.auth.as_ref());
        client.auth.iter().chain(own).for_each(|auth| redactor.credentials(auth));
        others.iter().for_each(|secret| redactor.add(secret.expose()));
        client.headers.iter().for_each(|(name, value)| redactor.header(name, value));
        if let Some(password) = client.proxy.as_ref().and_then(|p| Url::parse(p.expose()).ok()?.password().map(decoded))
        {
            redactor.add(&password);
        }
        for endpoint in resources.iter().map(|r| &r.endpoint) {
            endpoint.headers.iter().for_each(|(name, value)| redactor.header(name, value));
            endpoint.params.iter().for_each(|(name, value)| redactor.named(name, value));
            [&endpoint.json, &endpoint.data].into_iter().flatten().for_each(|body| redactor.named("", body));
        }
        redactor
    }

    fn credentials(&mut self, auth: &AuthConfig) {
        let secrets: Vec<&Secret> = match auth {
            AuthConfig::Bearer { token } => vec![token],
            AuthConfig::ApiKey { name, api_key, location } => {
                if matches!(location, KeyLocation::Query | KeyLocation::Param) {
                    self.params.push(name.to_lowercase());
                }
                vec![api_key]
            }
            AuthConfig::HttpBasic { username, password } => {
                self.add(&STANDARD.encode(format!("{}:{}", username.expose(), password.expose())));
                vec![password]
            }
            AuthConfig::OAuth2ClientCredentials { client_secret, access_token, .. } => {
                std::iter::once(client_secret).chain(access_token).collect()
            }
            AuthConfig::OAuth2RefreshToken { refresh_token, client_secret, .. } => {
                std::iter::once(refresh_token).chain(client_secret).collect()
            }
            AuthConfig::OAuth2Jwt { private_key, .. } => vec![private_key],
        };
        secrets.iter().for_each(|s| self.add(s.expose()));
    }

    fn header(&self, name: &str, value: &Secret) {
        let value = value.expose();
        if !is_telling(name) || value.contains('{') {
            return;
        }
        self.add(value);
        // An API that says what it got may leave out the scheme: `Bearer …`.
        if let Some((_, credentials)) = value.split_once(' ').filter(|(_, c)| c.len() >= SHORTEST_BY_NAME) {
            self.add(credentials);
        }
    }

    /// Texts under telling names, at any depth.
    fn named(&self, name: &str, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|v| self.named(name, v)),
            Value::Object(table) => table.iter().for_each(|(key, v)| self.named(key, v)),
            Value::String(text)
                if is_telling(name)
                    && text.len() >= SHORTEST_BY_NAME
                    && !text.contains('{')
                    && text.contains(|c: char| c.is_ascii_digit()) =>
            {
                self.add(text);
            }
            _ => {}
        }
    }

    /// Learns a secret.
    pub(crate) fn add(&self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let mut known = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        for spelling in spellings(secret) {
            if spelling.len() >= SHORTEST && !known.iter().any(|k| k.expose() == spelling) {
                known.push(Secret::new(spelling));
            }
        }
        // One may be a part of another.
        known.sort_by_key(|k| std::cmp::Reverse(k.expose().len()));
    }

    /// True where a body holds one of the secrets.
    pub(crate) fn is_told_in(&self, body: &[u8]) -> bool {
        let (body, secrets) =
            (String::from_utf8_lossy(body), self.secrets.read().unwrap_or_else(PoisonError::into_inner));
        secrets.iter().any(|secret| body.contains(secret.expose()))
    }

    /// Returns a text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.expose()) { text.replace(secret.expose(), "***") } else { text }
        })
    }

    /// Returns a request's body without secrets: what stands under telling names goes, too.
    pub(crate) fn body(&self, text: &str) -> String {
        if let Ok(doc) = Doc::parse(text.as_bytes().to_vec()) {
            let mut body = Tree::of(doc.root());
            return match hide(&mut body) {
                true => self.text(&String::from_utf8_lossy(&body.to_bytes())),
                false => self.text(text),
            };
        }
        let fields = || form_urlencoded::parse(text.as_bytes());
        if !fields().any(|(name, _)| is_telling(&name)) {
            return self.text(text);
        }
        let shown = fields().map(|(k, v)| if is_telling(&k) { (k, "***".into()) } else { (k, v) });
        self.text(&form_urlencoded::Serializer::new(String::new()).extend_pairs(shown).finish())
    }

    /// Returns an answer's body without secrets: known ones, what stands under names of credentials, and what its links carry.
    pub(crate) fn answer(&self, text: &str) -> String {
        let Ok(doc) = Doc::parse(text.as_bytes().to_vec()) else { return self.text(text) };
        let mut body = Tree::of(doc.root());
        match self.hide_answer(&mut body) {
            true => self.text(&String::from_utf8_lossy(&body.to_bytes())),
            false => self.text(text),
        }
    }

    fn hide_answer(&self, value: &mut Tree) -> bool {
        match value {
            Tree::List(list) => list.iter_mut().map(|v| self.hide_answer(v)).filter(|hidden| *hidden).count() > 0,
            Tree::Object(entries) => entries.iter_mut().fold(false, |hidden, (name, v)| match v {
                Tree::Leaf(raw) if raw.starts_with('"') && is_credential(name) => {
                    *v = Tree::text("***");
                    true
                }
                _ => self.hide_answer(v) || hidden,
            }),
            Tree::Leaf(raw) if raw.starts_with('"') && (raw.contains('=') || raw.contains('@')) => {
                let Some(shown) = serde_json::from_str::<String>(raw).ok().and_then(|text| self.link(&text)) else {
                    return false;
                };
                *value = Tree::text(&shown);
                true
            }
            Tree::Leaf(_) => false,
        }
    }

    /// Returns a header's value without secrets, also those of the links in it: `<https://…?token=…>; rel="next"`.
    pub(crate) fn links(&self, value: &str) -> String {
        let parts = value.split('<').map(|part| match part.split_once('>') {
            Some((link, rest)) => format!("{}>{rest}", self.link(link).unwrap_or_else(|| link.to_owned())),
            None => part.to_owned(),
        });
        self.text(&parts.collect::<Vec<_>>().join("<"))
    }

    /// Returns a link without its secrets; `None` where it is none, or has none by its look.
    fn link(&self, text: &str) -> Option<String> {
        let (base, relative) = (Url::parse("http://localhost/").ok()?, text.starts_with(['/', '?']));
        if !relative && !text.starts_with("http://") && !text.starts_with("https://") {
            return None;
        }
        let url = base.join(text).ok()?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if !has_user && !url.query_pairs().any(|(name, _)| self.hides(&name)) {
            return None;
        }
        let shown = self.url(&url);
        match (relative, shown.split_once('?')) {
            (true, Some((_, query))) => Some(format!("{}?{query}", text.split('?').next().unwrap_or_default())),
            _ => Some(shown),
        }
    }

    fn hides(&self, param: &str) -> bool {
        is_telling(param) || self.params.contains(&param.to_lowercase())
    }

    /// Returns a URL without secrets.
    pub(crate) fn url(&self, url: &Url) -> String {
        let mut shown = url.clone();
        if !shown.username().is_empty() || shown.password().is_some() {
            let _ = shown.set_username("***");
            let _ = shown.set_password(None);
        }
        let hides = |name: &str| self.hides(name);
        if url.query_pairs().any(|(name, _)| hides(&name)) {
            let pairs: Vec<(String, String)> = url
                .query_pairs()
                .map(
                    |(k, v)| {
                        if hides(&k) { (k.into_owned(), "***".to_owned()) } else { (k.into_owned(), v.into_owned()) }
                    },
                )
                .collect();
            shown.query_pairs_mut().clear().extend_pairs(pairs);
        }
        self.text(shown.as_str())
    }
}

/// Puts stars for texts under telling names; false where there are none. A plain `key` names a field as often as a
/// secret, so it is left to [`Redactor::text`].
fn hide(value: &mut Tree) -> bool {
    match value {
        // All of them, also behind the first that hid something.
        Tree::List(list) => list.iter_mut().map(hide).filter(|hidden| *hidden).count() > 0,
        Tree::Object(entries) => entries.iter_mut().fold(false, |hidden, (name, v)| match v {
            Tree::Leaf(raw) if raw.starts_with('"') && is_telling(name) && name.to_lowercase() != "key" => {
                *v = Tree::text("***");
                true
            }
            _ => hide(v) || hidden,
        }),
        Tree::Leaf(_) => false,
    }
}

/// A secret as it is, and as URLs, forms and JSON spell it.
fn spellings(secret: &str) -> Vec<String> {
    let json = crate::tree::quoted(secret);
    vec![
        secret.to_owned(),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        percent_encoding::utf8_percent_encode(secret, crate::template::SEGMENT).to_string(),
        json[1..json.len() - 1].to_owned(),
        in_path(secret),
    ]
}

/// As it stands in a URL's path, slashes and all.
fn in_path(secret: &str) -> String {
    let Ok(mut url) = Url::parse("http://localhost/") else { return secret.to_owned() };
    url.set_path(secret);
    url.path().trim_start_matches('/').to_owned()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let client = ClientConfig {
            auth: Some(AuthConfig::ApiKey {
                name: "sid".into(),
                api_key: Secret::new("hush-hush"),
                location: KeyLocation::Query,
            }),
            ..ClientConfig::default()
        };
        let redactor = Redactor::new(&client, &[], &[]);
        let url = Url::parse("https://u:pw@h/a?sid=hush-hush&api_key=other&page_token=ok&q=hush-hush").unwrap();
        let shown = redactor.url(&url);
        assert!(!shown.contains("hush") && !shown.contains("other") && !shown.contains("pw"), "{shown}");
        assert!(shown.contains("page_token=ok"), "{shown}");
        assert_eq!(redactor.text("it said hush-hush"), "it said ***");
    }

    #[test]
    fn what_was_put_in_does_not_show_in_any_spelling_and_words_stay() {
        let others = [Secret::new("a b/\"c"), Secret::new("a b/\"c and more")];
        let resource: ResourceConfig = serde_json::from_value(serde_json::json!({
            "name": "r",
            "endpoint": {
                "params": { "token": "literal-77", "auth": "required" },
                "headers": { "Authorization": "Token scheme-less-1" },
                "json": { "login": { "password": "in the body 1" }, "key": "status" },
            },
        }))
        .unwrap();
        let redactor = Redactor::new(&ClientConfig::default(), &[resource], &others);
        for (text, shown) in [
            (r#"a b/"c"#, "***"),
            (r#"a b/"c and more"#, "***"),
            ("q=a+b%2F%22c", "q=***"),
            ("/a%20b%2F%22c/x", "/***/x"),
            ("/a%20b/%22c/x", "/***/x"),
            (r#"{"e":"a b/\"c"}"#, r#"{"e":"***"}"#),
            ("literal-77, scheme-less-1", "***, ***"),
            ("in the body 1", "***"),
            ("status is required", "status is required"),
        ] {
            assert_eq!(redactor.text(text), shown);
        }
        assert_eq!(redactor.body(r#"{"password":"short","key":"k"}"#), r#"{"password":"***","key":"k"}"#);
        assert_eq!(
            redactor.body(r#"{"n":12345678901234567890.50,"x":1e999,"l":[{"token":"t"}]}"#),
            r#"{"n":12345678901234567890.50,"x":1e999,"l":[{"token":"***"}]}"#
        );
        assert_eq!(redactor.body("grant=x&client_secret=short"), "grant=x&client_secret=***");
        assert_eq!(redactor.body("plain text"), "plain text");
    }

    #[test]
    fn answers_keep_no_credentials_and_what_other_requests_are_made_of() {
        let redactor = Redactor::default();
        for (text, shown) in [
            (
                r#"{"id":1.50,"user":{"password":"short","accessToken":"t"}}"#,
                r#"{"id":1.50,"user":{"password":"***","accessToken":"***"}}"#,
            ),
            (
                r#"{"token":"cursor","key":"A-1","secret":null, "password_set":true}"#,
                r#"{"token":"cursor","key":"A-1","secret":null, "password_set":true}"#,
            ),
            (r#"{"next":"https://h/x?page=2&sig=abc"}"#, r#"{"next":"https://h/x?page=2&sig=***"}"#),
            (
                r#"["/x?page=2&access_token=abc","a=b","u@h","https://h/x?page=2"]"#,
                r#"["/x?page=2&access_token=***","a=b","u@h","https://h/x?page=2"]"#,
            ),
            (r#"["https://joe:pass@h/x"]"#, r#"["https://***@h/x"]"#),
            ("no json?token=x", "no json?token=x"),
        ] {
            assert_eq!(redactor.answer(text), shown);
        }
        let link = r#"<https://h/x?page=2&token=abc>; rel="next", <https://h/x?page=9>; rel="last""#;
        assert_eq!(redactor.links(link), link.replace("abc", "***"));
    }
}
