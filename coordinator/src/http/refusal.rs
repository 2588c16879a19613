//! A problem as an HTTP answer.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use windlass_api::error::{Problem, ProblemKind};

/// A refused or failed request: a problem, and the status that it is answered with.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    problem: Problem,
}

/// What handlers return.
pub type Answer<T> = Result<Json<T>, Refusal>;

impl Refusal {
    /// Nobody knows who asks. The same for no token, an unknown one, a wrong one and an expired one.
    pub fn unknown_caller() -> Self {
        let text = "a valid token is needed; it is sent as `Authorization: Bearer wlt_…`";
        let problem = Problem::new(ProblemKind::NotAuthorised, text);
        Self { status: StatusCode::UNAUTHORIZED, problem }
    }

    /// The token is good, but not for this.
    pub fn not_allowed() -> Self {
        Problem::new(ProblemKind::NotAuthorised, "this token may read, but not change anything").into()
    }

    /// The body is larger than anything that is meant here.
    pub fn too_large(most: u64) -> Self {
        let problem =
            Problem::usage(format!("the body is too large; at most {most} bytes are accepted here"));
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, problem }
    }

    /// The body does not come.
    pub fn too_slow() -> Self {
        let problem = Problem::failed("the body came too slowly; send it again");
        Self { status: StatusCode::REQUEST_TIMEOUT, problem }
    }

    /// The token has more of this under way than is done at once.
    pub fn too_much_at_once() -> Self {
        let text =
            "busy: this token asks for too much of this at once; ask again when some of it is answered";
        Self { status: StatusCode::TOO_MANY_REQUESTS, problem: Problem::failed(text) }
    }

    /// All tokens together ask for more of this than is done at once.
    pub fn busy() -> Self {
        let problem = Problem::failed("busy: too much of this is asked for at once; ask again in a moment");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, problem }
    }

    /// There will be no answer from this process.
    pub fn stopping() -> Self {
        let problem = Problem::failed("the coordinator is stopping; try again");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, problem }
    }

    /// No such path, or not with this method.
    pub fn nothing_here(status: StatusCode) -> Self {
        Self {
            status,
            problem: Problem::not_found(
                "the API has no such path with this method; see /api/v1/openapi.json",
            ),
        }
    }

    /// Whether it was decided, and not for want of a disk or of who decides.
    pub fn is_of_the_decision(&self) -> bool {
        !self.problem.kind.is_of_the_moment()
    }

    /// Something broke that the caller can do nothing about. What, is logged and not told.
    pub fn internal(what: &str, why: &dyn std::fmt::Display) -> Self {
        tracing::error!(what, %why, "a request failed");
        let problem = Problem::failed(format!("{what} failed inside the coordinator; its log tells why"));
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, problem }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, problem }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
