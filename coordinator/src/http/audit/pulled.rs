//! What a target did pull, from the record, the newest first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use windlass_api::answers::{Pulled, PulledItem, PulledKind};
use windlass_api::error::Problem;
use windlass_coordinator_core::event::{Counted, DeploymentEvent, Event, Observation};
use windlass_coordinator_core::graph::WorkKind;
use windlass_coordinator_core::model::{RunOutcome, Subject};
use windlass_coordinator_core::sight::Sight;
use windlass_coordinator_core::state::Space;
use windlass_protocol::Digest;
use windlass_protocol::ids::{DeploymentId, ReleaseId, StepId, TargetId};

use super::journal::{Entry, Journal};
use super::{MOST_BYTES, Part};
use crate::http::heavy::Wanted;
use crate::http::{deployments, display, pages};

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
    let targets = &sight.space().targets;
    // The record outlives the target.
    let wanted: TargetId = match targets.named(name) {
        Some(found) => found.id,
        None => name.parse().map_err(|_| Problem::not_found(targets.unknown(name)))?,
    };
    let mut names = names(sight.space());
    let mut fetches = Fetches::new(sight.space());
    // What one record tells of stays together, so that a record's number is a place between two parts.
    let mut records: VecDeque<Vec<PulledItem>> = VecDeque::new();
    let (mut count, mut bytes, mut more, mut known, mut any) = (0, 0, false, false, false);
    let last = part.after.map_or(sight.record(), |after| after.min(sight.record()));
    let mut journal = Journal::open(data, sight, (1, last), still_wanted)?;
    while let Some(entry) = journal.next()? {
        let mut found: Vec<_> = entry
            .record
            .events
            .iter()
            .filter_map(|event| item(sight, &entry, event, wanted, &mut names))
            .collect();
        if !sight.is_whole() {
            found.extend(fetches.read(sight, &entry, wanted));
        }
        any |= !found.is_empty();
        // How long it takes tells who is limited nothing of where it was found.
        if found.is_empty() || known {
            continue;
        }
        if part.after == Some(entry.record.number) {
            known = true;
            if sight.is_whole() {
                break;
            }
            continue;
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
    // A machine that had nothing of theirs is none.
    if !sight.is_whole() && !any && targets.get(wanted).is_none() {
        return Err(Problem::not_found(targets.unknown(name)));
    }
    if let Some(after) = part.after.filter(|_| !known) {
        return Err(pages::no_place(&after.to_string()));
    }
    let next = records.front().and_then(|oldest| oldest.first()).filter(|_| more);
    let next = next.map(|item| item.sequence.to_string());
    let items = records.into_iter().rev().flat_map(|items| items.into_iter().rev()).collect();
    Ok(Pulled { target: display::name(targets, wanted), items, next })
}

/// What who is limited is told of packages: that a target has all of those of a deployment of theirs, once its fetching has
/// ended well. What it pulled for that, and whether it had to, tells what it has of others.
struct Fetches<'a> {
    space: &'a Space,
    /// Releases that the target fetches, and the steps that it has in them, by deployment.
    begun: BTreeMap<DeploymentId, (ReleaseId, BTreeSet<StepId>)>,
}

impl<'a> Fetches<'a> {
    const fn new(space: &'a Space) -> Self {
        Self { space, begun: BTreeMap::new() }
    }

    /// What the events of the next record tell of that.
    fn read(&mut self, sight: &Sight, entry: &Entry, wanted: TargetId) -> Vec<PulledItem> {
        let mut found = Vec::new();
        for event in &entry.record.events {
            let Event::Deployment(event) = event else { continue };
            match event {
                DeploymentEvent::Created { deployment } => {
                    let Subject::Release(release) = deployment.subject;
                    self.begun.insert(deployment.id, (release, BTreeSet::new()));
                }
                DeploymentEvent::Started(started) => {
                    let mine = started.nodes.iter().filter(|node| node.targets.contains(&wanted));
                    let steps = mine.filter_map(|node| node.work.step());
                    if let Some((_, known)) = self.begun.get_mut(&started.deployment) {
                        known.extend(steps);
                    }
                }
                DeploymentEvent::RunEnded { deployment, work: WorkKind::Fetch, target, end, .. }
                    if *target == wanted && end.outcome == RunOutcome::Succeeded =>
                {
                    found.extend(self.fetched(sight, entry, *deployment));
                }
                DeploymentEvent::Ended { deployment, .. } => drop(self.begun.remove(deployment)),
                _ => {}
            }
        }
        found
    }

    /// The packages of a deployment.
    fn fetched(&self, sight: &Sight, entry: &Entry, deployment: DeploymentId) -> Vec<PulledItem> {
        let Some((release, steps)) = self.begun.get(&deployment) else { return Vec::new() };
        let chosen = self.space.releases.get(release).into_iter().flat_map(|release| &release.packages);
        let chosen = chosen.filter(|(step, _)| steps.contains(step)).map(|(_, package)| package);
        let mut by_manifest: BTreeMap<Digest, (u64, BTreeSet<String>)> = BTreeMap::new();
        for package in chosen {
            let (size, names) = by_manifest.entry(package.manifest).or_default();
            *size = deployments::package_size(self.space, package);
            names.insert(format!("{} {}", package.id, package.version));
        }
        let items = by_manifest.into_iter().map(|(manifest, (bytes, names))| PulledItem {
            bytes,
            names: names.into_iter().collect(),
            ..new_item(sight, entry, deployment, PulledKind::Package, &manifest)
        });
        items.collect()
    }
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
    let of =
        |deployment: &DeploymentId, kind, digest: &Digest| new_item(sight, entry, *deployment, kind, digest);
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

fn new_item(
    sight: &Sight,
    entry: &Entry,
    deployment: DeploymentId,
    kind: PulledKind,
    digest: &Digest,
) -> PulledItem {
    PulledItem {
        sequence: entry.record.number,
        time: display::time(entry.record.time),
        deployment: deployment.to_string(),
        tenant: tenant(sight, deployment),
        kind,
        digest: digest.to_string(),
        bytes: 0,
        times: 1,
        last: display::time(entry.record.time),
        names: Vec::new(),
    }
}

fn tenant(sight: &Sight, deployment: DeploymentId) -> Option<String> {
    let space = sight.space();
    space.deployments.get(&deployment).and_then(|found| display::tenant(space, found.tenant))
}

fn again(item: PulledItem, bytes: u64, Counted { count, first, last }: Counted) -> PulledItem {
    PulledItem { bytes, times: count, time: display::time(first), last: display::time(last), ..item }
}
