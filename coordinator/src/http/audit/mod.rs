//! The audit: the journal itself, read from its files, and what follows from the state (PRODUCT, P5). Who is limited to
//! tenants reads what concerns them, as records with numbers of their own (SEMANTICS 10).

mod journal;
mod pulled;
mod reach;
pub(super) mod story;
mod summary;

use std::collections::VecDeque;

use axum::Json;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use windlass_api::answers::{AuditRecord, AuditVerified, Page, Pulled, WhatCan, WhoCan};
use windlass_api::documents::Document;
use windlass_api::error::Problem;
use windlass_coordinator_core::catalogue::Named as _;
use windlass_coordinator_core::in_kind;
use windlass_coordinator_core::kinds::Kind as _;
use windlass_coordinator_core::sight::Sight;
use windlass_coordinator_core::state::Space;
use windlass_protocol::Digest;

use journal::{Entry, Journal};

use super::caller::Reader;
use super::extract::{Asked, Named};
use super::heavy::Wanted;
use super::pages;
use super::refusal::Answer;

/// Records of a part where nobody says, and at most.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// Bytes of the records of a part, but for a single one: an answer lies in memory until who asked has taken it.
const MOST_BYTES: usize = 1 << 20;

/// Which records come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ListOrder {
    /// The newest: what people look for.
    #[default]
    Newest,
    /// The oldest: to read on as records are written.
    Oldest,
}

/// Which part of a list that is in the order of records, the newest first.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// The part begins after the record of this number; `next` of the part before.
    pub after: Option<u64>,
    /// Items at most, up to 1000, but for those of the same record; 100 where it is left out.
    pub limit: Option<usize>,
}

impl Part {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }
}

/// Which records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Records {
    /// `newest` first, where it is left out, or `oldest` first.
    #[serde(default)]
    #[param(inline)]
    pub order: ListOrder,
    /// The part begins after the record of this number, in this order; with `oldest`, 0 is before the first one. To who is
    /// limited to tenants, what they see of the record is numbered from 1.
    pub after: Option<u64>,
    /// Records at most, up to 1000; 100 where it is left out. Large records make a part shorter.
    pub limit: Option<usize>,
    /// Only records with this event, such as `target-enrolled`.
    pub event: Option<String>,
    /// Only records that name this thing: an id, or the name of a target, tenant, project and so on.
    pub about: Option<String>,
    /// Only records in what is shown of which this text stands, ignoring case.
    pub filter: Option<String>,
}

/// The records of the journal, the newest first unless the oldest are asked for first. Sealed values are left out, and for
/// who is limited to tenants all that concerns others too.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Records),
    responses((status = 200, body = Page<AuditRecord>)))]
pub async fn list(caller: Reader, Asked(asked): Asked<Records>) -> Answer<Page<AuditRecord>> {
    let (data, quotas) = (caller.context.services.data.clone(), &caller.context.quotas);
    // Whoever is limited has to have all of it looked through.
    let looks_through = asked.is_narrowed() || !caller.sees_all()?;
    let quota = if looks_through { &quotas.reads } else { &quotas.short };
    let reading = caller.read_heavily(quota, "reading the journal", move |sight, wanted| {
        select(&data, sight, wanted, &asked)
    });
    Ok(Json(reading.await?))
}

impl Records {
    /// Whether all records have to be looked at to find those that are asked for.
    fn is_narrowed(&self) -> bool {
        self.event.is_some() || self.about.is_some() || self.filter.is_some()
    }
}

