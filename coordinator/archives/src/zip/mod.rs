//! Zip archives. The central directory is the truth; whatever contradicts it refuses the archive.

mod directory;
mod entry;
mod nupkg;

use std::io::{BufReader, Read, Seek};

use ::zip::ZipArchive;
use ::zip::read::{ArchiveOffset, Config, ZipReadOptions};
use ::zip::result::ZipError;
use windlass_protocol::limits::PATH_BYTES;

use crate::content::{Content, store};
use crate::format::entry_path;
use crate::plan::{Kind, Plan, Tree};
use crate::source::Faults;
use crate::{ArchiveError, BadPackage, Contents, Format, Job, Shown};
use entry::{Header, Stated};

/// Bytes of a local header: a name, and padding to a page of 16 KiB, as zipalign writes it.
const LOCAL_HEADER_BYTES: u64 = 20 << 10;

/// Reads a zip archive or a NuGet package.
pub(crate) fn read(job: Job<'_>) -> Result<Contents, ArchiveError> {
    let Job { source, length, limits, sink, faults } = job;
    let mut reader = BufReader::new(source);
    let directory = directory::check(&mut reader, length, limits, &faults)?;
    // The end record was checked to be the only one, so the library has to find the same directory.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let archive = ZipArchive::with_config(config, reader).map_err(|error| damaged(&faults, &error))?;
    if archive.len() != directory.entries || archive.central_directory_start() != directory.start {
        return Err(BadPackage::Damaged {
            format: "zip",
            detail: Shown::new("its directory can be read in two ways"),
        }
        .into());
    }
    let format =
        if archive.file_names_raw().any(nupkg::is_specification) { Format::Nupkg } else { Format::Zip };
    let mut reading = Reading { archive, format, directory_start: directory.start, faults: &faults };
    let mut plan = Plan::new(limits, length);
    let files = reading.plan(&mut plan)?;
    let mut tree = plan.finish()?;
    for (planned, index) in files.into_iter().enumerate() {
        let Some((name, size)) = file(&tree, planned) else { continue };
        let name = name.to_owned();
        let mut content = reading.open(index, &name)?;
        let digest = store(&mut *sink, &mut content, &name, size, &faults)?;
        drop(content);
        tree.set_digest(planned, digest);
    }
    Ok(Contents { manifest: tree.into_manifest()?, format })
}

fn file(tree: &Tree, planned: usize) -> Option<(&str, u64)> {
    let entry = tree.entry(planned)?;
    match entry.kind {
        Kind::File { size, .. } => Some((entry.path.as_str(), size)),
        Kind::Directory | Kind::Link { .. } => None,
    }
}

fn damaged(faults: &Faults, error: &ZipError) -> ArchiveError {
    faults.or(BadPackage::Damaged { format: "zip", detail: Shown::new(error.to_string()) })
}

/// An archive whose directory has been read.
struct Reading<'a, R> {
    archive: ZipArchive<R>,
    format: Format,
    directory_start: u64,
    faults: &'a Faults,
}

impl<R: Read + Seek> Reading<'_, R> {
    /// Plans all entries, in the order of the directory; answers with the place of each planned one in it.
    fn plan(&mut self, plan: &mut Plan<'_>) -> Result<Vec<usize>, ArchiveError> {
        let mut places = Vec::new();
        let mut extents = Vec::with_capacity(self.archive.len());
        for index in 0..self.archive.len() {
            let entry = self.archive.by_index_data(index).map_err(|error| damaged(self.faults, &error))?;
            let header = Header::of(&entry)?;
            let data_start = self.check_local_header(index, &header)?;
            extents.push(Extent {
                start: header.start,
                end: data_start.saturating_add(header.packed),
                index,
            });
            let Some(name) = self.name_in_package(&header.name) else { continue };
            let kind = match header.stated()? {
                Stated::Directory => Kind::Directory,
                Stated::File { executable } => Kind::File { executable, size: header.size },
                Stated::Link => Kind::Link { target: self.link_target(index, &header)? },
            };
            let name = if kind == Kind::Directory { name.strip_suffix(b"/").unwrap_or(&name) } else { &name };
            plan.add(entry_path(name)?, kind)?;
            places.push(index);
        }
        self.check_extents(extents)?;
        Ok(places)
    }

    /// The name under which an entry is deployed; none if it belongs to the packaging.
    fn name_in_package(&self, name: &[u8]) -> Option<Vec<u8>> {
        if self.format != Format::Nupkg {
            return Some(name.to_vec());
        }
        let name = nupkg::unescape(name);
        (!nupkg::is_packaging(&name)).then_some(name)
    }

    /// Compares the entry's two headers and says where its bytes start.
    fn check_local_header(&mut self, index: usize, header: &Header) -> Result<u64, ArchiveError> {
        let faults = self.faults;
        let refuse = |detail: &str| faults.or(header.unreadable(detail));
        // The library's time to read extra fields grows with the square of their number.
        let found = self.archive.by_index_raw(index).map(|file| file.data_start());
        let data_start = found.map_err(|error| refuse(&error.to_string()))?;
        let data_start = data_start.ok_or_else(|| refuse("its local header is missing"))?;
        if data_start - header.start > LOCAL_HEADER_BYTES {
            return Err(refuse("its local header is longer than 20 KiB"));
        }
        let options = ZipReadOptions::new().enforce_header_consistency(true);
        match self.archive.by_index_with_options(index, options) {
            Ok(_) => Ok(data_start),
            Err(error) => Err(refuse(&error.to_string())),
        }
    }

    fn link_target(&mut self, index: usize, header: &Header) -> Result<String, ArchiveError> {
        let shown = header.shown();
        if header.size > PATH_BYTES as u64 {
            return Err(BadPackage::TargetTooLong { name: shown }.into());
        }
        let (name, faults) = (shown.to_string(), self.faults);
        let mut file = self.open(index, &name)?;
        let mut target = Vec::new();
        let read = Content::new(&mut file, &name, header.size, faults).read_to_end(&mut target);
        faults.check()?;
        read.map_err(ArchiveError::Read)?;
        Ok(String::from_utf8(target).map_err(|_| BadPackage::TargetText { name: shown })?)
    }

    fn open(&mut self, index: usize, name: &str) -> Result<impl Read, ArchiveError> {
        self.archive.by_index(index).map_err(|error| {
            let (name, detail) = (Shown::new(name), Shown::new(error.to_string()));
            self.faults.or(BadPackage::Entry { name, detail })
        })
    }

    /// Every entry must have bytes of its own: a bomb lists the same ones thousands of times.
    fn check_extents(&self, mut extents: Vec<Extent>) -> Result<(), BadPackage> {
        extents.sort_unstable_by_key(|extent| (extent.start, extent.end));
        let name = |extent: &Extent| {
            let name = self.archive.file_names_raw().nth(extent.index);
            Shown::new(name.unwrap_or_default())
        };
        if extents.first().is_some_and(|first| first.start != 0) {
            return Err(BadPackage::Surplus { format: "zip", place: "before its first entry" });
        }
        if let Some(pair) = extents.windows(2).find(|pair| pair[0].end > pair[1].start) {
            return Err(BadPackage::Overlap { first: name(&pair[0]), second: name(&pair[1]) });
        }
        match extents.iter().find(|extent| extent.end > self.directory_start) {
            None => Ok(()),
            Some(extent) => Err(BadPackage::Entry {
                name: name(extent),
                detail: Shown::new("its bytes run into the directory"),
            }),
        }
    }
}

/// The bytes of the archive that belong to one entry, its local header included.
struct Extent {
    start: u64,
    end: u64,
    index: usize,
}
