//! Accounts: each (space, tenant) has one of its own on this machine, so that tenants which share it are kept apart
//! by the operating system (SEMANTICS 3).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::unistd::User;
use windlass_protocol::Digest;
use windlass_protocol::message::{InstallationPath, Isolation};
use windlass_segments::fail;
use windlass_supervisor::Account;

/// Another `useradd` holds the lock for a moment.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// The account's name: made from ids alone, so that no name from elsewhere reaches the system.
pub(super) fn name_of(place: &InstallationPath) -> String {
    let tenant = place.tenant.as_ref().map(|(id, _)| *id.as_bytes()).unwrap_or_default();
    let digest = Digest::of([place.space.0.as_bytes().as_slice(), &tenant].concat());
    let (first, _) = digest.as_bytes().split_at(10);
    format!("wl-{}", data_encoding::BASE32_NOPAD.encode(first).to_lowercase())
}

/// The account for a place, made if it is missing; `None` where the agent keeps nobody apart.
pub(super) fn account(
    isolation: Isolation,
    place: &InstallationPath,
    home: &Path,
) -> anyhow::Result<Option<Account>> {
    if isolation != Isolation::Accounts {
        return Ok(None);
    }
    let name = name_of(place);
    for _ in 0..TRIES {
        if let Some(user) = User::from_name(&name).context("cannot look up accounts")? {
            return Ok(Some(Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
        }
        fail::point("account-before-make");
        if make(&name, place, home)? {
            fail::point("account-after-make");
            continue;
        }
        std::thread::sleep(PAUSE);
    }
    bail!("the account {name} could not be made: the system's list of accounts stays locked")
}

/// Runs `useradd`; false where its lock is held and it should be tried again.
fn make(name: &str, place: &InstallationPath, home: &Path) -> anyhow::Result<bool> {
    let tenant = place.tenant.as_ref().map_or_else(|| "untenanted".to_owned(), |(id, _)| id.to_string());
    let output = Command::new("useradd")
        .args(["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"])
        .args(["--comment", &format!("Windlass {tenant}"), "--home-dir"])
        .arg(home)
        .arg(name)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .context("cannot run useradd, which makes the tenants' accounts")?;
    const LOCKED: i32 = 1;
    const EXISTS: i32 = 9;
    const BUSY: i32 = 10;
    match output.status.code() {
        Some(0 | EXISTS) => Ok(true),
        Some(LOCKED | BUSY) => Ok(false),
        _ => bail!("useradd could not make {name}: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}
