//! Certificates that are trusted beside the system's: of an authority, or of a server that signed its own.

use longshore_core::error::{Error, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;

/// TLS that trusts what the files have.
pub(super) fn tls(files: impl Iterator<Item = PathBuf>) -> Result<ClientConfig> {
    let mut roots = Vec::new();
    for file in files {
        let pem = std::fs::read(&file)
            .map_err(|e| Error::config("a root certificate cannot be read").with("file", file.display()).source(e))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match found {
            Ok(found) if !found.is_empty() => roots.extend(found),
            other => {
                let error = Error::config("a root certificate is no PEM").with("file", file.display());
                let error = match pem.first() {
                    Some(0x30) => error.hint("it is DER; openssl x509 -inform DER -in FILE -out FILE.pem makes it PEM"),
                    _ => error,
                };
                return Err(match other {
                    Err(cause) => error.source(cause),
                    Ok(_) => error,
                });
            }
        }
    }
    let provider =
        CryptoProvider::get_default().map_or_else(|| rustls::crypto::ring::default_provider().into(), Arc::clone);
    trusting(roots, provider).map_err(|e| Error::config("a root certificate cannot be used").source(e))
}

fn trusting(roots: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Result<ClientConfig, rustls::Error> {
    let chain = rustls_platform_verifier::Verifier::new_with_extra_roots(roots.iter().cloned(), Arc::clone(&provider))?;
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { chain, roots }))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// The system's way, but that a server may show one of the trusted certificates itself. The usual self-signed certificate
/// (`openssl req -x509`) calls itself an authority, which the usual way refuses of a server.
#[derive(Debug)]
struct Verifier {
    chain: rustls_platform_verifier::Verifier,
    roots: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.roots.iter().any(|root| root == end_entity) {
            rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
