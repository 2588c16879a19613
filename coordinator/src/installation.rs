//! Making an installation: keys, the CA, and the journal's first record (SURFACE, `init`).

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use windlass_coordinator_core::decide::{Command, decide};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::ids::{KeyId, TokenId};
use windlass_protocol::token::{Token, TokenKind};
use windlass_segments::SegmentError;
use windlass_sentences::{ExitKind, Fault};
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::engine::{Engine, random};
use crate::journal::{self, Journal};
use crate::vault::Vault;

/// Says so where `data` holds no installation. Nothing is made there.
pub fn expect(data: &Path) -> Result<(), Fault> {
    if journal::folder(data).is_dir() {
        return Ok(());
    }
    let said = data.display();
    Err(Fault::usage(format!(
        "{said} holds no installation; make one with `windlass-coordinator init --data {said}`"
    )))
}

/// What opening the journal for writing says. The usual reason is another coordinator that runs.
pub(crate) fn in_use(data: &Path, why: SegmentError) -> anyhow::Error {
    match why {
        SegmentError::Locked { .. } => {
            let text = format!("another coordinator runs on the data folder {}", data.display());
            Fault::new(ExitKind::Conflict, text).into()
        }
        other => other.into(),
    }
}

/// Makes an installation in `data` and returns the first administrator's token, which is shown once and kept nowhere.
/// The journal's first record is what makes it one: interrupted before, it is simply made again.
pub fn init(data: &Path) -> anyhow::Result<Zeroizing<String>> {
    let folder = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    folder(data).with_context(|| format!("cannot make the data folder {}", data.display()))?;
    let replayed = journal::replay(data)?;
    if replayed.state.authority.is_some() {
        return Err(Fault::new(
            ExitKind::Conflict,
            format!(
                "{} holds an installation already; its first token was printed when it was made",
                data.display()
            ),
        )
        .into());
    }
    let vault = Vault::create(data)?;
    let authority = Authority::create(data, &vault)?;
    let token = Token {
        kind: TokenKind::Api,
        id: random(),
        secret: Zeroizing::new(random()),
        fingerprint: authority.fingerprint(),
    };
    let command = Command::Initialise {
        authority: authority.fingerprint(),
        token: (TokenId::from_bytes(token.id), token.secret_digest()),
        key: KeyId::from_bytes(random()),
    };
    let decision = decide(&replayed.state, &Engine::envelope(Actor::Installer, None), &command)?;
    let record = decision.record.context("an installation begins with a record")?;
    let mut journal = Journal::open(data, replayed.head).map_err(|why| in_use(data, why))?;
    journal.append(&record, random())?;
    journal.sync()?;
    Ok(token.to_text())
}
