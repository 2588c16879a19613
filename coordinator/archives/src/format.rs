//! What an uploaded file is, told by its content; its name can only contradict.

use std::fmt;

use windlass_protocol::manifest::{BadPath, EntryPath};

use crate::decompress::Compression;
use crate::source::{Faults, Source, read_up_to};
use crate::{ArchiveError, BadPackage, Shown};

/// What kind of file was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Zip,
    /// A NuGet package: a zip archive with a `.nuspec` at its root.
    Nupkg,
    Tar,
    TarGzip,
    TarZstd,
    TarXz,
    /// No archive: the file itself is the package.
    SingleFile,
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Zip => "zip",
            Self::Nupkg => "nupkg",
            Self::Tar => "tar",
            Self::TarGzip => "tar.gz",
            Self::TarZstd => "tar.zst",
            Self::TarXz => "tar.xz",
            Self::SingleFile => "single file",
        })
    }
}

/// How a file has to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Zip,
    Tar(Compression),
    Single,
}

/// The extensions that promise an archive.
pub(crate) const EXTENSIONS: &[(&str, Format)] = &[
    (".zip", Format::Zip),
    (".nupkg", Format::Nupkg),
    (".tar", Format::Tar),
    (".tar.gz", Format::TarGzip),
    (".tgz", Format::TarGzip),
    (".tar.zst", Format::TarZstd),
    (".tzst", Format::TarZstd),
    (".tar.xz", Format::TarXz),
    (".txz", Format::TarXz),
];

/// Bytes of a tar header, the longest beginning that has to be seen.
const HEAD_BYTES: usize = 512;
/// Where a tar header says `ustar`, in the POSIX and in the GNU dialect alike.
const USTAR: std::ops::Range<usize> = 257..262;

/// Looks at the first bytes, through the compression if there is one, and leaves the position at the start.
pub(crate) fn recognise(source: &mut Source<'_>, faults: &Faults) -> Result<Container, ArchiveError> {
    let mut head = [0; HEAD_BYTES];
    let damaged = |format, error: std::io::Error| {
        faults.or(BadPackage::Damaged { format, detail: Shown::new(error.to_string()) })
    };
    let length = read_up_to(source, &mut head).map_err(|error| damaged("uploaded", error))?;
    let container = match &head[..length] {
        // An entry, the end of an empty archive, or the marker of one part of several.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Container::Zip,
        head if is_tar(head) => Container::Tar(Compression::None),
        head => match compression_of(head) {
            None => Container::Single,
            Some(compression) => {
                source.restart()?;
                let mut inside = [0; HEAD_BYTES];
                let length = compression
                    .open(&mut *source)
                    .and_then(|mut stream| read_up_to(&mut stream, &mut inside))
                    .map_err(|error| damaged(compression.name(), error))?;
                if is_tar(&inside[..length]) { Container::Tar(compression) } else { Container::Single }
            }
        },
    };
    source.restart()?;
    Ok(container)
}

fn is_tar(head: &[u8]) -> bool {
    head.get(USTAR) == Some(b"ustar".as_slice())
}

fn compression_of(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        // A frame, or a frame to be skipped, with which pzstd begins.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
        _ => None,
    }
}

/// Refuses a file whose name promises an archive and whose content is something else: it was damaged on its way, or
/// is an error page that was saved as a package, and must not be deployed as a single file.
pub(crate) fn check_name(file_name: &str, container: Container) -> Result<(), BadPackage> {
    if container != Container::Single {
        return Ok(());
    }
    match promised(file_name) {
        Some((_, promised)) => Err(BadPackage::NameLies { name: Shown::new(file_name), promised }),
        None => Ok(()),
    }
}

/// The name without the extension that promises an archive, and what it promises.
pub(crate) fn promised(file_name: &str) -> Option<(&str, Format)> {
    EXTENSIONS.iter().find_map(|(extension, format)| {
        let at = file_name.len().checked_sub(extension.len()).filter(|at| file_name.is_char_boundary(*at))?;
        let (stem, end) = file_name.split_at(at);
        end.eq_ignore_ascii_case(extension).then_some((stem, *format))
    })
}

/// The last part of a name that may come with folders, of either kind of system.
pub(crate) fn base_name(file_name: &str) -> &str {
    file_name.rsplit(['/', '\\']).next().unwrap_or(file_name)
}

/// The bytes of an entry's name as a checked path.
pub(crate) fn entry_path(name: &[u8]) -> Result<EntryPath, BadPackage> {
    EntryPath::new(name).map_err(|bad: BadPath| BadPackage::Name { name: Shown::new(name), bad })
}
