//! What a target did pull, from the record, the newest first.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use windlass_api::answers::{Pulled, PulledItem, PulledKind};
use windlass_api::error::Problem;
use windlass_coordinator_core::event::{Counted, DeploymentEvent, Event, Observation};
use windlass_coordinator_core::state::Space;
use windlass_protocol::Digest;
use windlass_protocol::ids::{DeploymentId, TargetId};

use super::journal::{Entry, Journal};
use super::{MOST_BYTES, Part};
use crate::http::heavy::Wanted;
use crate::http::{display, pages};
use windlass_coordinator_core::sight::Sight;

/// Packages as `id version`, by manifest: a digest says nothing to people.
pub(super) type Names = BTreeMap<Digest, Vec<String>>;

/// The names of the packages that there are.
pub(super) fn names(space: &Space) -> Names {
    let mut names = Names::new();
    for package in space.packages.values() {
        let name = format!("{} {}", package.key.id, package.key.version);
        names.entry(package.manifest).or_default().push(name);
    }
    names
}

pub(super) fn pulled(
    data: &Path,
    sight: &Sight,
    still_wanted: &Wanted,
    name: &str,
    part: &Part,
) -> Result<Pulled, Problem> {
    let record = sight.expect_whole()?.number;
    let targets = &sight.space().targets;
    // The record outlives the target.
    let wanted: TargetId = match targets.named(name) {
        Some(found) => found.id,
        None => name.parse().map_err(|_| Problem::not_found(targets.unknown(name)))?,
    };
    let mut names = names(sight.space());
    // What one record tells of stays together, so that a record's number is a place between two parts.
    let mut records: VecDeque<Vec<PulledItem>> = VecDeque::new();
    let (mut count, mut bytes, mut more, mut known) = (0, 0, false, false);
    let last = part.after.map_or(record, |after| after.min(record));
    let mut journal = Journal::open(data, 1, last, still_wanted)?;
    while let Some(entry) = journal.next()? {
        let found: Vec<_> = entry
            .record
            .events
            .iter()
            .filter_map(|event| item(sight, &entry, event, wanted, &mut names))
            .collect();
        if found.is_empty() {
            continue;
        }
        if part.after == Some(entry.record.number) {
            known = true;
            break;
        }
        count += found.len();
        bytes += size(&found);
        records.push_back(found);
        while let Some(oldest) = records.front().filter(|oldest| {
            count - oldest.len() >= part.limit() || bytes > MOST_BYTES && count > oldest.len()
        }) {
            count -= oldest.len();
            bytes -= size(oldest);
            records.pop_front();
            more = true;
        }
    }
    if let Some(after) = part.after.filter(|_| !known) {
        return Err(pages::no_place(&after.to_string()));
    }
    let next = records.front().and_then(|oldest| oldest.first()).filter(|_| more);
    let next = next.map(|item| item.sequence.to_string());
    let items = records.into_iter().rev().flat_map(|items| items.into_iter().rev()).collect();
    Ok(Pulled { target: display::name(targets, wanted), items, next })
}

/// About how long items are in an answer.
fn size(items: &[PulledItem]) -> usize {
    let names = items.iter().flat_map(|item| &item.names).map(|name| name.len() + 4);
    names.sum::<usize>() + items.len() * 400
}

/// What an event tells that the target pulled, if it does.
fn item(
    sight: &Sight,
    entry: &Entry,
    event: &Event,
    wanted: TargetId,
    names: &mut Names,
) -> Option<PulledItem> {
    let of = |deployment: &DeploymentId, kind, digest: &Digest| PulledItem {
        sequence: entry.record.number,
        time: display::time(entry.record.time),
        deployment: deployment.to_string(),
        tenant: tenant(sight, *deployment),
        kind,
        digest: digest.to_string(),
        bytes: 0,
        times: 1,
        last: display::time(entry.record.time),
        names: Vec::new(),
    };
    let known = |manifest, names: &Names| names.get(manifest).cloned().unwrap_or_default();
    match event {
        Event::Deployment(DeploymentEvent::PullBegun {
            deployment,
            target,
            names: named,
            manifest,
            bytes,
            ..
        }) if *target == wanted => {
            names.insert(*manifest, named.clone());
            let found = of(deployment, PulledKind::PackageBegun, manifest);
            Some(PulledItem { bytes: *bytes, names: named.clone(), ..found })
        }
        Event::Deployment(DeploymentEvent::PackagePulled { deployment, target, manifest, bytes, .. })
            if *target == wanted =>
        {
            let found = of(deployment, PulledKind::Package, manifest);
            Some(PulledItem { bytes: *bytes, names: known(manifest, names), ..found })
        }
        Event::Deployment(DeploymentEvent::VariablesRead { deployment, target, names, digest, .. })
            if *target == wanted =>
        {
            Some(PulledItem { names: names.clone(), ..of(deployment, PulledKind::Variables, digest) })
        }
        Event::Observation(Observation::ReadAgain { deployment, step, target, digest, bytes, counted })
            if *target == wanted =>
        {
            let found = match step {
                Some(_) => of(deployment, PulledKind::VariablesAgain, digest),
                None => {
                    let found = of(deployment, PulledKind::PackageAgain, digest);
                    PulledItem { names: known(digest, names), ..found }
                }
            };
            Some(again(found, *bytes, *counted))
        }
        Event::Observation(Observation::PullBroken { deployment, target, manifest, bytes, counted })
            if *target == wanted =>
        {
            let found = of(deployment, PulledKind::PackageInPart, manifest);
            Some(again(PulledItem { names: known(manifest, names), ..found }, *bytes, *counted))
        }
        _ => None,
    }
}

fn tenant(sight: &Sight, deployment: DeploymentId) -> Option<String> {
    let space = sight.space();
    space.deployments.get(&deployment).and_then(|found| display::tenant(space, found.tenant))
}

fn again(item: PulledItem, bytes: u64, Counted { count, first, last }: Counted) -> PulledItem {
    PulledItem { bytes, times: count, time: display::time(first), last: display::time(last), ..item }
}
