//! Enrolment: the key is made here, the token authenticates both ways, and only then the agent is somebody.

use anyhow::{Context, bail};
use windlass_protocol::Digest;
use windlass_protocol::ids::EnrolmentId;
use windlass_protocol::message::{ENROLMENT_ALPN, Enrol, EnrolAnswer, EnrolRefusal};
use windlass_protocol::token::{Token, TokenKind};
use windlass_sentences::{ExitKind, Fault};

use crate::configuration::{Configuration, is_address};
use crate::identity::{Membership, NewKeys};
use crate::link;

/// Enrols this machine. Returns the target's name.
pub async fn enrol(
    configuration: &Configuration,
    coordinator: &str,
    token: &str,
    fingerprint: Option<Digest>,
    name: Option<String>,
) -> anyhow::Result<String> {
    if !is_address(coordinator) {
        let text = format!("`{coordinator}` is no HOST:PORT, such as deploy.example.com:4433");
        return Err(Fault::usage(text).into());
    }
    let token = Token::parse(TokenKind::Enrolment, token).map_err(|why| Fault::usage(why.to_string()))?;
    let pinned = fingerprint.unwrap_or(token.fingerprint);
    if pinned != token.fingerprint {
        return Err(Fault::usage(format!(
            "the token is of another coordinator than the fingerprint: it carries {}",
            token.fingerprint
        ))
        .into());
    }
    let keys = NewKeys::prepare(&configuration.state_root)?;
    let message = Enrol {
        enrolment: EnrolmentId::from_bytes(token.id),
        secret: *token.secret,
        request: keys.request()?,
        sealing_key: keys.sealing_key(),
        name: name.map_or_else(host_name, Ok)?,
        advertised: configuration.advertised.clone(),
        isolation: configuration.isolation,
    };
    let link = link::connect(coordinator, pinned, None, ENROLMENT_ALPN).await?;
    let answer = link.exchange::<Enrol, EnrolAnswer>(&message).await;
    link.close();
    let enrolled = match answer.context("the coordinator did not answer the enrolment")? {
        EnrolAnswer::Enrolled(enrolled) => enrolled,
        EnrolAnswer::Refused(refusal) => return Err(refused(refusal).into()),
    };
    if Digest::of(&enrolled.authority) != pinned {
        bail!("the coordinator's CA is not the one of the token");
    }
    let membership = Membership {
        coordinator: coordinator.to_owned(),
        target: enrolled.target,
        name: enrolled.name.clone(),
        authority: data_encoding::BASE64.encode(&enrolled.authority),
        assignment_key: Digest::from_bytes(enrolled.assignment_key),
        sealing_key: Digest::from_bytes(enrolled.sealing_key),
    };
    keys.enrolled(&membership, &enrolled.certificate)?;
    Ok(enrolled.name)
}

/// What the coordinator says no with, and the exit code of it (SEMANTICS 12).
fn refused(refusal: EnrolRefusal) -> Fault {
    let kind = match refusal {
        EnrolRefusal::Unknown | EnrolRefusal::Used | EnrolRefusal::Expired | EnrolRefusal::MakerGone => {
            ExitKind::NotAuthorised
        }
        EnrolRefusal::NameTaken => ExitKind::Conflict,
        EnrolRefusal::BadName => ExitKind::Usage,
        EnrolRefusal::BadRequest | EnrolRefusal::Busy => ExitKind::Failed,
    };
    Fault::new(kind, refusal.to_string())
}

fn host_name() -> anyhow::Result<String> {
    let name = nix::unistd::gethostname().context("this machine has no host name; give one with --name")?;
    name.into_string()
        .map_err(|_| anyhow::anyhow!("this machine's host name is no text; give one with --name"))
}
