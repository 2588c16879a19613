//! Making an installation: keys, the CA, and the journal's first record (SURFACE, `init`). And the way back in for who
//! has the coordinator's machine: a fresh administrator's token.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustls_pki_types::CertificateDer;
use windlass_coordinator_core::decide::{Command, decide};
use windlass_coordinator_core::event::Actor;
use windlass_coordinator_core::state::State;
use windlass_protocol::Digest;
use windlass_protocol::ids::{KeyId, TokenId};
use windlass_protocol::token::{Token, TokenKind};
use windlass_segments::{SegmentError, disk};
use windlass_sentences::{ExitKind, Fault};
use zeroize::Zeroizing;

use crate::authority::Authority;
use crate::data_folder;
use crate::engine::{Engine, random, random_bytes};
use crate::journal::{self, Appended, Embedded, Head, Journal, Replayed, encode};
use crate::sessions;
use crate::vault::{self, Vault, VaultError};

/// Opens the journal in `data` for writing. The usual reason why not is another coordinator that runs.
pub fn open_journal(data: &Path) -> anyhow::Result<Embedded> {
    Embedded::open(data).map_err(|why| match why {
        SegmentError::Locked { .. } => {
            let text = format!("another coordinator runs on the data folder {}", data.display());
            Fault::new(ExitKind::Conflict, text).into()
        }
        other => other.into(),
    })
}

/// Makes an installation in `data` and returns the first administrator's token, which is shown once and kept nowhere.
/// The journal's first record is what makes it one: interrupted before, it is simply made again. Its lock is held from
/// before the first key is made, so that of two who try at once none writes over the other's keys.
pub fn init(data: &Path) -> anyhow::Result<Zeroizing<String>> {
    if !data_folder::has_journal(data)? {
        data_folder::refuse_foreign(data)?;
    }
    disk::create_durable_folder(data)
        .map_err(|why| data_folder::refused("make the data folder", data, &why))?;
    // Before there is a journal: where only that is lost, none is begun.
    expect_none(data)?;
    let mut journal = open_journal(data)?;
    // Who had the lock before may have made one.
    let replayed = expect_none(data)?;
    let vault = Vault::new(vault::Embedded::create(data)?);
    let authority = Authority::create(&vault)?;
    vault::write_private(&certificate_file(data), authority.certificate())?;
    let (token, command) = first(&vault, &authority)?;
    record(&mut journal, &replayed, &command)?;
    Ok(token.to_text())
}

/// Refuses where `data` holds an installation, or what is left of one.
fn expect_none(data: &Path) -> anyhow::Result<Replayed> {
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
    data_folder::refuse_remains(data)?;
    Ok(replayed)
}

/// Makes the keys of a new installation, and what its first record is made of: the token is the first administrator's.
pub(crate) fn first(vault: &Vault, authority: &Authority) -> anyhow::Result<(Token, Command)> {
    for name in sessions::OWN_KEYS {
        vault.keep(name, Zeroizing::new(random::<32>()).as_slice())?;
    }
    // A start makes it where it is not there; made here, none has to write a key.
    vault.keep(sessions::RESETS_KEY, Zeroizing::new(random::<32>()).as_slice())?;
    let key = KeyId::from_bytes(random());
    vault.make(&[key])?;
    let token = fresh(authority.fingerprint());
    let secret = (TokenId::from_bytes(token.id), token.secret_digest());
    let command = Command::Initialise { authority: authority.fingerprint(), token: secret, key };
    Ok((token, command))
}

fn certificate_file(data: &Path) -> PathBuf {
    data.join("authority.der")
}

/// The CA's certificate, which is public and lies beside the keys: the one with this fingerprint, which the journal began
/// with.
pub fn certificate(data: &Path, fingerprint: Digest) -> Result<CertificateDer<'static>, VaultError> {
    let path = certificate_file(data);
    let bytes = fs::read(&path).map_err(|source| VaultError::unread(path.display(), source))?;
    if Digest::of(&bytes) != fingerprint {
        return Err(VaultError::Unusable {
            place: path.display().to_string(),
            why: "is damaged, or another installation's; restore it from a backup",
        });
    }
    Ok(CertificateDer::from(bytes))
}

/// Opens the CA of the installation whose state this is, when every key is there without which there is no start: the
/// CA's, the coordinator's own, and each space's. One of a tenant is missed where it is used, and by nobody else.
pub(crate) fn unlock(
    state: &State,
    vault: &Vault,
    certificate: CertificateDer<'static>,
    agent_seconds: u64,
) -> anyhow::Result<Authority> {
    let authority = Authority::open(vault, certificate, agent_seconds)?;
    anyhow::ensure!(
        state.authority == Some(authority.fingerprint()),
        "the CA's certificate is not the one that the journal began with"
    );
    for name in sessions::OWN_KEYS {
        vault.own_key(name)?;
    }
    for space in state.spaces.values() {
        vault.expect(space.head.key)?;
    }
    Ok(authority)
}

/// Makes another administrator's token in `data`, while no coordinator runs on it. It descends from no other token, so
/// that the first one, which may never have been seen, can be deleted; and it does not expire.
pub fn administrator(data: &Path, name: &str) -> anyhow::Result<Zeroizing<String>> {
    data_folder::expect(data)?;
    data_folder::expect_owner(data)?;
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
    let command = Command::CreateAdministrator { name: name.to_owned(), token: secret };
    record(&mut open(data, &replayed)?, &replayed, &command)?;
    Ok(token.to_text())
}

