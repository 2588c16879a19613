//! Looking for words that must not be somewhere: in bytes, in names and contents of files, in processes.
//!
//! Words are found as they are and as programs commonly write bytes: in base64 at every offset, in hexadecimal, and as
//! a JSON list of numbers.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aho_corasick::AhoCorasick;

/// The words to look for.
pub struct Canaries {
    words: Vec<String>,
    /// All spellings of all words.
    spellings: AhoCorasick,
    /// Of each spelling, its word.
    word_of: Vec<usize>,
}

impl Canaries {
    /// Looks for these words, whatever their case.
    pub fn new(words: Vec<String>) -> Self {
        let mut spellings = Vec::new();
        let mut word_of = Vec::new();
        for (index, word) in words.iter().enumerate() {
            for spelling in spellings_of(word) {
                spellings.push(spelling);
                word_of.push(index);
            }
        }
        let spellings = AhoCorasick::builder().ascii_case_insensitive(true).build(spellings);
        Self { words, spellings: spellings.expect("a few words"), word_of }
    }

    /// Adds the words that are in these bytes.
    pub fn find(&self, bytes: &[u8], found: &mut BTreeSet<String>) {
        for hit in self.spellings.find_overlapping_iter(bytes) {
            let word = &self.words[self.word_of[hit.pattern().as_usize()]];
            if !found.contains(word) {
                found.insert(word.clone());
            }
        }
    }
}

fn spellings_of(word: &str) -> Vec<String> {
    let numbers: Vec<_> = word.bytes().map(|byte| byte.to_string()).collect();
    let mut spellings =
        vec![word.to_owned(), numbers.join(","), data_encoding::HEXLOWER.encode(word.as_bytes())];
    for before in 0..3 {
        let bytes = [vec![0; before], word.as_bytes().to_vec()].concat();
        let encoded = data_encoding::BASE64_NOPAD.encode(&bytes);
        // The characters that depend on nothing but the word.
        spellings.push(encoded[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned());
    }
    spellings
}

/// What was found below some folders, looked at again and again: what was deleted meanwhile counts.
pub struct Scan<'a> {
    canaries: &'a Canaries,
    /// The words that were seen in names and contents of files.
    pub found: BTreeSet<String>,
    /// Files that need no second look.
    seen: HashSet<(PathBuf, u64, SystemTime)>,
}

impl<'a> Scan<'a> {
    /// Nothing was looked at yet.
    pub fn new(canaries: &'a Canaries) -> Self {
        Self { canaries, found: BTreeSet::new(), seen: HashSet::new() }
    }

    /// Looks at everything below a folder. What vanishes meanwhile is skipped.
    pub fn look(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            self.canaries.find(entry.file_name().as_bytes(), &mut self.found);
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                self.look(&path);
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).unwrap_or_default();
                self.canaries.find(target.as_os_str().as_bytes(), &mut self.found);
            } else if metadata.is_file() {
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                if self.seen.insert((path.clone(), metadata.len(), modified))
                    && let Ok(bytes) = fs::read(&path)
                {
                    self.canaries.find(&bytes, &mut self.found);
                }
            }
        }
    }

    /// Looks at the processes that were started with a variable of the environment that names something below
    /// `folder`, or are in a folder below it: their environment, arguments, and the files that they have in memory.
    pub fn look_at_processes(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir("/proc") else { return };
        for process in entries.flatten().map(|entry| entry.path()) {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let is_inside = fs::read_link(process.join("cwd")).is_ok_and(|inside| inside.starts_with(folder));
            if !is_inside && !contains(&environment, folder.as_os_str().as_bytes()) {
                continue;
            }
            self.canaries.find(&environment, &mut self.found);
            self.canaries.find(&fs::read(process.join("cmdline")).unwrap_or_default(), &mut self.found);
            let Ok(files) = fs::read_dir(process.join("fd")) else { continue };
            for file in files.flatten().map(|entry| entry.path()) {
                if fs::read_link(&file).is_ok_and(|target| {
                    target.starts_with("/memfd:") || target.as_os_str().as_bytes().starts_with(b"/memfd:")
                }) {
                    self.canaries.find(&fs::read(&file).unwrap_or_default(), &mut self.found);
                }
            }
        }
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bytes: &[u8]) -> Vec<String> {
        let canaries = Canaries::new(vec!["cnyalphaone".to_owned(), "cnybetatwo".to_owned()]);
        let mut found = BTreeSet::new();
        canaries.find(bytes, &mut found);
        found.into_iter().collect()
    }

    #[test]
    fn words_are_found_in_every_spelling() {
        for before in 0..4 {
            let text = format!("{}cnyalphaone and more", "x".repeat(before));
            assert_eq!(found(text.as_bytes()), ["cnyalphaone"]);
            assert_eq!(found(text.to_uppercase().as_bytes()), ["cnyalphaone"]);
            let encoded = data_encoding::BASE64.encode(text.as_bytes());
            assert_eq!(found(encoded.as_bytes()), ["cnyalphaone"], "{encoded}");
            let numbers = serde_json::to_vec(text.as_bytes()).expect("a list");
            assert_eq!(found(&numbers), ["cnyalphaone"]);
        }
        assert!(found(b"cnyalphaon").is_empty());
        assert_eq!(found(b"cnyalphaonecnybetatwo"), ["cnyalphaone", "cnybetatwo"]);
    }

    #[test]
    fn names_contents_and_links_of_files_are_looked_at_and_deleted_ones_stay_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let canaries = Canaries::new(["cnyname", "cnycontent", "cnylink"].map(str::to_owned).to_vec());
        let mut scan = Scan::new(&canaries);
        fs::create_dir(folder.path().join("cnyname")).expect("a folder");
        fs::write(folder.path().join("cnyname/file"), "has cnycontent").expect("a file");
        std::os::unix::fs::symlink("to/cnylink", folder.path().join("link")).expect("a link");
        scan.look(folder.path());
        fs::remove_dir_all(folder.path().join("cnyname")).expect("it is there");
        scan.look(folder.path());
        assert_eq!(scan.found.iter().collect::<Vec<_>>(), ["cnycontent", "cnylink", "cnyname"]);
    }
}