fn select(
    data: &std::path::Path,
    sight: &Sight,
    still_wanted: &Wanted,
    asked: &Records,
) -> Result<Page<AuditRecord>, Problem> {
    let limit = asked.limit.unwrap_or(USUAL).clamp(1, MOST);
    let ids = asked.about.as_deref().map(|about| ids_of(sight.space(), about)).transpose()?;
    if let Some(event) = &asked.event {
        summary::expect_event(event)?;
    }
    let filter = asked.filter.as_deref().map(windlass_protocol::names::fold);
    // What is not shown is not found either: whether a record comes would tell, letter by letter, what is hidden in it.
    let about = |text: &str| ids.as_ref().is_none_or(|ids| ids.iter().any(|id| text.contains(id)));
    let shows = |entry: &Entry| {
        let text = summary::shown_text(sight, entry);
        about(&text)
            && filter.as_ref().is_none_or(|filter| windlass_protocol::names::fold(&text).contains(filter))
    };
    let wanted = |entry: &Entry| {
        asked.event.as_deref().is_none_or(|event| entry.has_event(event))
            && about(&entry.text)
            && (ids.is_none() && filter.is_none() || shows(entry))
    };
    let newest = asked.order == ListOrder::Newest;
    let (from, last) = range(sight, asked, limit)?;
    let mut found: VecDeque<Entry> = VecDeque::new();
    let (mut more, mut bytes) = (false, 0);
    let mut journal = Journal::open(data, sight, (from, last), still_wanted)?;
    let mut seen = 0;
    while let Some(entry) = journal.next()? {
        seen = entry.record.number;
        if more && !newest || !(from..=last).contains(&seen) || !wanted(&entry) {
            continue;
        }
        bytes += entry.text.len();
        found.push_back(entry);
        while found.len() > 1 && (found.len() > limit || bytes > MOST_BYTES) {
            more = true;
            let dropped = if newest { found.pop_front() } else { found.pop_back() };
            bytes -= dropped.map_or(0, |entry| entry.text.len());
        }
        if more && !newest && sight.is_whole() {
            break;
        }
    }
    // How many records there are for who is limited is known at their end.
    if let Some(after) = asked.after.filter(|after| !sight.is_whole() && *after > seen) {
        return Err(pages::no_place(&after.to_string()));
    }
    if newest {
        found.make_contiguous().reverse();
    }
    let next = found.back().filter(|_| more).map(|entry| entry.record.number.to_string());
    let items = found.iter().map(|entry| summary::record(sight, entry)).collect();
    Ok(Page { items, next })
}

/// The first and the last record that may be in a part.
fn range(sight: &Sight, asked: &Records, limit: usize) -> Result<(u64, u64), Problem> {
    // What who is limited sees has numbers of its own, and nothing may tell where all of it ends.
    let last = if sight.is_whole() { sight.record() } else { u64::MAX };
    let newest = asked.order == ListOrder::Newest;
    let known = if newest { 1..=last } else { 0..=last };
    if let Some(after) = asked.after.filter(|after| !known.contains(after)) {
        return Err(pages::no_place(&after.to_string()));
    }
    if !newest {
        return Ok((asked.after.unwrap_or(0).saturating_add(1), last));
    }
    let last = asked.after.map_or(last, |after| after - 1);
    let all = asked.is_narrowed() || !sight.is_whole();
    // One more than is shown tells whether there are more.
    Ok((if all { 1 } else { last.saturating_sub(limit as u64).max(1) }, last))
}

/// The ids that a text means: it is one, or it names things of any kind.
fn ids_of(space: &Space, text: &str) -> Result<Vec<String>, Problem> {
    let target = space.targets.named(text).map(|found| found.id.to_string());
    let defined = Document::KINDS.into_iter().filter_map(|kind| {
        in_kind!(kind, Kind => Kind::of(space).named(text).map(|found| found.id().to_string()), _other => None)
    });
    let found: Vec<String> = target.into_iter().chain(defined).collect();
    let looks_like_an_id = text.rsplit_once('-').is_some_and(|(_, rest)| rest.len() == 26);
    match found.is_empty() {
        false => Ok(found),
        true if looks_like_an_id => Ok(vec![text.to_owned()]),
        true => {
            Err(Problem::not_found(format!("nothing here is called `{text}`; give its id if it was deleted")))
        }
    }
}

/// A record that somebody outside kept.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Witness {
    /// The record's number.
    pub record: Option<u64>,
    /// The hash of the chain at it.
    pub hash: Option<String>,
}