fn fresh(fingerprint: Digest) -> Token {
    Token { kind: TokenKind::Api, id: random(), secret: Zeroizing::new(random()), fingerprint }
}

/// Opens the journal for writing: its lock makes sure that what was replayed is no old story.
fn open(data: &Path, replayed: &Replayed) -> anyhow::Result<Embedded> {
    let journal = open_journal(data)?;
    anyhow::ensure!(
        journal.durable() == replayed.state.number,
        "another coordinator wrote to {} at this moment; try again",
        data.display()
    );
    Ok(journal)
}

/// Decides a command of who has the coordinator's machine, and makes it durable.
pub(crate) fn record(
    journal: &mut impl Journal,
    replayed: &Replayed,
    command: &Command,
) -> anyhow::Result<()> {
    let decided = decide(&replayed.state, &Engine::envelope(Actor::Installer, None), command);
    let decision = decided.map_err(|problem| Fault::new(problem.kind.exit(), problem.message))?;
    let record = decision.record.context("a token comes with a record")?;
    let (line, hash) = encode(&record, replayed.head, random_bytes);
    let head = Head { number: replayed.state.number, hash: replayed.head };
    journal.append(head, &[Appended { line, hash }])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::AGENT_SECONDS;
    use crate::journal::{GENESIS, InMemory};
    use crate::vault::KeyName;

    #[test]
    fn who_makes_an_installation_has_its_journal_before_it_makes_a_key() {
        windlass_trust::install_provider();
        let place = tempfile::tempdir().unwrap();
        let other = open_journal(place.path()).unwrap();
        let why = init(place.path()).unwrap_err();
        assert!(why.to_string().contains("another coordinator runs"), "{why}");
        let left: Vec<_> =
            fs::read_dir(place.path()).unwrap().map(|left| left.unwrap().file_name()).collect();
        assert_eq!(left, ["journal"]);
        drop(other);
        init(place.path()).unwrap();
    }

    #[test]
    fn of_many_who_make_an_installation_at_once_one_does_and_it_is_whole() {
        windlass_trust::install_provider();
        for _ in 0..4 {
            let place = tempfile::tempdir().unwrap();
            let (data, together) = (place.path().join("data"), std::sync::Barrier::new(3));
            let made = std::thread::scope(|threads| {
                let making = || {
                    threads.spawn(|| {
                        together.wait();
                        init(&data)
                    })
                };
                [making(), making(), making()].map(|made| made.join().unwrap())
            });
            let whole = made.iter().flatten().count();
            assert_eq!(whole, 1, "{:?}", made.map(|made| made.err().map(|why| format!("{why:#}"))));
            let state = journal::replay(&data).unwrap().state;
            let vault = Vault::new(vault::Embedded::open(&data).unwrap());
            let certificate = certificate(&data, state.authority.unwrap()).unwrap();
            unlock(&state, &vault, certificate, AGENT_SECONDS).map(drop).unwrap();
        }
    }

    #[test]
    fn where_only_the_journal_is_lost_nothing_is_made() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("packages")).unwrap();
        for _ in 0..2 {
            let why = init(place.path()).unwrap_err();
            assert!(why.to_string().contains("is left of an installation"), "{why}");
            assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn without_a_key_that_all_rests_on_there_is_no_start_and_its_name_is_told() {
        windlass_trust::install_provider();
        let (keys, mut journal) = (vault::InMemory::default(), InMemory::default());
        let vault = Vault::new(keys.clone());
        let authority = Authority::create(&vault).unwrap();
        let (_, command) = first(&vault, &authority).unwrap();
        let nothing = Replayed::nothing();
        record(&mut journal, &nothing, &command).unwrap();
        let mut state = State::default();
        let lines = journal.lines();
        state.apply(&journal::Line::read(&lines[0], GENESIS).unwrap().parse().unwrap()).unwrap();
        let start = |keys: &vault::InMemory| {
            let vault = Vault::new(keys.clone());
            unlock(&state, &vault, authority.certificate().clone(), AGENT_SECONDS).map(drop)
        };
        start(&keys).unwrap();
        vault.make(&[KeyId::from_bytes([1; 16])]).unwrap();
        let space = state.spaces.values().next().unwrap().head.key;
        let mut refused = Vec::new();
        for name in keys.names() {
            let secret = vault::Keys::read(&keys, name).unwrap();
            keys.lose(name);
            if let Err(why) = start(&keys) {
                assert_eq!(why.to_string(), format!("{name} is missing; restore it from a backup"));
                refused.push(name);
            }
            match name {
                KeyName::Own(name) => vault::Keys::keep(&keys, name, &secret).unwrap(),
                KeyName::Data(id) => {
                    let key = secret.as_slice().try_into().map(Zeroizing::new).unwrap();
                    vault::Keys::make(&keys, &[(id, key)]).unwrap();
                }
            }
        }
        let own = ["assignment-signing", "authority", "output-sealing"].map(KeyName::Own);
        assert_eq!(refused, [&own[..], &[KeyName::Data(space)]].concat());
        let other = Authority::create(&Vault::new(vault::InMemory::default())).unwrap();
        let vault = Vault::new(keys);
        let why = unlock(&state, &vault, other.certificate().clone(), AGENT_SECONDS).err().unwrap();
        assert!(why.to_string().contains("is not the one that the journal began with"), "{why}");
    }
}
