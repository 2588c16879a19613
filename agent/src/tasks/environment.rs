//! What a step's processes work with: variables, an account, folders.

use std::sync::Arc;

use windlass_protocol::message::RunWork;
use windlass_supervisor::Account;

use super::folders::{self, Folders};
use super::variables::Variables;
use super::{TaskContext, accounts};

/// What a step's processes work with.
pub(super) struct StepEnvironment {
    pub(super) variables: Arc<Variables>,
    pub(super) account: Option<Account>,
    pub(super) folders: Folders,
}

pub(super) async fn prepare(
    context: &TaskContext,
    work: &RunWork,
    variables: Variables,
) -> anyhow::Result<StepEnvironment> {
    let configuration = context.agent.configuration.clone();
    let (assignment, work) = (context.assignment.clone(), work.clone());
    let prepared = tokio::task::spawn_blocking(move || {
        let place = &assignment.path;
        let root = &configuration.install_root;
        let home = folders::tenant_folder(root, place).join(".home");
        let account = accounts::account(configuration.isolation, place, &home)?;
        let folders = folders::prepare(root, place, &work, assignment.id, account)?;
        anyhow::Ok((account, folders))
    });
    let (account, folders) = prepared.await??;
    Ok(StepEnvironment { variables: Arc::new(variables), account, folders })
}
