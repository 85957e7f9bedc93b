//! Names that tell of a secret.

/// Names that tell of a secret, in parameters and headers.
const TELLING: [&str; 11] = [
    "token",
    "apikey",
    "key",
    "secret",
    "password",
    "passwd",
    "signature",
    "sig",
    "auth",
    "authorization",
    "credential",
];

/// True where a value of that name is a secret.
pub(super) fn is_telling(name: &str) -> bool {
    let name = name.to_lowercase();
    // `page_token` and the like are cursors.
    let is_cursor = ["page", "next", "continuation", "cursor", "sync"].iter().any(|c| name.contains(c));
    !is_cursor
        && name
            .split(['_', '-', '.'])
            .any(|part| TELLING.contains(&part) || TELLING.contains(&part.trim_start_matches('x')))
}

/// Names under which an answer has a credential, and nothing else: what other requests are made of must stay.
const CREDENTIALS: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "clientsecret",
    "apikey",
    "apisecret",
    "apitoken",
    "accesskey",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "sessiontoken",
    "bearertoken",
    "privatekey",
    "secretkey",
    "secretaccesskey",
    "signingsecret",
    "webhooksecret",
];

/// True where a value of that name in an answer is one of its credentials.
pub(super) fn is_credential(name: &str) -> bool {
    let name = name.to_lowercase().replace(['_', '-', ' '], "");
    CREDENTIALS.contains(&name.trim_start_matches('x'))
}
