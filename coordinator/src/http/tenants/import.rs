//! Tenants from a list: what it says of them is added, and what it leaves out stays as it is.

use std::collections::BTreeMap;

use axum::Json;
use windlass_api::answers::ApplyAnswer;
use windlass_api::documents::{Document, OwnerValues, TenantDocument, ValueText};
use windlass_api::error::Problem;
use windlass_api::requests::ApplyRequest;
use windlass_coordinator_core::decide::Reply;
use windlass_coordinator_core::state::Space;
use windlass_protocol::names::fold;

use super::super::caller::Changer;
use super::super::extract::LargeBody;
use super::super::refusal::Answer;
use super::super::{apply, documents};

/// Makes tenants, and adds to those that there are: tags, connections, values. All or nothing. Nothing is taken away, and
/// a tenant that there is keeps its slug and its switch.
#[utoipa::path(post, path = "/tenants/import", tag = "tenants", request_body = ApplyRequest,
    responses((status = 200, body = ApplyAnswer)))]
pub async fn import(
    mut caller: Changer,
    LargeBody(mut request, _permit): LargeBody<ApplyRequest>,
) -> Answer<ApplyAnswer> {
    let edits = caller.context.edits.clone();
    let _one_at_a_time = edits.lock().await;
    if !request.dry_run
        && let Some(Reply::Applied(changes)) = caller.asks("import", &request)?
    {
        return Ok(Json(ApplyAnswer { changes, warnings: Vec::new() }));
    }
    {
        let sight = caller.sight()?;
        for placed in &mut request.documents {
            let what = format!("{} `{}`", placed.document.kind(), placed.document.name());
            let Document::Tenant(tenant) = &mut placed.document else {
                let problem = Problem::usage("only tenants are imported; apply it with `apply`");
                return Err(problem.at(&what).at(&placed.place).into());
            };
            add_to_known(sight.space(), tenant).map_err(|why| why.at(&what).at(&placed.place))?;
        }
    }
    Ok(Json(apply::apply_locked(&caller, request).await?))
}

/// Makes of what is said of a tenant the whole of it, with what it has already.
fn add_to_known(space: &Space, said: &mut TenantDocument) -> Result<(), Problem> {
    let Some(known) = space.tenants.called(&said.name) else { return Ok(()) };
    let TenantDocument { name: _, slug: _, enabled: _, tags, projects, values } =
        std::mem::replace(said, documents::tenant_document(space, known));
    said.tags.extend(tags);
    for (project, environments) in projects {
        let project = space.projects.find(&project)?.name.to_string();
        let connected = said.projects.entry(project).or_default();
        for environment in environments {
            let environment = space.environments.find(&environment)?.name.to_string();
            if !connected.contains(&environment) {
                connected.push(environment);
            }
        }
    }
    for (owner, OwnerValues { values, environments }) in values {
        let known = said.values.entry(documents::owner_word(space, &owner)).or_default();
        add(&mut known.values, values);
        for (environment, values) in environments {
            let environment = space.environments.find(&environment)?.name.to_string();
            add(known.environments.entry(environment).or_default(), values);
        }
    }
    Ok(())
}

/// Puts values in the place of those of the same names.
fn add(known: &mut BTreeMap<String, ValueText>, said: BTreeMap<String, ValueText>) {
    for (name, value) in said {
        let folded = fold(&name);
        known.retain(|other, _| fold(other) != folded);
        known.insert(name, value);
    }
}
