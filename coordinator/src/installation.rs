//! Making an installation: keys, the CA, and the journal's first record (SURFACE, `init`). And the way back in for who
//! has the coordinator's machine: a fresh administrator's token.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;
use windlass_coordinator_core::decide::{Command, decide};
use windlass_coordinator_core::event::Actor;
use windlass_protocol::Digest;
use windlass_protocol::ids::{KeyId, TokenId};
use windlass_protocol::token::{Token, TokenKind};
use windlass_segments::{SegmentError, disk};
use windlass_sentences::{ExitKind, Fault};
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::engine::{Engine, random, random_bytes};
use crate::journal::{self, Appended, Embedded, Head, Journal, Replayed, encode};
use crate::sessions;
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
    disk::create_durable_folder(data)
        .with_context(|| format!("cannot make the data folder {}", data.display()))?;
    let replayed = journal::replay(data)?;
    if replayed.state.authority.is_some() {
        return Err(Fault::new(
            ExitKind::Conflict,
            format!(
                "{said} holds an installation already; its first token was printed when it was made, and \
                 `windlass-coordinator administrator --data {said} --name NAME` makes another one",
                said = data.display()
            ),
        )
        .into());
    }
    let vault = Vault::create(data)?;
    let authority = Authority::create(data, &vault)?;
    for name in sessions::OWN_KEYS {
        vault.keep(name, Zeroizing::new(random::<32>()).as_slice())?;
    }
    vault.harmless_key(sessions::RESETS_KEY)?;
    let key = KeyId::from_bytes(random());
    vault.make(&[key])?;
    let token = fresh(authority.fingerprint());
    let command = Command::Initialise {
        authority: authority.fingerprint(),
        token: (TokenId::from_bytes(token.id), token.secret_digest()),
        key,
    };
    record(data, &replayed, &command)?;
    Ok(token.to_text())
}

/// Makes another administrator's token in `data`, while no coordinator runs on it. It descends from no other token, so
/// that the first one, which may never have been seen, can be deleted; and it does not expire.
pub fn administrator(data: &Path, name: &str) -> anyhow::Result<Zeroizing<String>> {
    expect(data)?;
    expect_owner(data)?;
    let replayed = journal::replay(data)?;
    let Some(authority) = replayed.state.authority else {
        let said = data.display();
        let text = format!(
            "the making of the installation in {said} was interrupted; go on with \
             `windlass-coordinator init --data {said}`"
        );
        return Err(Fault::usage(text).into());
    };
    let token = fresh(authority);
    let secret = (TokenId::from_bytes(token.id), token.secret_digest());
    record(data, &replayed, &Command::CreateAdministrator { name: name.to_owned(), token: secret })?;
    Ok(token.to_text())
}

/// What another user than the owner writes into the journal's folder, the coordinator could not open any more.
fn expect_owner(data: &Path) -> anyhow::Result<()> {
    let journal = journal::folder(data);
    let owner = fs::metadata(&journal).with_context(|| format!("cannot read {}", journal.display()))?.uid();
    // The owner of a process's own folder below /proc is whom it acts as.
    let own = fs::metadata("/proc/self").context("cannot read /proc/self")?.uid();
    if owner == own {
        return Ok(());
    }
    let said = data.display();
    Err(Fault::usage(format!(
        "{said} belongs to the user with the id {owner}; run this as that user, not as the one with the id {own}"
    ))
    .into())
}

fn fresh(fingerprint: Digest) -> Token {
    Token { kind: TokenKind::Api, id: random(), secret: Zeroizing::new(random()), fingerprint }
}

/// Decides a command of who has the coordinator's machine, and makes it durable.
fn record(data: &Path, replayed: &Replayed, command: &Command) -> anyhow::Result<()> {
    // The lock comes first: who else writes would make what was replayed an old story.
    let mut journal = Embedded::open(data).map_err(|why| in_use(data, why))?;
    let durable = journal.durable();
    anyhow::ensure!(
        durable == replayed.state.number,
        "another coordinator wrote to {} at this moment; try again",
        data.display()
    );
    let decided = decide(&replayed.state, &Engine::envelope(Actor::Installer, None), command);
    let decision = decided.map_err(|problem| Fault::new(problem.kind.exit(), problem.message))?;
    let record = decision.record.context("a token comes with a record")?;
    let (line, hash) = encode(&record, replayed.head, random_bytes);
    let head = Head { number: durable, hash: replayed.head };
    journal.append(head, &[Appended { line, hash }])?;
    Ok(())
}
