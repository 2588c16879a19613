//! Tag sets. A tag in use cannot be taken out of its set.

use std::collections::{BTreeMap, BTreeSet};

use windlass_api::documents::{TagSelection, TagSetDocument, TagText};
use windlass_api::error::Problem;
use windlass_protocol::DisplayName;
use windlass_protocol::ids::{TagId, TagSetId};
use windlass_protocol::names::fold;

use super::super::Draft;
use super::names;
use super::references::{ReferenceScope, refuse_if_used, users_of_tag};
use super::{DefinitionContext, Documented};
use crate::model::{Tag, TagSet};

impl Documented for TagSet {
    type Document = TagSetDocument;

    fn define(
        draft: &mut Draft<'_>,
        document: &TagSetDocument,
        _: &DefinitionContext<'_>,
    ) -> Result<Self, Problem> {
        define(draft, document)
    }

    fn users(&self, moment: ReferenceScope<'_>) -> Vec<String> {
        self.tags.iter().flat_map(|tag| users_of_tag(moment, tag.id)).collect()
    }
}

fn define(draft: &mut Draft<'_>, document: &TagSetDocument) -> Result<TagSet, Problem> {
    let (name, slug) = names::named(&document.name, document.slug.as_deref())?;
    if name.as_str().contains('/') {
        return Err(Problem::usage("a tag set's name has no slash: tags are written `Tag Set/Tag`"));
    }
    let existing = draft.space().tag_sets.called(&document.name).cloned();
    if existing.is_none() {
        names::check_query_word(&document.name)?;
    }
    let single = document.selection == TagSelection::Single;
    let known = existing.as_ref().map(|set| set.tags.as_slice()).unwrap_or_default();
    let known: BTreeMap<_, _> = known.iter().map(|tag| (tag.name.folded(), tag)).collect();
    let (mut tags, mut names) = (Vec::new(), BTreeSet::new());
    for text in &document.tags {
        let old = known.get(&fold(&text.name));
        if old.is_none() {
            names::check_query_word(&text.name)?;
        }
        let id = old.map(|tag| tag.id);
        let id = id.unwrap_or_else(|| TagId::from_bytes(draft.fresh.bytes()));
        let tag = define_tag(text, id)?;
        if !names.insert(tag.name.folded()) {
            return Err(Problem::usage(format!("the tag `{}` is listed twice", tag.name)));
        }
        tags.push(tag);
    }
    if let Some(existing) = &existing {
        let kept: BTreeSet<_> = tags.iter().map(|tag| tag.id).collect();
        for gone in existing.tags.iter().filter(|tag| !kept.contains(&tag.id)) {
            refuse_if_used(
                &format!("the tag `{}`", gone.name),
                users_of_tag(ReferenceScope::of(draft), gone.id),
            )?;
        }
        if single && !existing.single {
            refuse_several(draft, &kept)?;
        }
    }
    let id = existing.map_or_else(|| TagSetId::from_bytes(draft.fresh.bytes()), |existing| existing.id);
    Ok(TagSet { id, slug, name, single, tags })
}

fn define_tag(text: &TagText, id: TagId) -> Result<Tag, Problem> {
    let name: DisplayName =
        text.name.parse().map_err(|why| Problem::usage(format!("the tag `{}`: {why}", text.name)))?;
    if let Some(colour) = &text.colour {
        let digits = colour.strip_prefix('#').unwrap_or_default();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Problem::usage(format!(
                "the tag `{name}`: `{colour}` is no colour; write it as `#2f6fed`"
            )));
        }
    }
    Ok(Tag { id, name, colour: text.colour.clone() })
}

fn refuse_several(draft: &Draft<'_>, tags: &BTreeSet<TagId>) -> Result<(), Problem> {
    let mut carriers = draft.space().carriers_by_name(tags).into_iter();
    match carriers.find(|tenant| tenant.tags.intersection(tags).count() > 1) {
        None => Ok(()),
        Some(tenant) => Err(Problem::conflict(format!(
            "it cannot be `single`: the tenant `{}` carries several of its tags",
            tenant.name
        ))),
    }
}
