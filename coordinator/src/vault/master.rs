//! The master key: from systemd's credentials, or a file of the data folder that only its owner may read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{KeyBytes, VaultError, random, write_private};

/// The credential's name: `LoadCredentialEncrypted=windlass-master-key:…` in the unit.
const CREDENTIAL: &str = "windlass-master-key";

fn credential() -> Result<Option<PathBuf>, VaultError> {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else { return Ok(None) };
    let path = Path::new(&folder).join(CREDENTIAL);
    Ok(is_there(&path)?.then_some(path))
}

/// Whether a key is there. One that cannot be looked at is not taken for one that is missing, or another would be made.
fn is_there(path: &Path) -> Result<bool, VaultError> {
    path.try_exists().map_err(|source| VaultError::refused("look at", path.display(), source))
}

fn file(data: &Path) -> PathBuf {
    data.join("master.key")
}

/// Makes the file, unless it or the credential is there.
pub(super) fn create(data: &Path) -> Result<(), VaultError> {
    let path = file(data);
    if credential()?.is_some() || is_there(&path)? {
        return Ok(());
    }
    let key: Zeroizing<[u8; 32]> = Zeroizing::new(random());
    let text = Zeroizing::new(format!("{}\n", data_encoding::HEXLOWER.encode(key.as_slice())));
    write_private(&path, text.as_bytes())
}

/// Reads the key: 64 hexadecimal digits.
pub(super) fn read(data: &Path) -> Result<KeyBytes, VaultError> {
    let path = match credential()? {
        Some(path) => path,
        None => {
            let path = file(data);
            let mode = fs::metadata(&path).map_err(|source| VaultError::unread(path.display(), source))?;
            if mode.permissions().mode() & 0o077 != 0 {
                let why = "can be read by others; run `chmod 600` on it, and think about who may have";
                return Err(VaultError::Unusable { place: path.display().to_string(), why });
            }
            path
        }
    };
    let text = fs::read(&path).map_err(|source| VaultError::unread(path.display(), source))?;
    let text = Zeroizing::new(text);
    let decoded = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim_ascii()).map(Zeroizing::new);
    let bytes = decoded.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    bytes.map(Zeroizing::new).ok_or_else(|| VaultError::Unusable {
        place: path.display().to_string(),
        why: "holds no key, which is 64 hexadecimal digits; restore it from a backup",
    })
}
