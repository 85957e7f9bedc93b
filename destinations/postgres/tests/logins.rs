//! Passwords, and TLS in all of its modes, against real servers with certificates made here.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::error::Result;
use longshore_testkit::fixture::{self, PackageBuilder};
use longshore_testkit::servers::postgres::PostgresServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::Arc;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key of a server of that name, in PEM.
fn server_certificate(of: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, of).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A server that only lets in whom it encrypts to.
fn secure_server(certificate: &str, key: &str) -> PostgresServer {
    let mut server = PostgresServer::start(&[]);
    let certificate = server.write_file("server.crt", certificate);
    let key = server.write_file("server.key", key);
    let hba = server.write_file("hba.conf", "local all all trust\nhostssl all all all trust\n");
    server.psql(
        "postgres",
        &format!(
            "ALTER SYSTEM SET ssl = on; ALTER SYSTEM SET ssl_cert_file = '{}'; ALTER SYSTEM SET ssl_key_file = '{}'; ALTER SYSTEM SET hba_file = '{}'",
            certificate.display(),
            key.display(),
            hba.display()
        ),
    );
    server.kill();
    server.resume();
    server
}

fn open(server: &PostgresServer, host: &str, parameters: &str) -> Result<Arc<dyn Destination>> {
    let url = format!("postgres://postgres@{host}:{}/postgres?{parameters}", server.port());
    longshore_destination_postgres::open(&Connection::new(url))
}

/// Asks the server whether this very connection is encrypted.
async fn is_encrypted(destination: &dyn Destination) -> Result<bool> {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let batches = destination.query("public", sql).await?;
    Ok(arrow_array::cast::AsArray::as_boolean(batches[0].column(0)).value(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_checks_what_it_says() {
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let (certificate, key) = server_certificate(&ours, "localhost");
    let server = secure_server(&certificate, &key);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let (ours, theirs) = (file("ours.pem", ours.pem()), file("theirs.pem", theirs.pem()));
    for (host, parameters) in [
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ours}")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={ours}")),
    ] {
        let encrypted = is_encrypted(&*open(&server, host, &parameters).unwrap()).await;
        assert!(encrypted.unwrap_or_else(|e| panic!("{parameters}: {e}")), "{parameters}");
    }
    for (host, parameters) in [
        ("127.0.0.1", "sslmode=disable".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ours}")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={theirs}")),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={theirs}")),
        ("localhost", format!("sslmode=require&sslrootcert={theirs}")),
        ("localhost", "sslmode=verify-full&sslrootcert=system".to_owned()),
    ] {
        let error = is_encrypted(&*open(&server, host, &parameters).unwrap()).await.unwrap_err();
        assert!(!error.is_retryable() && error.hint_text().is_some(), "{parameters}: {error}");
    }
    assert!(open(&server, "localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem").is_err());
    // A whole load, several connections.
    let package = PackageBuilder::new("p", "data", 1).json("orders", r#"{"id":1,"lines":[1,2]}"#).build();
    let destination = open(&server, "localhost", &format!("sslmode=verify-full&sslrootcert={ours}")).unwrap();
    fixture::load(&*destination, &package).await.unwrap();
    assert_eq!(server.psql("postgres", "SELECT count(*) FROM data.orders__lines"), "2");
}

