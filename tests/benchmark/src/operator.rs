//! What an operator does: an open connection to the API, and commands.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use rustls::crypto::CryptoProvider;
use serde_json::Value;
use windlass_protocol::token::{Token, TokenKind};
use windlass_tests::installation::Installation;
use windlass_trust::PinnedAuthority;

/// A connection to the API that stays open.
pub struct Operator {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Operator {
    /// A connection that is opened by the first request.
    pub fn new(installation: &Installation) -> anyhow::Result<Self> {
        let provider = CryptoProvider::get_default().context("main installs a provider")?;
        let token = Token::parse(TokenKind::Api, installation.token())?;
        let tls = rustls::ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(PinnedAuthority::new(token.fingerprint, provider))
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?;
        let base = format!("https://{}/api/v1", installation.http());
        Ok(Self { http, base, token: installation.token().to_owned() })
    }

    /// A request, ready to be sent.
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<reqwest::Request> {
        let request = self.http.post(format!("{}/{path}", self.base)).bearer_auth(&self.token).json(body);
        Ok(request.build()?)
    }

    /// Sends it; anything but a success is an error.
    pub async fn send(&self, request: reqwest::Request) -> anyhow::Result<()> {
        let answer = self.http.execute(request).await?;
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "{status}: {}", answer.text().await?);
        Ok(())
    }
}

/// A token with which `uses` machines enrol for the role `web` in an environment.
pub fn enrolment(installation: &Installation, environment: &str, uses: usize) -> String {
    let uses = uses.to_string();
    let scope = ["enrolment", "create", "--environment", environment, "--role", "web"];
    let answer = installation.windlass(&[&scope[..], &["--uses", &uses, "-o", "json"]].concat());
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["token"].as_str().expect("the answer has a token").to_owned()
}

/// A file of random bytes.
pub fn random_file(path: &Path, bytes: u64) -> anyhow::Result<()> {
    let mut random = File::open("/dev/urandom")?.take(bytes);
    std::io::copy(&mut random, &mut File::create(path)?)?;
    Ok(())
}
