//! Packages.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::io::ReaderStream;
use windlass_api::answers::{PackageView, Page};

use crate::failure::Failure;
use crate::options::Part;
use crate::output::{Table, bytes, is_watched};
use crate::session::Session;

/// What to do with packages.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Upload packages: zip, nupkg, tar (plain or with gz, zst or xz), or any single file
    Upload(Upload),
    /// List the packages
    #[command(alias = "get")]
    List(Part),
    /// Show a package
    #[command(alias = "describe")]
    View {
        /// The package's id
        id: String,
        /// Its version
        #[arg(default_value = "latest")]
        version: String,
    },
}

/// What is uploaded.
#[derive(Debug, Args)]
pub struct Upload {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The package's id, where the file's name does not tell it; for one file
    #[arg(long)]
    pub id: Option<String>,
    /// Its version, where the file's name does not tell it; for one file
    #[arg(long)]
    pub version: Option<String>,
}

impl Verb {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Upload(upload) => upload.run(session).await,
            Self::List(part) => {
                let page: Page<PackageView> = session.client.get(&["packages"], &part.query()).await?;
                session.output.page(&page, &HEADERS, row)
            }
            Self::View { id, version } => {
                let view: PackageView = session.client.get(&["packages", &id, &version], &[]).await?;
                session.output.show(&view, |view| {
                    let mut table = Table::new(&HEADERS);
                    table.row(row(view));
                    format!("{table}\n\nmanifest  {}\noriginal  {}", view.manifest, view.original)
                })
            }
        }
    }
}

const HEADERS: [&str; 6] = ["id", "version", "files", "unpacked", "format", "uploaded"];

fn row(view: &PackageView) -> Vec<String> {
    vec![
        view.id.clone(),
        view.version.clone(),
        view.files.to_string(),
        bytes(view.size),
        view.format.clone(),
        view.uploaded.clone(),
    ]
}

impl Upload {
    async fn run(self, session: &Session) -> Result<(), Failure> {
        if self.files.len() > 1 && (self.id.is_some() || self.version.is_some()) {
            return Err(Failure::usage(
                "--id and --version are for one file; upload the others by themselves",
            ));
        }
        let mut uploaded = Vec::new();
        for path in &self.files {
            uploaded.push(self.upload(session, path).await?);
        }
        session.output.page(&Page { items: uploaded, next: None }, &HEADERS, row)
    }

    async fn upload(&self, session: &Session, path: &Path) -> Result<PackageView, Failure> {
        let wrong = |why: std::io::Error| Failure::usage(format!("cannot read {}: {why}", path.display()));
        let file = tokio::fs::File::open(path).await.map_err(wrong)?;
        let metadata = file.metadata().await.map_err(wrong)?;
        if !metadata.is_file() {
            return Err(Failure::usage(format!("{} is no file", path.display())));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name =
            name.ok_or_else(|| Failure::usage(format!("the name of {} is not UTF-8", path.display())))?;
        let bar = bar(name, metadata.len());
        let counted = bar.clone();
        let stream = ReaderStream::with_capacity(file, 256 << 10).inspect(move |chunk| {
            counted.inc(chunk.as_ref().map_or(0, |chunk| chunk.len() as u64));
        });
        let query =
            [("name", Some(name.to_owned())), ("id", self.id.clone()), ("version", self.version.clone())];
        let body = reqwest::Body::wrap_stream(stream);
        let answer = session.client.upload(&["packages"], &query, body, metadata.len()).await;
        bar.finish_and_clear();
        answer
    }
}

fn bar(name: &str, length: u64) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = ProgressBar::new(length).with_message(name.to_owned());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
