//! Every form of credentials, against a server of tokens that the test starts: what is asked of it, what it is answered
//! with, and that BigQuery is asked with the token it gave. The server is strict: a request it does not know is refused.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use longshore_core::connect::Connection;
use longshore_core::error::{ErrorKind, Result};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Made for these tests with `openssl genpkey -algorithm RSA`; opens nothing.
const KEY: &str = include_str!("throwaway-key.pem");

/// A request as it came.
#[derive(Clone, Debug)]
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Request {
    fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// A field of a form.
    fn field(&self, name: &str) -> String {
        let mut pairs = self.body.split('&').filter_map(|p| p.split_once('='));
        let found = pairs.find(|(n, _)| *n == name).map(|(_, v)| v.replace('+', " "));
        percent_encoding::percent_decode_str(&found.unwrap_or_default()).decode_utf8_lossy().into_owned()
    }
}

/// Google's servers, as far as they are asked here: tokens are `token-1`, `token-2`, and so on.
struct Google {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Google {
    /// Starts it; its tokens last so many seconds, and BigQuery accepts only those from the `accepted`th on.
    fn start(lasting: u64, accepted: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut tokens = 0;
            for connection in listener.incoming().flatten() {
                let Some((request, mut connection)) = read(connection) else { continue };
                kept.lock().expect("not poisoned").push(request.clone());
                let (status, body) = answer(&request, lasting, accepted, &mut tokens);
                let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n");
                let _ = write!(connection, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            }
        });
        Google { url, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// Requests to a path that begins so.
    fn asked(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|r| r.path().starts_with(path)).collect()
    }

    /// What BigQuery was asked with.
    fn bearer(&self) -> Vec<String> {
        self.asked("/bigquery/").iter().map(|r| r.header("authorization").to_owned()).collect()
    }
}

fn answer(request: &Request, lasting: u64, accepted: usize, tokens: &mut usize) -> (u16, String) {
    let mut token = |name: &str| {
        *tokens += 1;
        (200, json!({name: format!("token-{tokens}"), "expires_in": lasting, "token_type": "Bearer"}).to_string())
    };
    match request.path() {
        "/token" if request.field("refresh_token") == "revoked" => (
            400,
            json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}).to_string(),
        ),
        "/token" | "/sts" | "/sts/oauthtoken" => token("access_token"),
        "/computeMetadata/v1/project/project-id" if request.header("metadata-flavor") == "Google" => {
            (200, "p".to_owned())
        }
        "/computeMetadata/v1/instance/service-accounts/default/token" => match request.header("metadata-flavor") {
            "Google" => token("access_token"),
            _ => (403, String::new()),
        },
        // Machines without an identity, and in trouble: their hosts are this server's with a path.
        "/none/computeMetadata/v1/instance/service-accounts/default/token" => (404, String::new()),
        "/ill/computeMetadata/v1/instance/service-accounts/default/token" => (503, String::new()),
        "/v1/projects/-/serviceAccounts/denied@p:generateAccessToken" => (403, String::new()),
        "/v1/projects/-/serviceAccounts/other@p:generateAccessToken" => token("accessToken"),
        path if path.starts_with("/bigquery/v2/projects/p/datasets/") => {
            let number: Option<usize> =
                request.header("authorization").strip_prefix("Bearer token-").and_then(|n| n.parse().ok());
            let status = if number.is_some_and(|n| n >= accepted) { 404 } else { 401 };
            (status, json!({"error": {"code": status, "message": "x", "errors": [{"reason": "x"}]}}).to_string())
        }
        _ => (501, "nobody asks for that".to_owned()),
    }
}

fn read(mut connection: TcpStream) -> Option<(Request, TcpStream)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let (head, rest) = loop {
        let n = connection.read(&mut buffer).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            break (head.to_owned(), rest.len());
        }
    };
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let header = |l: &str| l.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
    let length: usize = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = bytes[bytes.len() - rest..].to_vec();
    while body.len() < length {
        let n = connection.read(&mut buffer).ok().filter(|n| *n > 0)?;
        body.extend_from_slice(&buffer[..n]);
    }
    Some((Request { line, headers, body: String::from_utf8_lossy(&body).into_owned() }, connection))
}

