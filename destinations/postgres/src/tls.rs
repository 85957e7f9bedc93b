//! TLS by rustls, with libpq's modes.

use crate::config::{Config, SslMode};
use longshore_core::error::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, InconsistentKeys, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Returns what makes connections secret, for any mode: that of the configuration decides whether it is used.
pub(crate) fn connector(config: &Config) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let internal = |e: rustls::Error| Error::internal("TLS cannot be set up").source(e);
    let verifier = Verifier::new(config, &provider)?;
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(internal)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let tls = match &config.ssl_cert {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = certificates(cert).map_err(|e| unreadable("the own certificate cannot be read", cert, e))?;
            let key_der = PrivateKeyDer::from_pem_file(key)
                .map_err(|e| unreadable("the certificate's key cannot be read", key, e))?;
            let own = own_certificate(chain, key_der, builder.crypto_provider()).map_err(|e| {
                Error::config("the own certificate and its key do not fit").with("file", cert.display()).source(e)
            })?;
            builder.with_client_cert_resolver(Arc::new(own))
        }
    };
    Ok(MakeRustlsConnect::new(tls))
}

/// The certificate is the server's to judge: one of X.509's version 1, as PostgreSQL's manual makes them, is none that rustls
/// itself would read.
fn own_certificate(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> std::result::Result<SingleCertAndKey, rustls::Error> {
    let own = CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?);
    match own.keys_match() {
        Err(e @ rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(e),
        _ => Ok(SingleCertAndKey::from(own)),
    }
}

/// Checks as much of the server's certificate as the mode asks for. Where anybody is believed, it is not even read: it may be
/// one that rustls cannot read (X.509's version 1).
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None`: anybody is believed.
    trust: Option<Trust>,
}

#[derive(Debug)]
struct Trust {
    chain: Arc<WebPkiServerVerifier>,
    /// The trusted certificates themselves: a server may show one of them, signed by itself.
    roots: Vec<CertificateDer<'static>>,
    checks_name: bool,
}

impl Verifier {
    fn new(config: &Config, provider: &Arc<CryptoProvider>) -> Result<Self> {
        if !matches!(config.ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull) {
            return Ok(Verifier { provider: Arc::clone(provider), trust: None });
        }
        let roots = roots(config.ssl_root_cert.as_deref())?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build();
        let chain = chain.map_err(|e| {
            Error::config("there is no certificate to trust").hint("name a file with sslrootcert").source(e)
        })?;
        let trust = Trust { chain, roots, checks_name: config.ssl_mode == SslMode::VerifyFull };
        Ok(Verifier { provider: Arc::clone(provider), trust: Some(trust) })
    }
}

fn roots(file: Option<&str>) -> Result<Vec<CertificateDer<'static>>> {
    let Some(file) = file.filter(|f| *f != "system") else {
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    certificates(file.as_ref()).map_err(|e| unreadable("the root certificate cannot be read", file.as_ref(), e))
}

/// The certificates of a file, at least one.
fn certificates(file: &Path) -> std::result::Result<Vec<CertificateDer<'static>>, pem::Error> {
    let found: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<std::result::Result<_, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
}

/// Says what it is instead, where that can be seen.
fn unreadable(message: &'static str, file: &Path, cause: pem::Error) -> Error {
    let content = std::fs::read(file).unwrap_or_default();
    let has = |word: &[u8]| memchr::memmem::find(&content, word).is_some();
    let hint = if has(b"BEGIN ENCRYPTED") || has(b"4,ENCRYPTED") {
        "the key is encrypted: name a copy that is not, and that only you may read (openssl pkey -in key.pem -out open.pem)"
    } else if content.first() == Some(&0x30) {
        "the file is DER, and PEM is read: openssl x509 -inform DER -in FILE -out FILE.pem, or for a key openssl pkey -inform DER …"
    } else {
        "name a file in PEM that is there and that you may read"
    };
    Error::config(message).with("file", file.display()).hint(hint).source(cause)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(trust) = &self.trust else { return Ok(ServerCertVerified::assertion()) };
        if trust.roots.iter().any(|root| root == end_entity) {
            if trust.checks_name {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match trust.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            // The name is checked last: whoever fails there has passed everything else.
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
                if !trust.checks_name =>
            {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        if self.trust.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        if self.trust.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
