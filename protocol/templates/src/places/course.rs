//! Where a script has come to, and where it would be if something before had stayed as it is written.
//!
//! A name that nothing defines stays: `echo #{Unknown} …` is `echo` and a comment. Which names that are is known later.

use std::collections::BTreeSet;

use super::Places;
use crate::filters::Escape;
use crate::reference::Reference;

/// Ways beside the plain one that are told apart at one place.
const MOST_LEFT: usize = 8;

/// The way of a script so far.
#[derive(Clone)]
pub(crate) struct Course {
    places: Places,
    left: Vec<Left>,
}

/// Ways on which something stayed, for as long as they lead elsewhere.
#[derive(Clone)]
struct Left {
    places: Places,
    /// What stayed on one of them if nothing defines it.
    names: BTreeSet<Reference>,
}

impl Course {
    pub(crate) fn new(places: Places) -> Self {
        Self { places, left: Vec::new() }
    }

    /// Goes on over text of the script.
    pub(crate) fn pass(&mut self, text: &str) {
        self.places.pass(text);
        self.left.iter_mut().for_each(|left| left.places.pass(text));
        self.settle();
    }

    /// Goes on over a substitution, or over `source`, as it is written, where one of `names` is defined by nothing.
    pub(crate) fn pass_substitution(&mut self, source: &str, names: BTreeSet<Reference>) {
        let mut places = self.places.clone();
        places.pass(source);
        self.places.pass_word();
        self.left.iter_mut().for_each(|left| left.places.pass_word());
        self.left.push(Left { places, names });
        self.settle();
    }

    /// Whether what was made harmless in this way stays so here.
    pub(crate) fn admits(&self, escape: Escape) -> bool {
        self.places.admits(escape)
    }

    /// What must be defined for that.
    pub(crate) fn admits_with(&self, escape: Escape) -> impl Iterator<Item = &Reference> {
        let left = self.left.iter().filter(move |left| !left.places.admits(escape));
        left.flat_map(|left| &left.names)
    }

    /// Whether every way of `other` is one of these, and whether every one is on which something stayed.
    pub(crate) fn contains(&self, other: &Self) -> (bool, bool) {
        let has = |other: &Left| {
            let mut left = self.left.iter();
            left.any(|left| left.places.contain(&other.places) && other.names.is_subset(&left.names))
        };
        (self.places.contain(&other.places), other.left.iter().all(has))
    }

    /// Adds the ways that led to `other`.
    pub(crate) fn join(&mut self, other: Self) {
        self.places.join(other.places);
        self.left.extend(other.left);
        self.settle();
    }

    /// Forgets where it is.
    pub(crate) fn lose(&mut self) {
        self.places.lose();
        self.left.clear();
    }

    /// Drops the ways that lead nowhere else, and puts those together that lead to one place.
    fn settle(&mut self) {
        for left in std::mem::take(&mut self.left) {
            if self.places.contain(&left.places) {
                continue;
            }
            let same =
                |known: &Left| known.places.contain(&left.places) && left.places.contain(&known.places);
            let last = self.left.len().checked_sub(MOST_LEFT).map(|_| MOST_LEFT - 1);
            match self.left.iter().position(same).or(last) {
                Some(place) => {
                    self.left[place].places.join(left.places);
                    self.left[place].names.extend(left.names);
                }
                None => self.left.push(left),
            }
        }
    }
}
