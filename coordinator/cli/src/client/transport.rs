//! The connection: where to, and whom to trust.
//!
//! The token names the coordinator's CA by its fingerprint, so that nothing else has to be copied. Who brings a
//! certificate of their own names its authorities with `WINDLASS_CA`.

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Url};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use windlass_protocol::Secret;
use windlass_protocol::token::{Token, TokenKind};
use windlass_trust::{ClockDisagrees, PinnedAuthority};

use crate::failure::Failure;

/// The address as an URL. Without a scheme, `https` is meant; without TLS, a token goes nowhere but to this machine.
pub fn base(server: &str) -> Result<Url, Failure> {
    let text = if server.contains("://") { server.to_owned() } else { format!("https://{server}") };
    let wrong =
        || Failure::usage(format!("`{server}` is no address; write it as https://deploy.example.com:8443"));
    let url = Url::parse(&text).map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) => Ok(url),
        "http" => Err(Failure::usage(format!("`{server}` would send the token unprotected; use https://"))),
        _ => Err(wrong()),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The client, which trusts who it should.
pub fn build(
    base: &Url,
    token: &Secret,
    authorities: Option<&Path>,
    connect: Duration,
    quiet: Duration,
) -> Result<reqwest::Client, Failure> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        .read_timeout(quiet)
        .redirect(reqwest::redirect::Policy::none());
    let builder = match authorities {
        Some(path) => builder.tls_certs_only(certificates(path)?),
        None => builder.tls_backend_preconfigured(pinned(token)?),
    };
    // A token for this machine's own server must not go through anybody's proxy.
    let builder = if base.host_str().is_some_and(is_loopback) { builder.no_proxy() } else { builder };
    builder.build().map_err(|why| Failure::failed(format!("cannot set up TLS: {}", cause(&why))))
}

fn pinned(token: &Secret) -> Result<ClientConfig, Failure> {
    let token =
        Token::parse(TokenKind::Api, token.reveal()).map_err(|why| Failure::usage(why.to_string()))?;
    let provider =
        CryptoProvider::get_default().ok_or_else(|| Failure::failed("there is no cryptography"))?;
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|why| Failure::failed(format!("cannot set up TLS: {why}")))?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(PinnedAuthority::new(token.fingerprint, provider))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let wrong = |why: String| Failure::usage(format!("WINDLASS_CA: {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|why| wrong(why.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&bytes).map_err(|why| wrong(cause(&why)))?;
    if certificates.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(certificates)
}

/// The root of an error: what a person can do something about.
pub fn cause(error: &reqwest::Error) -> String {
    let mut last: &(dyn Error + 'static) = error;
    while let Some(next) = last.source() {
        last = next;
    }
    if let Some(disagrees) = tls(last).and_then(ClockDisagrees::of) {
        return disagrees.to_string();
    }
    let text = last.to_string();
    if text.contains("invalid peer certificate") {
        return "it does not prove to be the coordinator that the token is for".to_owned();
    }
    if text.starts_with("invalid HTTP") {
        return "what answers there does not speak HTTP; write the address with https://".to_owned();
    }
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    text
}

/// What TLS refused. Errors of the system that wrap it are not its sources.
fn tls<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    while let Some(inner) = error.downcast_ref().and_then(std::io::Error::get_ref) {
        error = inner;
    }
    error.downcast_ref()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use windlass_protocol::Digest;
    use windlass_protocol::message::COORDINATOR_NAME;
    use zeroize::Zeroizing;

    use super::*;

    /// A token of the coordinator with this CA.
    fn of(authority: &[u8]) -> Token {
        let (id, secret, fingerprint) = ([1; 16], Zeroizing::new([2; 32]), Digest::of(authority));
        Token { kind: TokenKind::Api, id, secret, fingerprint }
    }

    /// A server whose certificate is good from then on for so many days.
    async fn served(begins: std::time::SystemTime, days: u32) -> (String, Token) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let authority = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new([COORDINATOR_NAME.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = begins.into();
        params.not_after = (begins + Duration::from_secs(24 * 3600) * days).into();
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &issuer).unwrap().der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let token = of(&authority);
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![leaf, authority], key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = acceptor.accept(stream).await;
            }
        });
        (address, token)
    }

    #[tokio::test]
    async fn a_certificate_that_has_ended_is_said_with_both_times_and_not_as_anothers() {
        windlass_trust::install_provider();
        let year_2001 = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let (address, token) = served(year_2001, 30).await;
        let asked = |token: Token| {
            let base = base(&address).unwrap();
            let second = Duration::from_secs(30);
            let secret = Secret::new(token.to_text().to_string());
            build(&base, &secret, None, second, second).unwrap().get(base).send()
        };
        let why = cause(&asked(token).await.unwrap_err());
        let ended = "but the coordinator's certificate is good until 2001-10-09T01:46:40Z; one of the two machines has a \
                     wrong clock";
        assert!(why.starts_with("it is 2") && why.ends_with(ended), "{why}");
        let why = cause(&asked(of(b"another CA")).await.unwrap_err());
        assert_eq!(why, "it does not prove to be the coordinator that the token is for");
    }

    #[test]
    fn a_token_goes_unprotected_nowhere_but_to_this_machine() {
        for server in
            ["deploy.example.com", "https://deploy.example.com:8443", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            assert!(base(server).is_ok(), "{server}");
        }
        assert_eq!(
            base("deploy:8443").map(|url| url.to_string()).ok(),
            Some("https://deploy:8443/".to_owned())
        );
        for server in
            ["http://deploy.example.com", "http://127.0.0.1.example.com", "ftp://x", "https://", "a b"]
        {
            let failure = base(server).expect_err(server);
            assert_eq!(failure.exit_code(), 2, "{server}: {failure}");
        }
    }
}
