//! The API as a whole: address, manners, authentication.

use super::{OneOrMany, PaginatorConfig, Short};
use longshore_core::connect::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The API as a whole.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// Address that paths are joined to, such as `https://api.example.com/v2`.
    pub base_url: String,
    /// Headers of every request.
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// How requests are authenticated.
    #[schemars(with = "Option<Short<AuthConfig>>")]
    pub auth: Option<AuthConfig>,
    /// How pages follow one another, where an endpoint does not say. Default: found out from the first response.
    #[schemars(with = "Option<Short<PaginatorConfig>>")]
    pub paginator: Option<PaginatorConfig>,
    /// Most requests in a time, such as `5000/h`, `100/min`, `10/s`; shared by everything in the process that asks the host.
    pub rate: Option<String>,
    /// Most requests under way at once to the host. Default 8.
    pub max_concurrency: Option<usize>,
    /// Seconds until a response must be complete or have made progress. Default 60.
    pub timeout: Option<f64>,
    /// Seconds until a connection must stand. Default 20.
    pub connect_timeout: Option<f64>,
    /// How often a request is tried. Default 8.
    pub max_attempts: Option<u32>,
    /// Seconds that all attempts of one request may take together. Default 1800.
    pub retry_budget: Option<f64>,
    /// Seconds before the second attempt; doubled each time. Default 1.
    pub backoff_factor: Option<f64>,
    /// Longest wait between two attempts, in seconds. Default 300 (3900 where `rate` counts hours); what the server asks for is kept
    /// up to 3900.
    pub max_retry_delay: Option<f64>,
    /// Largest response body in bytes, decompressed. Default 268435456 (256 MiB).
    pub max_body_size: Option<u64>,
    /// Proxy for all requests, such as `http://proxy:3128`. Default: `HTTPS_PROXY` and its like.
    #[schemars(with = "Option<String>")]
    pub proxy: Option<Secret>,
    /// Files with certificates (PEM) that are trusted beside the system's.
    pub root_certificates: Vec<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// Other hosts that may be sent the credentials when a link leads there.
    pub auth_hosts: Vec<String>,
    /// True: nothing is guessed; an endpoint without `data_selector` or `paginator` is an error.
    pub strict: bool,
}

/// How requests are authenticated.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthConfig {
    /// `Authorization: Bearer <token>`.
    Bearer {
        /// The token.
        #[schemars(with = "String")]
        token: Secret,
    },
    /// A key in a header, the query or a cookie.
    ApiKey {
        /// Name of the header, parameter or cookie.
        #[serde(default = "authorization")]
        name: String,
        /// The key.
        #[schemars(with = "String")]
        api_key: Secret,
        /// Where it goes.
        #[serde(default)]
        location: KeyLocation,
    },
    /// User name and password.
    HttpBasic {
        /// The user.
        #[schemars(with = "String")]
        username: Secret,
        /// The password.
        #[schemars(with = "String")]
        #[serde(default)]
        password: Secret,
    },
    /// OAuth 2.0, client credentials: a token is fetched, kept until it expires and fetched anew.
    #[serde(rename = "oauth2_client_credentials")]
    OAuth2ClientCredentials {
        /// Where tokens are fetched.
        access_token_url: String,
        /// The client.
        #[schemars(with = "String")]
        client_id: Secret,
        /// Its secret.
        #[schemars(with = "String")]
        client_secret: Secret,
        /// A token to begin with.
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        access_token: Option<Secret>,
        /// More form fields of the token request (`scope`, `audience`).
        #[serde(default)]
        #[schemars(with = "BTreeMap<String, String>")]
        access_token_request_data: BTreeMap<String, Secret>,
        /// Seconds a token lives when the response does not say.
        #[serde(default = "hour")]
        default_token_expiration: u64,
    },
    /// OAuth 2.0, refresh token.
    #[serde(rename = "oauth2_refresh_token")]
    OAuth2RefreshToken {
        /// Where tokens are fetched.
        access_token_url: String,
        /// The refresh token.
        #[schemars(with = "String")]
        refresh_token: Secret,
        /// The client.
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        client_id: Option<Secret>,
        /// Its secret.
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        client_secret: Option<Secret>,
        /// More form fields of the token request.
        #[serde(default)]
        #[schemars(with = "BTreeMap<String, String>")]
        access_token_request_data: BTreeMap<String, Secret>,
        /// Seconds a token lives when the response does not say.
        #[serde(default = "hour")]
        default_token_expiration: u64,
    },
    /// OAuth 2.0, a signed JWT as assertion (RS256), as service accounts use it.
    #[serde(rename = "oauth2_jwt", alias = "oauth_jwt")]
    OAuth2Jwt {
        /// The issuer (`iss`).
        #[schemars(with = "String")]
        client_id: Secret,
        /// The private key, RSA, PEM.
        #[schemars(with = "String")]
        private_key: Secret,
        /// Where the assertion is exchanged for a token.
        auth_endpoint: String,
        /// Scopes asked for: a list, or one text.
        scopes: OneOrMany<String>,
        /// The audience (`aud`). Default: `auth_endpoint`.
        #[serde(default)]
        audience: Option<String>,
        /// On whose behalf (`sub`).
        #[serde(default)]
        subject: Option<String>,
        /// Seconds a token lives when the response does not say.
        #[serde(default = "hour")]
        default_token_expiration: u64,
    },
}

fn authorization() -> String {
    "Authorization".to_owned()
}

fn hour() -> u64 {
    3600
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyLocation {
    /// A request header.
    #[default]
    Header,
    /// The query.
    Query,
    /// The query: another word for it.
    Param,
    /// A cookie.
    Cookie,
}
