//! The HTTP client as the configuration wants it: time limits, proxy, root certificates.

use super::roots;
use crate::config::ClientConfig;
use longshore_core::error::{Error, Result};
use std::path::Path;
use std::time::Duration;

/// Makes the client; relative files are of `folder`.
pub(crate) fn http_client(config: &ClientConfig, folder: &Path) -> Result<reqwest::Client> {
    // Another part of the process may have chosen a provider already; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seconds = |given: Option<f64>, default: f64| Duration::from_secs_f64(given.unwrap_or(default));
    let mut builder = reqwest::Client::builder()
        .user_agent(
            config.user_agent.clone().unwrap_or_else(|| concat!("longshore/", env!("CARGO_PKG_VERSION")).to_owned()),
        )
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // Answers are unpacked when they are whole: see `unpack`.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .connect_timeout(seconds(config.connect_timeout, 20.0))
        .read_timeout(seconds(config.timeout, 60.0));
    if let Some(proxy) = &config.proxy {
        let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| Error::config("the proxy's address is wrong"))?;
        builder = builder.proxy(proxy);
    }
    if !config.root_certificates.is_empty() {
        let files = config.root_certificates.iter().map(|file| folder.join(file));
        builder = builder.tls_backend_preconfigured(roots::tls(files)?);
    }
    builder.build().map_err(|e| Error::config("the HTTP client cannot be made").source(e))
}
