//! What is checked: what lies on each machine's disk, against what should, and for each customer's canaries that they
//! lie nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::console::say;
use super::fleet::{Fleet, Member};
use super::packages::brand_of;
use super::programs::key_of;

const CUSTOMERS: [&str; 3] = ["Customer-1", "Customer-2", "Customer-3"];

/// The table of who received what, and whether all of it is as it should be.
pub(super) fn check(fleet: &Fleet) -> (Vec<Vec<String>>, bool) {
    let titles = ["target", "tenants served", "packages of", "secrets of", "as expected"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    let mut held = true;
    for member in &fleet.members {
        let expected: BTreeSet<_> = member.expected.iter().map(|name| (*name).to_owned()).collect();
        let served = served(member);
        let brands = found(&member.folder, brand_of);
        let keys = found(&member.folder, key_of);
        let right = served == expected && brands == expected && keys == expected;
        if !right {
            say(&format!("check failed: {} should hold things of {}", member.name, words(&expected)));
        }
        held &= right;
        let verdict = if right { "yes" } else { "NO" };
        rows.push(vec![
            member.name.to_owned(),
            words(&served),
            words(&brands),
            words(&keys),
            verdict.to_owned(),
        ]);
    }
    (rows, held)
}

fn words(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}

fn served(member: &Member) -> BTreeSet<String> {
    let slugs = member.served();
    CUSTOMERS
        .iter()
        .filter(|name| slugs.contains(&name.to_lowercase()))
        .map(|name| (*name).to_owned())
        .collect()
}

/// The customers whose canary is anywhere below a folder.
fn found(folder: &Path, canary: impl Fn(&str) -> String) -> BTreeSet<String> {
    let canaries: Vec<_> = CUSTOMERS.iter().map(|name| (*name, canary(name))).collect();
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(content) = fs::read(entry.path())
            {
                for (name, canary) in &canaries {
                    if contains(&content, canary.as_bytes()) {
                        found.insert((*name).to_owned());
                    }
                }
            }
        }
    }
    found
}

fn contains(content: &[u8], canary: &[u8]) -> bool {
    content.windows(canary.len()).any(|window| window == canary)
}
