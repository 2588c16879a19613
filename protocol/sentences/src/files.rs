//! Files that a person wrote: read whole, and only as large as such a file can be.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::fault::Fault;
use crate::system::plain_words;

/// The text of a file of at most this many bytes. `what` says what is read: "the token".
pub fn read_text(what: &str, path: &Path, most: u64) -> Result<String, Fault> {
    let cannot = |why: std::io::Error| {
        let why = match why.kind() {
            ErrorKind::InvalidData => "it is not text in UTF-8".to_owned(),
            _ => plain_words(&why.to_string()),
        };
        Fault::usage(format!("cannot read {what} {}: {why}", path.display()))
    };
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text)).map_err(|why| {
        // A cut in the middle of a letter is no fault of the file's encoding.
        if text.is_empty() && is_longer(path, most) { too_long(what, path, most) } else { cannot(why) }
    })?;
    if text.len() as u64 > most {
        return Err(too_long(what, path, most));
    }
    Ok(text)
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    }
}

fn is_longer(path: &Path, most: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() > most)
}

fn too_long(what: &str, path: &Path, most: u64) -> Fault {
    Fault::usage(format!(
        "cannot read {what} {}: it has more than {}; is it the right file?",
        path.display(),
        size(most)
    ))
}
