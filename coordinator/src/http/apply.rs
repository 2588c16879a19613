//! `apply` and `export`, and what tenants' edits have in common with them.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{ApplyAnswer, Documents};
use windlass_api::error::Problem;
use windlass_api::requests::ApplyRequest;
use windlass_coordinator_core::decide::{Reply, SpaceCommand};

use super::caller::{Changer, Reader};
use super::extract::{Asked, LargeBody};
use super::refusal::{Answer, Refusal};
use super::{documents, seal};

/// Applies documents, all or nothing.
#[utoipa::path(post, path = "/apply", tag = "documents", request_body = ApplyRequest,
    responses((status = 200, body = ApplyAnswer)))]
pub async fn apply(
    caller: Changer,
    LargeBody(request, _permit): LargeBody<ApplyRequest>,
) -> Answer<ApplyAnswer> {
    let edits = caller.context.edits.clone();
    let _one_at_a_time = edits.lock().await;
    apply_locked(&caller, request).await.map(axum::Json)
}

/// Applies while the caller holds the lock of [`super::Context`]: what it read to make the documents is still so.
pub async fn apply_locked(caller: &Changer, mut request: ApplyRequest) -> Result<ApplyAnswer, Refusal> {
    let sight = caller.sight()?;
    let vault = Arc::clone(&caller.context.services.vault);
    let sealing = move || seal::seal(&vault, sight.space(), &mut request).map(|sealed| (request, sealed));
    let sealed = tokio::task::spawn_blocking(sealing).await;
    let (request, sealed) = sealed.map_err(|why| Refusal::internal("sealing values", &why))??;
    let dry_run = request.dry_run;
    let command = SpaceCommand::Apply { request, keys: sealed.keys.clone() };
    let reply = if dry_run {
        caller.rehearse_in_space(command).await
    } else {
        let answer = caller.submit_in_space(command, None).await;
        caller.answered_with(sealed.keys.into_values(), &answer);
        answer
    };
    applied(reply?, sealed.warnings)
}

/// The answer to what changed definitions.
pub fn applied(reply: Reply, warnings: Vec<String>) -> Result<ApplyAnswer, Refusal> {
    match reply {
        Reply::Applied(changes) => Ok(ApplyAnswer { changes, warnings }),
        _ => Err(Refusal::internal("applying", &"the decision has another answer")),
    }
}

/// What is exported.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only the thing of this name; needs the kind.
    pub name: Option<String>,
}

/// Everything as `apply` reads it, or one kind, or one thing. Sensitive values are `{sensitive: unchanged}`.
#[utoipa::path(get, path = "/export", tag = "documents", params(ExportQuery),
    responses((status = 200, body = Documents)))]
pub async fn export(caller: Reader, Asked(query): Asked<ExportQuery>) -> Answer<Documents> {
    let exporting =
        caller.read_heavily(&caller.context.quotas.reads, "exporting", move |sight, wanted| {
            match (&query.kind, &query.name) {
                (Some(kind), Some(name)) => Ok(vec![documents::one(sight.space(), kind, name)?]),
                (kind, None) => documents::export(sight.space(), kind.as_deref(), wanted),
                (None, Some(_)) => Err(Problem::usage("a name needs its kind; add `kind=`")),
            }
        });
    Ok(axum::Json(Documents { documents: exporting.await? }))
}
