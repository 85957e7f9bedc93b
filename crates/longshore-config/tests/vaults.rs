//! The vaults, against doubles over HTTP that check what they are asked with.

#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

mod common;

use common::Folder;
use ring::signature::KeyPair;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as the double sees it; header names are in lower case.
#[derive(Debug, Clone)]
struct Request {
    line: String,
    headers: HashMap<String, String>,
    body: String,
}

/// A server that answers each request by a function, until the test ends.
struct Double {
    address: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Double {
    fn start(answer: impl Fn(&Request) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let request = read(&stream);
                log.lock().unwrap().push(request.clone());
                let (status, body) = answer(&request);
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Double { address, asked }
    }

    fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|r| r.line.clone()).collect()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Request { line: line.trim_end().to_owned(), headers, body: String::from_utf8(body).unwrap() }
}

const SOURCE: &str = "[sources.s]\ntype = \"x\"\na = { secret = \"shop.api_token\" }\n";

fn project(vault: &str) -> Folder {
    Folder::new().with("longshore.toml", &format!("{SOURCE}[vaults.v]\n{vault}"))
}

fn secret(folder: &Folder) -> Result<String, String> {
    let section = folder.open().map_err(|e| e.to_string())?.source("s");
    let section = section.map_err(|e| format!("{e} {:?}", e.0[0].hint))?;
    Ok(section.to_json()["a"].as_str().unwrap().to_owned())
}