/// Asks BigQuery at that server for something small, with those settings and that environment.
fn ask(google: &Google, settings: Value, environment: &[(&str, &str)]) -> Result<()> {
    let destination = open(google, settings, environment)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(destination.tables("shop")).map(drop)
}

fn open(
    google: &Google,
    settings: Value,
    environment: &[(&str, &str)],
) -> Result<Arc<dyn longshore_core::destination::Destination>> {
    let mut connection = Connection::new(format!("bigquery://p?endpoint={}", google.url));
    connection.settings = settings.as_object().cloned().expect("settings");
    connection.environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    longshore_destination_bigquery::open(&connection)
}

fn key(google: &Google) -> Value {
    json!({
        "type": "service_account", "project_id": "p", "private_key_id": "k1", "private_key": KEY,
        "client_email": "loader@p", "token_uri": format!("{}/token", google.url),
    })
}

fn user(google: &Google) -> Value {
    json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "secret", "refresh_token": "again",
        "token_uri": format!("{}/token", google.url),
    })
}

/// A file with that document.
fn file(document: &Value) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{document}").expect("it is written");
    file
}

/// The statement that a service account's key was asked with, its signature checked.
fn claims(request: &Request) -> Value {
    assert_eq!(request.field("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let assertion = request.field("assertion");
    let parts: Vec<&str> = assertion.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64");
    let public = STANDARD.decode(PUBLIC.trim()).expect("base64");
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    key.verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &decode(parts[2])).expect("the key's own signature");
    let header: Value = serde_json::from_slice(&decode(parts[0])).expect("JSON");
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    serde_json::from_slice(&decode(parts[1])).expect("JSON")
}

/// The public half, as `openssl rsa -RSAPublicKey_out -outform DER` gives it.
const PUBLIC: &str = include_str!("throwaway-key.pub");

#[test]
fn a_service_accounts_key_comes_as_a_file_as_json_and_in_base64() {
    let google = Google::start(3600, 1);
    let document = key(&google);
    let on_disk = file(&document);
    let path = on_disk.path().to_str().expect("a path");
    let forms = [json!(path), json!(document.to_string()), json!(STANDARD.encode(document.to_string())), document];
    for given in &forms {
        ask(&google, json!({"credentials": given}), &[]).expect("it is let in");
    }
    ask(&google, json!({"credentials": "default"}), &[("GOOGLE_APPLICATION_CREDENTIALS", path)]).expect("let in");
    let asked = google.asked("/token");
    assert_eq!(asked.len(), forms.len() + 1);
    for request in &asked {
        let claims = claims(request);
        assert_eq!(
            (claims["iss"].as_str(), claims["aud"].as_str()),
            (Some("loader@p"), Some(&*format!("{}/token", google.url)))
        );
        assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
        assert_eq!(claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(e, i)| e - i), Some(3600));
    }
    assert_eq!(google.bearer(), (1..=5).map(|n| format!("Bearer token-{n}")).collect::<Vec<_>>());
}

#[test]
fn a_users_login_is_found_where_gcloud_leaves_it() {
    let google = Google::start(3600, 1);
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".config/gcloud");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("application_default_credentials.json"), user(&google).to_string()).expect("a file");
    let home = home.path().to_str().expect("a path");
    ask(&google, json!({"credentials": "default"}), &[("HOME", home)]).expect("it is let in");
    let [request] = &google.asked("/token")[..] else { panic!("one token") };
    let fields = ["grant_type", "client_id", "client_secret", "refresh_token"].map(|f| request.field(f));
    assert_eq!(fields, ["refresh_token", "id", "secret", "again"]);
    assert_eq!(google.bearer(), ["Bearer token-1"]);
}

#[test]
fn a_machine_of_googles_has_its_own_identity() {
    let google = Google::start(3600, 1);
    let host = google.url.trim_start_matches("http://").to_owned();
    ask(&google, json!({"credentials": "default"}), &[("GCE_METADATA_HOST", &host)]).expect("it is let in");
    assert_eq!(google.asked("/computeMetadata/").len(), 1);
    assert_eq!(google.bearer(), ["Bearer token-1"]);
}

