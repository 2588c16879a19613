//! Contexts: which coordinator, as whom, in which space. Kept in a file that only its owner may read.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The contexts file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// All of them, by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, StoredContext>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredContext {
    /// The coordinator's address.
    pub server: String,
    /// The token. The file is its owner's alone.
    pub token: String,
    /// The space, where it is not the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
}

impl Contexts {
    /// Where the file lies: below `XDG_CONFIG_HOME`, else `~/.config`.
    pub fn file() -> Result<PathBuf, Failure> {
        let folder =
            std::env::var_os("XDG_CONFIG_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
        let folder = folder.or_else(home).ok_or_else(|| {
            Failure::usage("neither HOME nor XDG_CONFIG_HOME is set, so there is no place for contexts")
        })?;
        Ok(folder.join("windlass").join("contexts.toml"))
    }

    /// Reads the file; none is an empty one. One that others may read is refused.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::usage(format!("{}: {why}", path.display()));
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(why) => return Err(wrong(why.to_string())),
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(wrong("others can read the tokens in it; run `chmod 600` on it".to_owned()));
        }
        let text = fs::read_to_string(path).map_err(|why| wrong(why.to_string()))?;
        // The parser's own message would show the line, and that may be a token.
        toml::from_str(&text).map_err(|why| {
            let line =
                why.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            wrong(format!("line {line} is not right; make the context again with `windlass login`"))
        })
    }

    /// Writes the file, all or nothing, for its owner alone.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let wrong = |why: std::io::Error| Failure::failed(format!("cannot write {}: {why}", path.display()));
        let text =
            toml::to_string(self).map_err(|why| Failure::failed(format!("cannot write contexts: {why}")))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&partial).map_err(wrong)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.and_then(|()| fs::rename(&partial, path)).map_err(|why| {
            let _ = fs::remove_file(&partial);
            wrong(why)
        })
    }

    /// The context of this name, or the one in use where nobody names one.
    pub fn named(&self, name: Option<&str>) -> Result<Option<&StoredContext>, Failure> {
        let Some(name) = name.or(self.current.as_deref()) else { return Ok(None) };
        let found = self.contexts.get(name).map(Some);
        found.ok_or_else(|| {
            let known: Vec<_> = self.contexts.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "there are none".to_owned()
            } else {
                format!("known: {}", known.join(", "))
            };
            windlass_api::error::Problem::not_found(format!("there is no context `{name}`; {known}")).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts() -> Contexts {
        let context =
            StoredContext { server: "https://x".to_owned(), token: "wlt_abc".to_owned(), space: None };
        Contexts {
            current: Some("work".to_owned()),
            contexts: BTreeMap::from([("work".to_owned(), context)]),
        }
    }

    #[test]
    fn contexts_are_read_as_they_were_written_by_their_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("windlass").join("contexts.toml");
        assert!(Contexts::read(&path).unwrap().contexts.is_empty());
        contexts().write(&path).unwrap();
        contexts().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = Contexts::read(&path).unwrap();
        assert_eq!(read.named(None).unwrap().unwrap().server, "https://x");
        assert_eq!(read.named(Some("home")).err().unwrap().exit_code(), 4);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("contexts.toml");
        contexts().write(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let failure = Contexts::read(&path).err().unwrap();
        assert!(failure.to_string().contains("chmod 600"), "{failure}");
    }

    #[test]
    fn an_error_in_the_file_shows_its_line_and_no_token() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("contexts.toml");
        contexts().write(&path).unwrap();
        fs::write(&path, "current = \"work\"\n[contexts.work]\ntoken = \"wlt_secret\nserver = 1\n").unwrap();
        let text = Contexts::read(&path).err().unwrap().to_string();
        assert!(text.contains("line 3") && !text.contains("secret"), "{text}");
    }
}
