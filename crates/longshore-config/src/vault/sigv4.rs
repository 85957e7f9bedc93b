//! AWS Signature Version 4, for the one form of request that is sent here: a POST of JSON to `/`.
//!
//! The rules: "Create a signed AWS API request" in AWS's Identity and Access Management guide.

use longshore_core::connect::Secret;
use ring::{digest, hmac};
use std::fmt::Write;

/// What a request is signed with and for.
pub(super) struct Signer<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a Secret,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Signer<'_> {
    /// Returns the `Authorization` header. `headers` are in lower case and sorted, `host` and `x-amz-date` among
    /// them; `time` is `20240501T100000Z`.
    pub(super) fn authorization(&self, headers: &[(&str, &str)], body: &[u8], time: &str) -> String {
        let date = time.get(..8).unwrap_or_default();
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut request = "POST\n/\n\n".to_owned();
        for (name, value) in headers {
            request.push_str(name);
            request.push(':');
            request.push_str(value.trim());
            request.push('\n');
        }
        request.push_str(&format!("\n{names}\n{}", sha256(body)));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(request.as_bytes()));
        let key = format!("AWS4{}", self.secret_access_key.expose());
        let parts = [date, self.region, self.service, "aws4_request", &to_sign];
        let signature = parts.iter().fold(key.into_bytes(), |key, part| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
        });
        let signature = hex(&signature);
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        )
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}"); // into a String: cannot fail
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case `post-vanilla` of AWS's own test suite for signatures.
    #[test]
    fn signs_as_aws_does() {
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: &Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            region: "us-east-1",
            service: "service",
        };
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        assert_eq!(
            signer.authorization(&headers, b"", "20150830T123600Z"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
    }
}
