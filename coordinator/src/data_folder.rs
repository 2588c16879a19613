//! The data folder from outside: whether it holds an installation, whose it is, and who may look into it. Nothing is made
//! here. What may not be looked at is never taken for what is not there.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Uid, User, geteuid};
use windlass_sentences::{ExitKind, Fault};

use crate::journal;

/// What only a coordinator that has served leaves in its data folder.
const SERVED: [&str; 4] = ["packages", "output", "output-index", "snapshots"];
/// What `init` leaves there that was interrupted before the first record, and what file systems put into their roots.
const BEGUN: [&str; 7] = [
    "journal",
    "keys",
    "master.key",
    "master.key.partial",
    "authority.der",
    "authority.der.partial",
    "lost+found",
];

/// Says so where `data` holds no installation, or no more than a part of one.
pub fn expect(data: &Path) -> Result<(), Fault> {
    if has_journal(data)? {
        return Ok(());
    }
    refuse_remains(data)?;
    Err(holds_none(data))
}

/// The sentence for a folder without an installation.
pub(crate) fn holds_none(data: &Path) -> Fault {
    let said = data.display();
    Fault::usage(format!(
        "{said} holds no installation; make one with `windlass-coordinator init --data {said}`"
    ))
}

/// Whether `data` has a journal's folder, which this user may read.
pub(crate) fn has_journal(data: &Path) -> Result<bool, Fault> {
    let journal = journal::folder(data);
    if !found(&journal)?.is_some_and(|found| found.is_dir()) {
        return Ok(false);
    }
    fs::read_dir(&journal).map_err(|why| refused("look into", &journal, &why))?;
    Ok(true)
}

/// Refuses what is left of an installation without its journal: another one made there would take the place of its keys.
pub(crate) fn refuse_remains(data: &Path) -> Result<(), Fault> {
    for left in SERVED {
        if found(&data.join(left))?.is_some() {
            let (journal, data) = (journal::folder(data), data.display());
            let text = format!(
                "{} holds no record, but {data}/{left} is left of an installation; restore the journal from a backup, or \
                 choose another data folder",
                journal.display()
            );
            return Err(Fault::new(ExitKind::Failed, text));
        }
    }
    Ok(())
}

/// Refuses a folder that holds other things than an installation: it is somebody else's.
pub(crate) fn refuse_foreign(data: &Path) -> Result<(), Fault> {
    let wrong = |why: io::Error| refused("look into", data, &why);
    let entries = match fs::read_dir(data) {
        // Whoever makes it says what is in the way.
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        entries => entries.map_err(wrong)?,
    };
    for entry in entries {
        let name = entry.map_err(wrong)?.file_name();
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if !is_hidden && !BEGUN.into_iter().chain(SERVED).any(|own| name == own) {
            let (said, name) = (data.display(), name.display());
            return Err(Fault::usage(format!(
                "{said} holds other things, such as `{name}`; a data folder is empty or does not exist before it is made"
            )));
        }
    }
    Ok(())
}

/// What another user than the owner writes into the journal's folder, the coordinator could not open any more.
pub(crate) fn expect_owner(data: &Path) -> Result<(), Fault> {
    let journal = journal::folder(data);
    let owner = fs::metadata(&journal).map_err(|why| refused("look at", &journal, &why))?.uid();
    if owner == geteuid().as_raw() { Ok(()) } else { Err(Fault::usage(belongs(data, owner))) }
}

/// What lies at a path; `None` where nothing does.
fn found(path: &Path) -> Result<Option<Metadata>, Fault> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(why) => Err(refused("look into", path, &why)),
    }
}

/// What the system refused: of a permission, whose it is to give, which the nearest folder tells that can be seen.
pub(crate) fn refused(action: &str, path: &Path, why: &io::Error) -> Fault {
    let said = path.display();
    if why.kind() == ErrorKind::PermissionDenied {
        let seen = path.ancestors().find_map(|above| Some((above, fs::metadata(above).ok()?.uid())));
        if let Some((folder, owner)) = seen.filter(|(_, owner)| *owner != geteuid().as_raw()) {
            return Fault::usage(format!("cannot {action} {said}: {}", belongs(folder, owner)));
        }
    }
    Fault::new(ExitKind::Failed, format!("cannot {action} {said}: {why}"))
}

fn belongs(folder: &Path, owner: u32) -> String {
    let (folder, owner, own) = (folder.display(), user(Uid::from_raw(owner)), user(geteuid()));
    format!("{folder} belongs to {owner}; run this as that user, not as {own}")
}

/// A user as people know it.
fn user(id: Uid) -> String {
    match User::from_uid(id) {
        Ok(Some(user)) => format!("the user `{}` with the id {id}", user.name),
        _ => format!("the user with the id {id}"),
    }
}