#[test]
fn hashicorp_by_token_and_by_approle() {
    let double = Double::start(|request| {
        let token = request.headers.get("x-vault-token").map(String::as_str);
        match (request.line.as_str(), token) {
            ("POST /v1/auth/approle/login HTTP/1.1", _) if request.body == r#"{"role_id":"r","secret_id":"s"}"# => {
                (200, r#"{"auth":{"client_token":"t"}}"#.into())
            }
            ("GET /v1/kv/data/team/shop HTTP/1.1", Some("t")) => {
                (200, r#"{"data":{"data":{"api_token":"of the vault"},"metadata":{}}}"#.into())
            }
            ("GET /v1/secret/data/shop HTTP/1.1", Some("t")) => (404, r#"{"errors":[]}"#.into()),
            _ => (403, r#"{"errors":["permission denied"]}"#.into()),
        }
    });
    let vault = format!("type = \"hashicorp\"\naddress = \"{}\"\n", double.address);
    let by_token =
        project(&format!("{vault}mount = \"kv\"\nprefix = \"team\"\ntoken = {{ env = \"T\" }}\n")).env("T", "t");
    assert_eq!(secret(&by_token).unwrap(), "of the vault");
    let by_role =
        project(&format!("{vault}mount = \"kv\"\nprefix = \"team\"\nrole_id = \"r\"\n")).env("VAULT_SECRET_ID", "s");
    assert_eq!(secret(&by_role).unwrap(), "of the vault");
    let missing = secret(&project(&format!("{vault}token = \"t\"\n"))).unwrap_err();
    assert!(
        missing.contains(&format!("HashiCorp vault {}: secret/shop, field api_token", double.address)),
        "{missing}"
    );
    let refused = secret(&project(&format!("{vault}token = \"hush\"\n"))).unwrap_err();
    assert!(refused.contains("403") && refused.contains("permission denied") && !refused.contains("hush"), "{refused}");
    // What a file has is not asked of a vault.
    let before = double.lines().len();
    let folder = project(&format!("{vault}token = \"t\"\n")).with("secrets.toml", "[shop]\napi_token = \"near\"\n");
    assert_eq!((secret(&folder).unwrap().as_str(), double.lines().len()), ("near", before));
}

/// The version is asked of the vault, as its own client does, unless the project says it.
#[test]
fn hashicorp_of_version_one() {
    let double = Double::start(|request| match request.line.split(' ').nth(1).unwrap_or_default() {
        "/v1/sys/internal/ui/mounts/old" => {
            (200, r#"{"data":{"type":"kv","options":{"version":"1"},"path":"old/"}}"#.into())
        }
        "/v1/old/shop" => (200, r#"{"data":{"api_token":"of version 1"}}"#.into()),
        "/v1/old/data/shop" => (404, r#"{"errors":[]}"#.into()),
        _ => (403, r#"{"errors":["permission denied"]}"#.into()),
    });
    let vault = format!("type = \"hashicorp\"\naddress = \"{}\"\nmount = \"old\"\ntoken = \"t\"\n", double.address);
    assert_eq!(secret(&project(&vault)).unwrap(), "of version 1");
    let before = double.lines().len();
    assert_eq!(secret(&project(&format!("{vault}kv_version = \"1\"\n"))).unwrap(), "of version 1");
    assert_eq!(double.lines()[before..], ["GET /v1/old/shop HTTP/1.1"]);
    let missing = secret(&project(&format!("{vault}kv_version = \"2\"\n"))).unwrap_err();
    assert!(missing.contains("old/shop, field api_token"), "{missing}");
    let wrong = secret(&project(&format!("{vault}kv_version = \"3\"\n"))).unwrap_err();
    assert!(wrong.contains("'3' is no version of the KV engine"), "{wrong}");
}

#[test]
fn aws_by_name_and_in_a_document() {
    let double = Double::start(|request| {
        let header = |name: &str| request.headers.get(name).map(String::as_str).unwrap_or_default();
        let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
        let authorization = header("authorization");
        if !authorization.contains("AWS4-HMAC-SHA256 Credential=AK/") || !authorization.contains(signed) {
            return (403, r#"{"__type":"AccessDeniedException","Message":"no"}"#.into());
        }
        assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
        match request.body.as_str() {
            r#"{"SecretId":"dlt/shop"}"# => (200, r#"{"SecretString":"{\"api_token\":\"of aws\"}"}"#.into()),
            _ => (400, r#"{"__type":"ResourceNotFoundException","Message":"none"}"#.into()),
        }
    });
    let vault =
        format!("type = \"aws\"\nregion = \"eu-central-1\"\nprefix = \"dlt\"\nendpoint = \"{}\"\n", double.address);
    let with_keys = |folder: Folder| {
        folder.env("AWS_ACCESS_KEY_ID", "AK").env("AWS_SECRET_ACCESS_KEY", "SK").env("AWS_SESSION_TOKEN", "ST")
    };
    assert_eq!(secret(&with_keys(project(&vault))).unwrap(), "of aws");
    let no_keys = secret(&project(&vault)).unwrap_err();
    assert!(no_keys.contains("access_key_id") && no_keys.contains("AWS_ACCESS_KEY_ID"), "{no_keys}");
    let other = with_keys(project(&vault.replace("dlt", "other")));
    assert!(secret(&other).unwrap_err().contains("AWS Secrets Manager in eu-central-1: other/shop/api_token"));
    let refused = with_keys(project(&vault)).env("AWS_ACCESS_KEY_ID", "WRONG");
    assert!(secret(&refused).unwrap_err().contains("403"));
}

/// A key made for this test alone.
const KEY: &str = include_str!("data/service-account-key.pem");

#[test]
fn google_by_service_account_and_by_the_machine() {
    let double = Double::start(|request| match request.line.as_str() {
        "POST /token HTTP/1.1" => {
            let assertion = request.body.split("assertion=").nth(1).unwrap();
            if verified(assertion) { (200, r#"{"access_token":"at"}"#.into()) } else { (400, "{}".into()) }
        }
        "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1" => {
            assert_eq!(request.headers["metadata-flavor"], "Google");
            (200, r#"{"access_token":"at"}"#.into())
        }
        line if request.headers.get("authorization").map(String::as_str) != Some("Bearer at") => (401, line.into()),
        "GET /v1/projects/p/secrets/shop-api_token/versions/latest:access HTTP/1.1" => {
            (200, r#"{"payload":{"data":"b2YgZ29vZ2xl"}}"#.into())
        }
        _ => (404, r#"{"error":{"message":"not found"}}"#.into()),
    });
    let account = serde_json::json!({
        "client_email": "me@p", "private_key": KEY, "token_uri": format!("{}/token", double.address)
    });
    let vault = format!("type = \"google\"\nproject = \"p\"\nendpoint = \"{}\"\n", double.address);
    let folder = project(&vault).with("key.json", &account.to_string());
    let key_file = folder.project_dir().join("key.json").display().to_string();
    assert_eq!(secret(&folder.env("GOOGLE_APPLICATION_CREDENTIALS", &key_file)).unwrap(), "of google");
    let host = double.address.trim_start_matches("http://").to_owned();
    assert_eq!(secret(&project(&vault).env("GCE_METADATA_HOST", &host)).unwrap(), "of google");
    let missing = project(&format!("{vault}prefix = \"x\"\n")).env("GCE_METADATA_HOST", &host);
    assert!(secret(&missing).unwrap_err().contains("Google Secret Manager, project p: x-shop-api_token"));
}

/// Checks the seal with the public half.
fn verified(assertion: &str) -> bool {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let pem: String = KEY.lines().filter(|l| !l.starts_with("-----")).collect();
    let pair = ring::signature::RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).unwrap()).unwrap();
    let public = ring::signature::UnparsedPublicKey::new(
        &ring::signature::RSA_PKCS1_2048_8192_SHA256,
        pair.public_key().as_ref(),
    );
    let (signed, seal) = assertion.rsplit_once('.').unwrap();
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(seal).unwrap()).is_ok()
}

#[test]
fn a_vault_that_is_not_there_is_an_error_with_its_name() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = project(&format!("type = \"hashicorp\"\naddress = \"http://{address}\"\ntoken = \"t\"\n"));
    let error = secret(&folder).unwrap_err();
    assert!(error.contains("the HashiCorp vault cannot be reached") && error.contains("longshore.toml:4:9"), "{error}");
}

#[test]
fn misspelt_vaults_are_told() {
    let error = secret(&project("type = \"hashicrop\"\n")).unwrap_err();
    assert!(error.contains("did you mean 'hashicorp'?"), "{error}");
    let error = secret(&project("type = \"aws\"\nregoin = \"x\"\n")).unwrap_err();
    assert!(error.contains("did you mean 'region'?"), "{error}");
}

/// Whether a project is right is found out without a request; what only a vault can have is said.
#[test]
fn a_project_can_be_looked_at_without_asking_a_vault() {
    let vault = "type = \"hashicorp\"\naddress = \"http://127.0.0.1:1\"\ntoken = \"t\"\n";
    let looked = |folder: &Folder| folder.open().unwrap().without_asking_vaults().source("s");
    let section = looked(&project(vault)).unwrap();
    assert_eq!(section.unasked(), ["sources.s.a"]);
    assert_eq!(section.to_json()["a"], "***");
    let near = looked(&project(vault).with("secrets.toml", "[shop]\napi_token = \"near\"\n")).unwrap();
    assert_eq!((near.unasked().len(), &near.to_json()["a"]), (0, &serde_json::json!("near")));
    // What is wrong with a vault is told by itself, and hides nothing else.
    let misspelt = project("type = \"hashicrop\"\n");
    assert_eq!(looked(&misspelt).unwrap().unasked(), ["sources.s.a"]);
    let told = misspelt.open().unwrap().vault_problems();
    assert_eq!(told[0].hint.as_deref(), Some("did you mean 'hashicorp'?"), "{told:?}");
    let open = project("type = \"hashicorp\"\n").open().unwrap().vault_problems();
    assert_eq!(open[0].hint.as_deref(), Some("set address, or VAULT_ADDR or BAO_ADDR in the environment"), "{open:?}");
    let alone = looked(&Folder::new().with("longshore.toml", SOURCE)).unwrap_err().to_string();
    assert!(alone.contains("'shop.api_token' is not to be found"), "{alone}");
}

/// A vault that starts, or has too much to do, is asked again; one that says no is not.
#[test]
fn trouble_that_passes_is_waited_for_by_all_vaults() {
    let answers = |good: &'static str, bad: (u16, &'static str)| {
        let asked = std::sync::atomic::AtomicU32::new(0);
        move |request: &Request| match request.line.split(' ').nth(1).unwrap_or_default() {
            "/computeMetadata/v1/instance/service-accounts/default/token" => (200, r#"{"access_token":"at"}"#.into()),
            _ if asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 => (bad.0, bad.1.to_owned()),
            _ => (200, good.to_owned()),
        }
    };
    let google = (r#"{"payload":{"data":"dg=="}}"#, "type = \"google\"\nproject = \"p\"\nendpoint");
    let aws = (
        r#"{"SecretString":"v"}"#,
        "type = \"aws\"\nregion = \"r\"\naccess_key_id = \"a\"\nsecret_access_key = \"s\"\nendpoint",
    );
    let vault = (
        r#"{"data":{"data":{"api_token":"v"}}}"#,
        "type = \"hashicorp\"\nkv_version = \"2\"\ntoken = \"t\\n\"\nmount = \"/kv/\"\naddress",
    );
    for ((good, keys), bad) in [
        (google, (503, "{}")),
        (aws, (400, r#"{"__type":"x#ThrottlingException"}"#)),
        (vault, (500, "{}")),
        (vault, (429, "{}")),
    ] {
        let double = Double::start(answers(good, bad));
        let host = double.address.trim_start_matches("http://").to_owned();
        let folder = project(&format!("{keys} = \"{}\"\n", double.address)).env("GCE_METADATA_HOST", &host);
        assert_eq!(secret(&folder).unwrap(), "v", "{keys}");
    }
    let sealed = Double::start(|_| (503, r#"{"errors":["Vault is sealed"]}"#.into()));
    let error = secret(&project(&format!("{} = \"{}\"\n", vault.1, sealed.address))).unwrap_err();
    assert!(error.contains("Vault is sealed") && error.contains("unsealed"), "{error}");
    assert!(error.contains("looked for HashiCorp vault") && error.contains("kv/shop, field api_token"), "{error}");
    assert_eq!(sealed.lines(), ["GET /v1/kv/data/shop HTTP/1.1"]);
}

/// Who may read one document alone is refused whatever else there may be.
#[test]
fn a_document_is_read_where_the_name_by_itself_is_forbidden() {
    let double = Double::start(|request| match request.body.as_str() {
        r#"{"SecretId":"shop"}"# => (200, r#"{"SecretString":"{\"api_token\":\"of the document\"}"}"#.into()),
        r#"{"SecretId":"other/api_token"}"# => (200, r#"{"SecretBinary":"Ynl0ZXM="}"#.into()),
        _ => (400, r#"{"__type":"AccessDeniedException","Message":"not authorized"}"#.into()),
    });
    let vault = format!(
        "type = \"aws\"\nregion = \"r\"\naccess_key_id = \"a\"\nsecret_access_key = \"s\"\nendpoint = \"{}\"\n",
        double.address
    );
    assert_eq!(secret(&project(&vault)).unwrap(), "of the document");
    let with = |name: &str| {
        let source = SOURCE.replace("shop.", name);
        Folder::new().with("longshore.toml", &format!("{source}[vaults.v]\n{vault}"))
    };
    assert_eq!(secret(&with("other.")).unwrap(), "bytes");
    let error = secret(&with("third.")).unwrap_err();
    assert!(error.contains("AccessDeniedException: not authorized") && error.contains("credentials hold"), "{error}");
    assert!(error.contains("third/api_token, or the key api_token of third"), "{error}");
}

/// A token that may not look at mounts still reads either version.
#[test]
fn hashicorp_of_a_version_that_cannot_be_asked() {
    let double = Double::start(|request| match request.line.split(' ').nth(1).unwrap_or_default() {
        "/v1/old/shop" => (200, r#"{"data":{"api_token":"of version 1"}}"#.into()),
        "/v1/typo/shop" => (200, r#"{"data":{"apitoken":"hush"}}"#.into()),
        _ => (403, r#"{"errors":["permission denied"]}"#.into()),
    });
    let vault = |mount: &str, address: &str| {
        project(&format!("type = \"hashicorp\"\naddress = \"{address}\"\nmount = \"{mount}\"\ntoken = \"t\"\n"))
    };
    assert_eq!(secret(&vault("old", &double.address)).unwrap(), "of version 1");
    assert!(secret(&vault("none", &double.address)).unwrap_err().contains("permission denied"));
    let error = secret(&vault("typo", &double.address)).unwrap_err();
    assert!(error.contains("without this field; did you mean 'apitoken'?)") && !error.contains("hush"), "{error}");
    let error = secret(&vault("old", "vault.example.com:8200")).unwrap_err();
    assert!(error.contains("not a web address"), "{error}");
}