/// Reads the whole journal and checks its chain; with a witness' record, also that it is the same history.
#[utoipa::path(get, path = "/audit/verification", tag = "audit", params(Witness),
    responses((status = 200, body = AuditVerified)))]
pub async fn verify(caller: Reader, Asked(witness): Asked<Witness>) -> Answer<AuditVerified> {
    let witness = match (witness.record, &witness.hash) {
        (Some(record), Some(hash)) => {
            let hash: Digest =
                hash.parse().map_err(|why| Problem::usage(format!("the witness' hash: {why}")))?;
            Some((record, hash))
        }
        (None, None) => None,
        _ => return Err(Problem::usage("a witness is a record's number and its hash").into()),
    };
    let (data, reads) = (caller.context.services.data.clone(), &caller.context.quotas.reads);
    let verifying = caller.read_heavily(reads, "verifying the journal", move |sight, wanted| {
        sight.expect_whole()?;
        let verified = crate::journal::verify_while(&data, witness, &|| wanted.holds());
        verified.map_err(|finding| Problem::failed(format!("the journal is not whole: {finding}")))
    });
    let verified = verifying.await?;
    Ok(Json(AuditVerified { records: verified.records, head: verified.head.to_string() }))
}

/// What a target could read now: by running deployments, and by deployments of projects as they stand and of their
/// newest releases.
#[utoipa::path(get, path = "/audit/what-can/{target}", tag = "audit",
    params(("target" = String, Path, description = "Id, slug or name."), Reach),
    responses((status = 200, body = WhatCan)))]
pub async fn what_can(
    caller: Reader,
    Named(target): Named<String>,
    Asked(part): Asked<Reach>,
) -> Answer<WhatCan> {
    let asking =
        caller.read_heavily(&caller.context.quotas.reads, "looking through scopes", move |sight, wanted| {
            reach::what_can(sight.space(), wanted, &target, &part)
        });
    Ok(Json(asking.await?))
}

/// Which part of what could be read: of a list in the order of names, of which large items make a part shorter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Reach {
    /// The part begins after this place; `next` of the part before.
    pub after: Option<String>,
    /// Places at most, up to 1000; 100 where it is left out.
    pub limit: Option<usize>,
}

impl Reach {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(USUAL).clamp(1, MOST)
    }
}

/// What is narrowed to.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Of {
    /// Only targets that could read this sensitive variable.
    pub secret: Option<String>,
}

/// Which targets can receive what is a tenant's, now.
#[utoipa::path(get, path = "/audit/who-can/{tenant}", tag = "audit",
    params(("tenant" = String, Path, description = "Id, slug or name."), Of, Reach),
    responses((status = 200, body = WhoCan)))]
pub async fn who_can(
    caller: Reader,
    Named(tenant): Named<String>,
    Asked(of): Asked<Of>,
    Asked(part): Asked<Reach>,
) -> Answer<WhoCan> {
    let presence = std::sync::Arc::clone(&caller.context.presence);
    let asking =
        caller.read_heavily(&caller.context.quotas.reads, "looking through scopes", move |sight, wanted| {
            let asked = reach::OfTenant { name: &tenant, secret: of.secret.as_deref(), part: &part };
            reach::who_can(sight.space(), wanted, presence.as_ref(), &asked)
        });
    Ok(Json(asking.await?))
}

/// What a target did pull: packages and variables, from the record. To who is limited to tenants: what there is of theirs
/// on it, wherever it had that from.
#[utoipa::path(get, path = "/audit/pulled/{target}", tag = "audit",
    params(("target" = String, Path, description = "Id, slug or name; the id of a deleted one."), Part),
    responses((status = 200, body = Pulled)))]
pub async fn pulled(
    caller: Reader,
    Named(target): Named<String>,
    Asked(part): Asked<Part>,
) -> Answer<Pulled> {
    let (data, reads) = (caller.context.services.data.clone(), &caller.context.quotas.reads);
    let reading = caller.read_heavily(reads, "reading the journal", move |sight, wanted| {
        pulled::pulled(&data, sight, wanted, &target, &part)
    });
    Ok(Json(reading.await?))
}
