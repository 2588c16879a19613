//! The coordinator's API, as this command calls it.

mod contexts;
mod token;
mod transport;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_api::error::{Problem, ProblemKind};
use windlass_protocol::Secret;

pub use contexts::{Contexts, StoredContext};
pub use token::{checked as checked_token, read_token};

use crate::failure::Failure;

/// A server that says nothing for so long is gone. Streams say something every 15 seconds.
const QUIET: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(10);

/// Where to connect, and as whom.
pub struct Target {
    /// The coordinator's address.
    pub server: String,
    pub token: Secret,
    /// The space, where it is not the first one.
    pub space: Option<String>,
    /// Certificates to trust instead of the one that the token names.
    pub authorities: Option<PathBuf>,
}

/// A way to a coordinator.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Secret,
    space: Option<String>,
}

/// Parameters after the `?`; what is `None` is left out.
pub type Query<'a> = &'a [(&'a str, Option<String>)];

impl Client {
    /// A client for a coordinator. It connects when it is first used.
    pub fn new(target: Target) -> Result<Self, Failure> {
        let base = transport::base(&target.server)?;
        let http = transport::build(&base, &target.token, target.authorities.as_deref(), CONNECT, QUIET)?;
        Ok(Self { http, base, token: target.token, space: target.space })
    }

    /// The address that the client talks to.
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The address of something: the segments may hold anything, each stays one.
    fn url(&self, path: &[&str], query: Query<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        let space = [("space", self.space.clone())];
        for (name, value) in query.iter().chain(&space) {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }

    /// A request, unless a name in its path is empty, which would ask for something else.
    fn request(&self, method: Method, path: &[&str], query: Query<'_>) -> Result<RequestBuilder, Failure> {
        if path.contains(&"") {
            return Err(Failure::usage("a name is empty; give a name, slug or id"));
        }
        Ok(self.http.request(method, self.url(path, query)).bearer_auth(self.token.reveal()))
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = self.send(request).await?;
        let body = response.bytes().await.map_err(|why| self.unreachable(&why))?;
        serde_json::from_slice(&body).map_err(|why| {
            let server = self.server();
            Failure::failed(format!(
                "{server} answered something that this version of windlass does not know: {why}"
            ))
        })
    }

    /// Sends a request; anything but a success is a failure.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|why| self.unreachable(&why))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(|why| self.unreachable(&why))?;
        Err(problem(self.server(), status, &body).into())
    }

    fn unreachable(&self, why: &reqwest::Error) -> Failure {
        Failure::Unreachable(format!("cannot reach {}: {}", self.server(), transport::cause(why)))
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str], query: Query<'_>) -> Result<T, Failure> {
        self.answer(self.request(Method::GET, path, query)?).await
    }

    /// Asks for something to be done.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.answer(self.request(Method::POST, path, &[])?.json(body)).await
    }

    /// Sets something.
    pub async fn put<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<T, Failure> {
        self.answer(self.request(Method::PUT, path, &[])?.json(body)).await
    }

    /// Changes a part of something.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.answer(self.request(Method::PATCH, path, &[])?.json(body)).await
    }

    /// Deletes something.
    pub async fn delete(&self, path: &[&str]) -> Result<(), Failure> {
        let _: windlass_api::answers::Done = self.answer(self.request(Method::DELETE, path, &[])?).await?;
        Ok(())
    }

    /// Sends a body of this many bytes.
    pub async fn upload<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: Query<'_>,
        body: reqwest::Body,
        bytes: u64,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, path, query)?;
        let request =
            request.header("content-length", bytes).header("content-type", "application/octet-stream");
        self.answer(request.body(body)).await
    }

    /// Reads something that comes bit by bit.
    pub async fn stream(&self, path: &[&str], query: Query<'_>) -> Result<Response, Failure> {
        self.send(self.request(Method::GET, path, query)?).await
    }
}

/// What an answer that is no success says.
fn problem(server: &str, status: StatusCode, body: &[u8]) -> Problem {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        if status == StatusCode::UNAUTHORIZED {
            let text = format!(
                "{server} does not accept the token: it is unknown or expired; log in with a new one"
            );
            return Problem::new(ProblemKind::NotAuthorised, text);
        }
        return problem;
    }
    let text =
        format!("{server} answered {status} and nothing that a coordinator says; is the address right?");
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Problem::new(ProblemKind::NotAuthorised, text),
        StatusCode::NOT_FOUND => Problem::not_found(text),
        _ => Problem::failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        windlass_trust::install_provider();
        let token = windlass_protocol::token::Token {
            kind: windlass_protocol::token::TokenKind::Api,
            id: [1; 16],
            secret: zeroize::Zeroizing::new([2; 32]),
            fingerprint: windlass_protocol::Digest::of("ca"),
        };
        let token = Secret::new(token.to_text().to_string());
        let server = "https://deploy.example.com:8443/".to_owned();
        Client::new(Target { server, token, space: Some("A & B".to_owned()), authorities: None }).unwrap()
    }

    #[test]
    fn a_name_stays_one_segment_whatever_it_holds() {
        let url = client().url(
            &["definitions", "tenant", "A/B ../ü?x"],
            &[("limit", Some("1".to_owned())), ("after", None)],
        );
        let expected = "https://deploy.example.com:8443/api/v1/definitions/tenant/A%2FB%20..%2F%C3%BC%3Fx?limit=1&space=A+%26+B";
        assert_eq!(url.as_str(), expected);
    }

    #[test]
    fn an_answer_that_is_no_problem_is_told_with_its_status() {
        let text = problem("https://x", StatusCode::BAD_GATEWAY, b"<html>").message;
        assert_eq!(
            text,
            "https://x answered 502 Bad Gateway and nothing that a coordinator says; is the address right?"
        );
        let known = serde_json::to_vec(&Problem::conflict("no")).unwrap();
        assert_eq!(problem("https://x", StatusCode::CONFLICT, &known), Problem::conflict("no"));
    }
}
