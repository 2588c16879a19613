//! `serve`: start in order, stop in order.
//!
//! Configuration, then the journal, then keys and identity, then the engine, and only then sockets. On a signal:
//! sockets first, then the engine, which ends when everything that was accepted is durable.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use windlass_coordinator_core::decide::{Command, SpaceCommand};
use windlass_packages::PackageStore;
use windlass_sentences::Fault;

use crate::configuration::Configuration;
use crate::data_folder;
use crate::deadlines;
use crate::descriptors;
use crate::engine::{Engine, Published, now, refuse_future};
use crate::http;
use crate::installation;
use crate::journal;
use crate::output::{self, Limits};
use crate::registry::Registry;
use crate::services::Services;
use crate::sessions::{self, Endpoint, RESETS_KEY, Sessions};
use crate::vault::{self, Vault};

/// How often what is over for long is looked for: nobody waits for it.
const TIDYING: Duration = Duration::from_secs(60);
/// How long the last record, and then the engine's end, is waited for.
const LAST: Duration = Duration::from_secs(1);

/// Serves until a signal, or until something fails that only a new process can put right: the journal cannot be written,
/// output has nobody who stores it, agents have no socket.
pub async fn serve(configuration: Configuration) -> anyhow::Result<()> {
    let data = &configuration.data;
    descriptors::raise();
    data_folder::expect(data)?;
    let replayed = journal::replay(data)?;
    let Some(fingerprint) = replayed.state.authority else {
        data_folder::refuse_remains(data)?;
        return Err(data_folder::holds_none(data).into());
    };
    let vault = Arc::new(Vault::new(vault::Embedded::open(data)?));
    let certificate = installation::certificate(data, fingerprint)?;
    let agent_seconds = configuration.agent_certificate_seconds;
    let authority = Arc::new(installation::unlock(&replayed.state, &vault, certificate, agent_seconds)?);
    if !configuration.accept_clock {
        refuse_future(replayed.state.time).map_err(Fault::usage)?;
    }
    tracing::info!(records = replayed.state.number, from = replayed.from, "journal replayed");
    let registry = Arc::new(Registry::default());
    let journal = installation::open_journal(data)?;
    let last_record = replayed.state.time;
    let (engine, ended) = Engine::start(journal, Some(data.clone()), replayed, published(&vault, &registry))?;
    // What a crash left of destroyed keys, or a backup brought back, goes before anybody can ask for it.
    vault.destroy_all(&engine.state());
    let packages = Arc::new(PackageStore::open(data.join("packages"))?);
    let limits = Limits::with_total(configuration.output_bytes);
    let output = Arc::new(output::Embedded::open(data, limits)?);
    let services = Services {
        vault: Arc::clone(&vault),
        authority: Arc::clone(&authority),
        packages,
        output: output.clone(),
        registry: Arc::clone(&registry),
        strangers: Arc::default(),
        data: data.clone(),
    };
    let strangers = configuration.strangers_at_once.into();
    // Before anybody comes: what was due while nobody served is no reason to deny an agent its own work.
    let served = deadlines::serve_again(&engine, last_record).await;
    let limits = sessions::Limits { pulls: configuration.pulls_at_once.into(), strangers };
    let sessions = Sessions::new(engine.clone(), services.clone(), limits)?;
    let endpoint = Endpoint::bind(configuration.quic, &authority, vault.harmless_key(RESETS_KEY))?;
    if endpoint.buffers.is_capped() {
        let buffers = endpoint.buffers;
        tracing::warn!(
            wanted = buffers.wanted,
            receive = buffers.receive,
            send = buffers.send,
            "the kernel caps the UDP socket's buffers; raise net.core.rmem_max and net.core.wmem_max"
        );
    }
    let operators =
        http::Server::bind(configuration.http, engine.clone(), services, &configuration.names, strangers)
            .await?;
    tracing::info!(quic = %endpoint.address()?, http = %operators.address(), "serving");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    let outcome = tokio::select! {
        why = Arc::clone(&sessions).serve(&endpoint) => Err(why),
        result = operators.serve() => result,
        () = deadlines::watch(&engine, &registry, served) => Ok(()),
        () = tidy(&engine, &vault) => Ok(()),
        result = told_to_stop() => result,
        result = journal_failed(&engine) => result,
        why = output.ended() => Err(why.into()),
    };
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    // Nobody is accepted any more. Who is being answered has a moment, at both doors at once.
    tokio::join!(endpoint.close(), operators.drained());
    if tokio::time::timeout(LAST, sessions.record_counts()).await.is_err() {
        tracing::warn!("the counts of the last minute could not be recorded");
    }
    // The engine ends when all that hold it are gone.
    drop((engine, sessions, operators, output));
    finish(outcome, ended).await
}

/// What follows from each new state before anybody is answered: destroyed keys are forgotten, and sessions wake.
fn published(vault: &Arc<Vault>, registry: &Arc<Registry>) -> Published {
    let (vault, registry) = (Arc::clone(vault), Arc::clone(registry));
    Box::new(move |before, after| {
        vault.forget_new(before, after);
        registry.wake_changed(before, after);
    })
}

/// Ends when a signal asks for it.
async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("told to stop"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
    }
    Ok(())
}

/// Ends when the engine's thread has: the process must not go on without its journal.
async fn journal_failed(engine: &Engine) -> anyhow::Result<()> {
    engine.ended().await;
    bail!("the engine has stopped")
}

async fn finish(outcome: anyhow::Result<()>, ended: crate::engine::Ended) -> anyhow::Result<()> {
    // Whoever did not end in time holds the engine; what it still asks for, the process ends with.
    let joined = tokio::task::spawn_blocking(move || ended.join());
    match tokio::time::timeout(LAST, joined).await {
        Ok(Ok(Ok(result))) => result.and(outcome),
        Ok(_) => outcome.and(Err(anyhow::anyhow!("the engine's thread panicked"))),
        Err(_) => outcome,
    }
    .context("the coordinator stopped")
}

/// Lets go of what is over for long: enrolment tokens, destroyed keys whose files could not be removed at once, and keys
/// that were made for commands which were refused.
async fn tidy(engine: &Engine, vault: &Arc<Vault>) {
    let mut ticks = tokio::time::interval(TIDYING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (vault, known) = (Arc::clone(vault), engine.clone());
        let removing = move || {
            vault.destroy_what_is_left();
            vault.discard_unnamed(|| known.state());
        };
        // A panic there is logged, and the next minute tries again.
        let _ = tokio::task::spawn_blocking(removing).await;
        let (state, moment) = (engine.state(), now());
        for (id, space) in &state.spaces {
            if space.enrolments.values().all(|token| token.leaves() >= moment) {
                continue;
            }
            let command = Command::Space(*id, SpaceCommand::ForgetEnrolments);
            if let Err(why) = engine.submit(Engine::own_envelope(), command).await {
                tracing::error!(%why, "expired enrolment tokens could not be let go");
            }
        }
    }
}