/// Certificates without extensions, which rustls does not read, log a role in; the server's own is no obstacle where nobody
/// is checked.
#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_version_1_do_where_nothing_of_them_is_checked() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/version1");
    let pem = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    let server = secure_server(&pem("server.crt"), &pem("server.key"));
    let ca = server.write_file("ca.crt", &pem("ca.crt"));
    let hba = server.write_file("hba2.conf", "local all all trust\nhostssl all all all cert\n");
    server.psql("postgres", &format!("ALTER SYSTEM SET ssl_ca_file = '{}'", ca.display()));
    server.psql("postgres", &format!("ALTER SYSTEM SET hba_file = '{}'", hba.display()));
    let mut server = server;
    server.kill();
    server.resume();
    let own = format!("sslcert={folder}/client.crt&sslkey={folder}/client.key");
    for mode in ["prefer", "require"] {
        let destination = open(&server, "localhost", &format!("sslmode={mode}&{own}")).unwrap();
        assert!(is_encrypted(&*destination).await.unwrap_or_else(|e| panic!("{mode}: {e}")), "{mode}");
    }
    let without = is_encrypted(&*open(&server, "localhost", "sslmode=require").unwrap()).await.unwrap_err();
    assert!(without.hint_text().is_some_and(|h| h.contains("sslcert")), "{without:?}");
    let checked = format!("sslmode=verify-full&sslrootcert={folder}/ca.crt&{own}");
    let refused = is_encrypted(&*open(&server, "localhost", &checked).unwrap()).await.unwrap_err();
    assert!(refused.hint_text().is_some_and(|h| h.contains("version 1")), "{refused:?}");
    let (certificate, _) = server_certificate(&authority("any"), "localhost");
    let readable = server.write_file("other.crt", &certificate).display().to_string();
    let mixed = format!("sslcert={readable}&sslkey={folder}/client.key");
    assert!(open(&server, "localhost", &mixed).unwrap_err().to_string().contains("do not fit"));
    // Keys in other forms, which openssl makes as well.
    let encrypted = server.write_file(
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let binary = server.write_file("binary.crt", "0\u{1}x");
    for (certificate, key, hint) in [
        (format!("{folder}/client.crt"), encrypted.display().to_string(), "openssl pkey -in"),
        (format!("{folder}/client.crt"), binary.display().to_string(), "is DER"),
        (binary.display().to_string(), format!("{folder}/client.key"), "is DER"),
        ("/nowhere.crt".to_owned(), format!("{folder}/client.key"), "is there"),
    ] {
        let error = open(&server, "localhost", &format!("sslcert={certificate}&sslkey={key}")).unwrap_err();
        assert!(error.hint_text().is_some_and(|h| h.contains(hint)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_signed_by_itself_is_trusted_by_naming_it() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let server = secure_server(&certificate.pem(), &key.serialize_pem());
    let root = server.write_file("root.pem", &certificate.pem()).display().to_string();
    for (host, mode, works) in
        [("localhost", "verify-full", true), ("127.0.0.1", "verify-ca", true), ("127.0.0.1", "verify-full", false)]
    {
        let destination = open(&server, host, &format!("sslmode={mode}&sslrootcert={root}")).unwrap();
        assert_eq!(is_encrypted(&*destination).await.ok(), works.then_some(true), "{mode} {host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_used_only_where_that_is_allowed() {
    let server = PostgresServer::start(&[]);
    assert!(!is_encrypted(&*open(&server, "127.0.0.1", "sslmode=prefer").unwrap()).await.unwrap());
    let error = is_encrypted(&*open(&server, "127.0.0.1", "sslmode=require").unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("does not encrypt"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_come_from_all_their_places_and_are_shown_nowhere() {
    let mut server = PostgresServer::start(&[]);
    let hba = server.write_file("hba.conf", "local all all trust\nhost all all all scram-sha-256\n");
    server.psql(
        "postgres",
        &format!("ALTER SYSTEM SET hba_file = '{}'; CREATE ROLE me LOGIN SUPERUSER PASSWORD 'hu:sh@1'", hba.display()),
    );
    server.kill();
    server.resume();
    let url = |login: &str| format!("postgres://{login}@127.0.0.1:{}/postgres", server.port());
    let mut connections = vec![Connection::new(url("me:hu%3Ash%401")), Connection::new(url("me:hu:sh@1"))];
    let passfile = server.write_file("pass", &format!("127.0.0.1:{}:*:me:hu\\:sh@1\n", server.port()));
    for (name, value) in [("PGPASSWORD", "hu:sh@1".to_owned()), ("PGPASSFILE", passfile.display().to_string())] {
        let mut connection = Connection::new(url("me"));
        connection.environment.insert(name.to_owned(), value);
        connections.push(connection);
    }
    let mut by_settings = Connection::new("postgres");
    by_settings.settings = serde_json::json!({"host": "127.0.0.1", "port": server.port(), "database": "postgres", "username": "me", "password": "hu:sh@1"})
        .as_object().cloned().unwrap();
    connections.push(by_settings);
    for connection in &connections {
        let destination = longshore_destination_postgres::open(connection).unwrap();
        destination.tables("public").await.unwrap();
        let canonical = longshore_destination_postgres::canonical(connection).unwrap();
        assert_eq!((canonical.clone(), destination.to_string()), (url("me"), url("me")));
        assert!(!format!("{destination:?} {connection:?}").contains("hu:sh"));
    }
    for login in ["me", "me:wrong"] {
        let error = longshore_destination_postgres::open(&Connection::new(url(login)))
            .unwrap()
            .tables("public")
            .await
            .unwrap_err();
        assert!(
            !error.is_retryable() && error.to_string().contains("role me") && error.hint_text().is_some(),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("wrong"));
    }
}
