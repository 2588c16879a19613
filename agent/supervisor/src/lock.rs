//! The lock of a folder: of a step's, whose holder may write marks, and of the agent's own state. The kernel drops it with
//! the process that holds it.
//!
//! It is a lock of the open file (`F_OFD_SETLK`), because such a lock can be asked for without being taken: an
//! inspection must never make a supervisor that is just starting believe that there is another one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use serde::{Deserialize, Serialize};

use crate::error::StepError;
use crate::layout;

/// Which process has the lock. Written into the lock's file, for whoever wants to send it a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: i32,
    /// When it was made, as in [`Started::start_time`](crate::Started::start_time).
    pub start_time: u64,
    /// Which run of the machine it belongs to.
    pub boot_id: String,
}

/// The lock, held until this is dropped or the process ends.
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of a folder; `None` if another process has it.
    pub fn take(folder: &Path) -> Result<Option<Self>, StepError> {
        let path = layout::lock(folder);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(StepError::io("open", &path))?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))) {
            Ok(_) => Ok(Some(Self { file })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(error) => Err(StepError::io("lock", &path)(error.into())),
        }
    }

    /// Writes down who holds the lock. Not durable: it means nothing once the holder is gone.
    pub fn sign(&mut self, holder: &Holder) -> io::Result<()> {
        let text = serde_json::to_vec(holder).expect("a holder has only text keys");
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that another thread is just starting has a copy of the file until its exec.
        let _ = fcntl(&self.file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)));
    }
}

/// Whether somebody has the lock of a folder. Takes nothing and disturbs nobody.
pub fn is_held(folder: &Path) -> Result<bool, StepError> {
    let path = layout::lock(folder);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        result => result.map_err(StepError::io("open", &path))?,
    };
    let mut wanted = whole_file(libc::F_WRLCK);
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut wanted))
        .map_err(|error| StepError::io("look at the lock of", &path)(error.into()))?;
    Ok(i32::from(wanted.l_type) != libc::F_UNLCK)
}

/// Who has the lock, by its own word: meaningful only while [`is_held`]. `None` before it has signed.
pub fn holder(folder: &Path) -> Result<Option<Holder>, StepError> {
    let path = layout::lock(folder);
    let mut text = Vec::new();
    File::open(&path)
        .and_then(|mut file| file.read_to_end(&mut text))
        .map_err(StepError::io("read", &path))?;
    Ok(serde_json::from_slice(&text).ok())
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_the_lock_and_asking_does_not_take_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(!is_held(folder.path()).expect("asked"));
        let mut lock = Lock::take(folder.path()).expect("tried").expect("free");
        assert!(is_held(folder.path()).expect("asked"));
        assert!(Lock::take(folder.path()).expect("tried").is_none());
        assert_eq!(holder(folder.path()).expect("read"), None);

        let long = Holder { pid: 1234567, start_time: 99, boot_id: "a-long-boot-id".into() };
        let short = Holder { pid: 1, start_time: 2, boot_id: "b".into() };
        lock.sign(&long).expect("signed");
        lock.sign(&short).expect("signed");
        assert_eq!(holder(folder.path()).expect("read"), Some(short));

        drop(lock);
        assert!(!is_held(folder.path()).expect("asked"));
        assert!(!is_held(folder.path()).expect("asked"), "asking takes nothing");
        assert!(Lock::take(folder.path()).expect("tried").is_some());
    }

    #[test]
    fn a_copy_of_the_file_does_not_keep_a_lock_that_was_given_up() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lock = Lock::take(folder.path()).expect("tried").expect("free");
        // As a process has it between its fork and its exec.
        let copy = lock.file.try_clone().expect("copied");
        drop(lock);
        assert!(!is_held(folder.path()).expect("asked"));
        drop(copy);
    }
}
