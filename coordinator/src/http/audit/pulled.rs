//! What a target did pull, from the record.

use std::path::Path;

use windlass_api::answers::{Pulled, PulledItem};
use windlass_api::error::Problem;
use windlass_coordinator_core::event::{Counted, DeploymentEvent, Event, Observation};
use windlass_protocol::ids::{DeploymentId, TargetId};

use super::journal::{Entry, Journal};
use crate::http::caller::Moment;
use crate::http::heavy::Wanted;
use crate::http::words;

pub(super) fn pulled(
    data: &Path,
    moment: &Moment,
    still_wanted: &Wanted,
    name: &str,
) -> Result<Pulled, Problem> {
    let targets = &moment.space().targets;
    // The record outlives the target.
    let wanted: TargetId = match targets.named(name) {
        Some(found) => found.id,
        None => name.parse().map_err(|_| Problem::not_found(targets.unknown(name)))?,
    };
    let mut items = Vec::new();
    let mut journal = Journal::open(data, 1, moment.state.number, still_wanted)?;
    while let Some(entry) = journal.next()? {
        for event in &entry.record.events {
            match event {
                Event::Deployment(DeploymentEvent::PullBegun {
                    deployment,
                    target,
                    names,
                    manifest,
                    bytes,
                }) if *target == wanted => {
                    let found = item(moment, &entry, *deployment, "package-begun", manifest.to_string());
                    items.push(PulledItem { bytes: *bytes, names: names.clone(), ..found });
                }
                Event::Deployment(DeploymentEvent::PackagePulled { deployment, target, manifest, bytes })
                    if *target == wanted =>
                {
                    let found = item(moment, &entry, *deployment, "package", manifest.to_string());
                    items.push(PulledItem { bytes: *bytes, ..found });
                }
                Event::Deployment(DeploymentEvent::VariablesRead {
                    deployment,
                    target,
                    names,
                    digest,
                    ..
                }) if *target == wanted => {
                    let found = item(moment, &entry, *deployment, "variables", digest.to_string());
                    items.push(PulledItem { names: names.clone(), ..found });
                }
                Event::Observation(Observation::ReadAgain {
                    deployment,
                    step,
                    target,
                    digest,
                    bytes,
                    counted,
                }) if *target == wanted => {
                    let kind = if step.is_some() { "variables-again" } else { "package-again" };
                    let found = item(moment, &entry, *deployment, kind, digest.to_string());
                    items.push(again(found, *bytes, *counted));
                }
                Event::Observation(Observation::PullBroken {
                    deployment,
                    target,
                    manifest,
                    bytes,
                    counted,
                }) if *target == wanted => {
                    let found = item(moment, &entry, *deployment, "package-in-part", manifest.to_string());
                    items.push(again(found, *bytes, *counted));
                }
                _ => {}
            }
        }
    }
    Ok(Pulled { target: words::name(targets, wanted), items })
}

fn item(moment: &Moment, entry: &Entry, deployment: DeploymentId, kind: &str, digest: String) -> PulledItem {
    let space = moment.space();
    let tenant = space.deployments.get(&deployment).and_then(|found| words::tenant(space, found.tenant));
    PulledItem {
        sequence: entry.record.number,
        time: words::time(entry.record.time),
        deployment: deployment.to_string(),
        tenant,
        kind: kind.to_owned(),
        digest,
        bytes: 0,
        times: 1,
        last: words::time(entry.record.time),
        names: Vec::new(),
    }
}

fn again(item: PulledItem, bytes: u64, Counted { count, first, last }: Counted) -> PulledItem {
    PulledItem { bytes, times: count, time: words::time(first), last: words::time(last), ..item }
}