#[test]
fn a_machine_of_googles_knows_its_project() {
    let google = Google::start(3600, 1);
    let host = google.url.trim_start_matches("http://").to_owned();
    let open = |environment: &[(&str, &str)]| {
        let mut connection = Connection::new(format!("bigquery:?endpoint={}", google.url));
        connection.settings.insert("credentials".into(), json!("default"));
        connection.environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        longshore_destination_bigquery::open(&connection).map(|d| d.to_string())
    };
    let machine = ("GCE_METADATA_HOST", host.as_str());
    assert!(open(&[machine]).expect("the machine says it").starts_with("bigquery://p?"));
    assert!(open(&[machine, ("GOOGLE_CLOUD_PROJECT", "q")]).expect("it is said").starts_with("bigquery://q?"));
    assert_eq!(google.asked("/computeMetadata/v1/project/").len(), 1, "asked where nobody says it");
    let error = open(&[("GCE_METADATA_HOST", "127.0.0.1:1")]).expect_err("nobody knows it");
    assert!(error.message() == "no project is named", "{error:?}");
    assert!(error.hint_text().is_some_and(|h| h.contains("gcloud config set project")), "{error:?}");
}

#[test]
fn a_user_of_another_provider_logs_in_and_names_who_pays() {
    let google = Google::start(3600, 1);
    let document = json!({
        "type": "external_account_authorized_user", "audience": "//iam/workforcePools/w", "client_id": "id",
        "client_secret": "secret", "refresh_token": "again", "token_url": format!("{}/sts/oauthtoken", google.url),
        "quota_project_id": "pays",
    });
    ask(&google, json!({"credentials": document}), &[]).expect("it is let in");
    let [request] = &google.asked("/sts/oauthtoken")[..] else { panic!("one token") };
    assert_eq!(["grant_type", "refresh_token"].map(|f| request.field(f)), ["refresh_token", "again"]);
    assert_eq!(request.header("authorization"), format!("Basic {}", STANDARD.encode("id:secret")));
    let paid = |google: &Google| google.asked("/bigquery/").last().map(|r| r.header("x-goog-user-project").to_owned());
    assert_eq!((google.bearer(), paid(&google).as_deref()), (vec!["Bearer token-1".to_owned()], Some("pays")));
    let mut document = user(&google);
    ask(&google, json!({"credentials": document}), &[]).expect("it is let in");
    assert_eq!(paid(&google).as_deref(), Some(""), "where nobody pays, nobody is named");
    document["quota_project_id"] = "pays".into();
    ask(&google, json!({"credentials": document}), &[]).expect("it is let in");
    assert_eq!(paid(&google).as_deref(), Some("pays"));
    ask(&google, json!({"credentials": document}), &[("GOOGLE_CLOUD_QUOTA_PROJECT", "other")]).expect("it is let in");
    assert_eq!(paid(&google).as_deref(), Some("other"));
    let acting = json!({"credentials": document, "impersonate_service_account": "other@p", "iam_endpoint": google.url});
    ask(&google, acting, &[]).expect("it is let in");
    assert_eq!(paid(&google).as_deref(), Some(""), "the other account need not have that right");
}

#[test]
fn a_machine_of_googles_without_an_identity_is_told_from_other_machines() {
    let google = Google::start(3600, 1);
    let host = google.url.trim_start_matches("http://").to_owned();
    for (host, kind, text) in [
        (format!("{host}/none"), ErrorKind::Config, "this machine has no service account attached"),
        (format!("{host}/ill"), ErrorKind::Unavailable, "503"),
        ("127.0.0.1:1".to_owned(), ErrorKind::Config, "this is no machine of Google's"),
    ] {
        let settings = json!({"credentials": "default", "retry_deadline": 0});
        let error = ask(&google, settings, &[("GCE_METADATA_HOST", &host)]).expect_err("no token");
        assert!(error.kind() == kind && error.message().contains(text), "{host}: {error:?}");
    }
}

