//! An agent's side of the protocol, spoken by a test: whatever a real agent would never say can be said.

use std::path::Path;

use windlass_agent::identity::Identity;
use windlass_agent::link::{self, ControlReceiver, ControlSender, Credentials, Link};
use windlass_protocol::message::{
    Advertised, FromCoordinator, Hello, Isolation, SESSION_ALPN, VERSION, Welcome,
};

/// A session of an enrolled machine.
pub struct Session {
    /// Where requests are asked.
    pub link: Link,
    /// What the coordinator said first.
    pub welcome: Welcome,
    /// What it says after that.
    pub replies: ControlReceiver,
    /// Open as long as the session.
    pub control: ControlSender,
}

/// A connection with a machine's certificate and key, and nothing said yet.
pub async fn connect(state: &Path) -> anyhow::Result<Link> {
    let identity = Identity::read(state)?;
    let credentials = Credentials { certificate: identity.certificate()?, key: identity.key() };
    let address = identity.membership.coordinator.clone();
    link::connect(&address, identity.fingerprint()?, Some(&credentials), SESSION_ALPN).await
}

/// What an honest agent says first.
pub fn hello() -> Hello {
    Hello {
        lowest: VERSION,
        highest: VERSION,
        agent_version: "test".to_owned(),
        advertised: Advertised::default(),
        isolation: Isolation::Accounts,
        generation: None,
        unfinished: Vec::new(),
    }
}

/// A session of the machine whose state lies there, with the coordinator's welcome.
pub async fn session(state: &Path) -> anyhow::Result<Session> {
    let link = connect(state).await?;
    let (control, mut replies) = link.hello(&hello()).await?;
    match replies.next().await? {
        FromCoordinator::Welcome(welcome) => Ok(Session { link, welcome: *welcome, replies, control }),
        other => anyhow::bail!("the coordinator said {other:?}"),
    }
}

/// A runtime for a test that is a function.
pub fn runtime() -> tokio::runtime::Runtime {
    windlass_trust::install_provider();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