#[test]
fn a_federation_exchanges_another_providers_token() {
    let google = Google::start(3600, 1);
    let subject = file(&json!({"id_token": "theirs"}));
    let document = json!({
        "type": "external_account", "audience": "//iam/pool", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/sts", google.url),
        "credential_source": {
            "file": subject.path(), "format": {"type": "json", "subject_token_field_name": "id_token"},
        },
        "service_account_impersonation_url": format!("{}/v1/projects/-/serviceAccounts/other@p:generateAccessToken", google.url),
    });
    ask(&google, json!({"credentials": document}), &[]).expect("it is let in");
    let [request] = &google.asked("/sts")[..] else { panic!("one exchange") };
    assert_eq!((request.field("subject_token"), request.field("audience")), ("theirs".into(), "//iam/pool".into()));
    let [request] = &google.asked("/v1/")[..] else { panic!("one impersonation") };
    assert_eq!(request.header("authorization"), "Bearer token-1");
    assert_eq!(google.bearer(), ["Bearer token-2"]);
}

#[test]
fn one_may_act_for_another_account() {
    let google = Google::start(3600, 1);
    let settings = json!({
        "credentials": key(&google), "impersonate_service_account": "other@p", "iam_endpoint": google.url,
    });
    ask(&google, settings, &[]).expect("it is let in");
    let document = json!({
        "type": "impersonated_service_account", "source_credentials": user(&google), "delegates": ["between@p"],
        "service_account_impersonation_url": format!("{}/v1/projects/-/serviceAccounts/other@p:generateAccessToken", google.url),
    });
    ask(&google, json!({"credentials": document}), &[]).expect("it is let in");
    let acting: Vec<String> = google.asked("/v1/").iter().map(|r| r.header("authorization").to_owned()).collect();
    assert_eq!(acting, ["Bearer token-1", "Bearer token-3"]);
    let bodies: Vec<Value> = google.asked("/v1/").iter().filter_map(|r| serde_json::from_str(&r.body).ok()).collect();
    assert_eq!((&bodies[0]["delegates"], &bodies[1]["delegates"]), (&Value::Null, &json!(["between@p"])));
    assert_eq!(google.bearer(), ["Bearer token-2", "Bearer token-4"]);
}

#[test]
fn whoever_is_logged_in_may_act_for_another_account_at_any_endpoint() {
    let google = Google::start(3600, 1);
    let host = google.url.trim_start_matches("http://").to_owned();
    let settings = |account: &str| json!({"impersonate_service_account": account, "iam_endpoint": google.url});
    ask(&google, settings("other@p"), &[("GCE_METADATA_HOST", &host)]).expect("it is let in");
    assert_eq!(google.bearer(), ["Bearer token-2"]);
    let error = ask(&google, settings("denied@p"), &[("GCE_METADATA_HOST", &host)]).expect_err("it is denied");
    assert!(error.to_string().contains("denied@p"), "{error}");
}

#[test]
fn a_token_is_kept_until_shortly_before_its_end() {
    for (lasting, expected) in [(3600, 1), (60, 3)] {
        let google = Google::start(lasting, 1);
        let destination = open(&google, json!({"credentials": key(&google)}), &[]).expect("the key is right");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        for _ in 0..3 {
            runtime.block_on(destination.tables("shop")).expect("it is let in");
        }
        assert_eq!(google.asked("/token").len(), expected, "tokens of {lasting} seconds");
    }
}

#[test]
fn a_token_that_is_refused_is_renewed_once() {
    let google = Google::start(3600, 2);
    ask(&google, json!({"credentials": key(&google)}), &[]).expect("the second token is accepted");
    assert_eq!(google.bearer(), ["Bearer token-1", "Bearer token-2"]);
    let google = Google::start(3600, 99);
    let error = ask(&google, json!({"credentials": key(&google)}), &[]).expect_err("no token is accepted");
    assert_eq!(error.message(), "BigQuery does not accept the credentials");
    assert_eq!(google.bearer().len(), 2);
}

#[test]
fn a_login_that_was_taken_back_says_what_to_do_and_no_secret() {
    let google = Google::start(3600, 1);
    let mut document = user(&google);
    document["refresh_token"] = "revoked".into();
    let error = ask(&google, json!({"credentials": document}), &[]).expect_err("no token is given");
    let text = format!("{error:?} {error}");
    assert!(error.hint_text().is_some_and(|h| h.contains("gcloud auth application-default login")), "{text}");
    assert!(!text.contains("secret") && google.bearer().is_empty(), "{text}");
}
