//! Packages: upload, list, view.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use axum::Json;
use axum::body::Body as Stream;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use windlass_api::answers::{PackageView, Page};
use windlass_api::error::{Problem, ProblemKind};
use windlass_coordinator_core::catalogue::unknown;
use windlass_coordinator_core::decide::SpaceCommand;
use windlass_coordinator_core::model::{Package, PackageKey};
use windlass_coordinator_core::version::{NotAVersion, Version};
use windlass_packages::{Limits, PackageStore, StoreError, Texts, UploadError, Uploaded};
use windlass_protocol::manifest::EntryPath;
use windlass_protocol::{Digest, limits};
use windlass_segments::disk::is_full;

use super::body::Incoming;
use super::caller::{Changer, Reader};
use super::extract::{Asked, Named};
use super::pages::Paging;
use super::refusal::{Answer, Refusal};
use super::{Context, display};
use crate::engine::now;

/// Bytes of hooks and named files that are read to find what they need: configuration, not content.
const TEXT_BYTES: u64 = 16 << 20;

/// What is uploaded.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Upload {
    /// The file's name; its ending helps to tell its format.
    pub name: String,
    /// The package's id, where the name does not tell it.
    pub id: Option<String>,
    /// Its version, where the name does not tell it.
    pub version: Option<String>,
}

/// Uploads a package: zip, nupkg, tar (plain or with gz, zst or xz), or any single file. The body is the file.
#[utoipa::path(post, path = "/packages", tag = "packages", params(Upload),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = PackageView)))]
pub async fn upload(
    caller: Changer,
    Asked(upload): Asked<Upload>,
    headers: HeaderMap,
    body: Stream,
) -> Answer<PackageView> {
    let context = &caller.context;
    let body = Incoming::new(context, &headers, body, limits::ARCHIVE_BYTES)?;
    let upload_permit = context.until_stopped(context.quotas.uploads.take(caller.token())).await??;
    let file = receive(context, body).await?;
    // Only what has come takes its turn: whoever sends slowly, or not at all, keeps nobody else waiting.
    let permit = context.until_stopped(context.quotas.storing.take(caller.token())).await??;
    let (packages, name) = (Arc::clone(&context.services.packages), upload.name.clone());
    let storing = tokio::task::spawn_blocking(move || {
        let stored = store(&packages, file, &name);
        // Not before it is stored, even where who uploaded it has gone.
        drop((permit, upload_permit));
        stored
    });
    let stored = storing.await.map_err(|why| Refusal::internal("storing a package", &why))??;
    let key = key(&upload, &stored)?;
    let package = Package {
        key: key.clone(),
        manifest: stored.manifest,
        original: stored.original,
        format: stored.format.to_string(),
        size: stored.size,
        files: u32::try_from(stored.files).unwrap_or(u32::MAX),
        uploaded: now(),
    };
    caller.submit_in_space(SpaceCommand::AddPackage(package), None).await?;
    let sight = caller.sight()?;
    let package = sight.space().packages.get(&key);
    let package = package.ok_or_else(|| Problem::not_found("the package was deleted at once"))?;
    Ok(Json(view_of(package)))
}

/// Receives the body into a file without a name: whatever interrupts the upload, nothing is left behind.
async fn receive(context: &Context, mut body: Incoming<'_>) -> Result<std::fs::File, Refusal> {
    let folder = context.services.data.join("uploads");
    let opening = move || {
        std::fs::create_dir_all(&folder)?;
        tempfile::tempfile_in(&folder)
    };
    let opened = tokio::task::spawn_blocking(opening).await;
    let opened = opened.map_err(|why| Refusal::internal("receiving a package", &why))?;
    let mut file = opened.map_err(|why| Refusal::internal("receiving a package", &why))?;
    while let Some(chunk) = body.next().await? {
        let writing = tokio::task::spawn_blocking(move || file.write_all(&chunk).map(|()| file));
        let written = writing.await.map_err(|why| Refusal::internal("receiving a package", &why))?;
        file = written.map_err(unwritten)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(unwritten)?;
    Ok(file)
}

fn unwritten(why: std::io::Error) -> Refusal {
    if is_full(&why) {
        let text = "the package cannot be stored: the coordinator's disk is full";
        return Problem::new(ProblemKind::DiskFull, text).into();
    }
    Refusal::internal("receiving a package", &why)
}

/// Takes an uploaded file as hostile input. Waits for the store.
fn store(packages: &PackageStore, file: File, name: &str) -> Result<Uploaded, Problem> {
    packages.store_upload(file, name, &Limits::default()).map_err(|why| match why {
        UploadError::Store(why) => broken("the package cannot be stored", &why),
        other => Problem::usage(format!("{name}: {other}")),
    })
}

/// The files of a stored package that `wanted` selects, as texts. Waits for the store.
pub(super) fn texts(
    packages: &PackageStore,
    manifest: Digest,
    wanted: impl Fn(&EntryPath) -> bool,
) -> Result<Texts, Problem> {
    let failed = |why: StoreError| broken("the package cannot be read", &why);
    let manifest = packages.manifest(manifest).map_err(failed)?;
    let manifest = manifest.ok_or_else(|| Problem::failed("the store does not hold the package any more"))?;
    packages.read_texts(&manifest, wanted, TEXT_BYTES).map_err(failed)
}

/// A full disk is said; everything else about the store's folder is for the log alone.
fn broken(what: &str, why: &StoreError) -> Problem {
    tracing::error!(%why, "{what}");
    match why {
        StoreError::Full { .. } => {
            Problem::new(ProblemKind::DiskFull, format!("{what}: the coordinator's disk is full"))
        }
        _ => Problem::failed(format!("{what}; the coordinator's log tells why")),
    }
}

/// What names the package: what was said, else what the file's name tells.
fn key(upload: &Upload, stored: &Uploaded) -> Result<PackageKey, Problem> {
    let told = stored.identified.clone();
    let (told_id, told_version) = told.unzip();
    let (Some(id), Some(version)) = (upload.id.clone().or(told_id), upload.version.clone().or(told_version))
    else {
        return Err(Problem::usage(format!(
            "`{}` does not tell the package's id and version; give them, or name the file like `synergy-web.1.4.0.zip`",
            upload.name
        )));
    };
    let version = version.parse().map_err(|why: NotAVersion| Problem::usage(why.to_string()))?;
    Ok(PackageKey { id, version })
}

/// The packages, by id and version.
#[utoipa::path(get, path = "/packages", tag = "packages", params(Paging),
    responses((status = 200, body = Page<PackageView>)))]
pub async fn list(caller: Reader, Asked(paging): Asked<Paging>) -> Answer<Page<PackageView>> {
    let sight = caller.sight()?;
    let admitted = sight.space().packages.values().filter(|package| paging.admits([package.key.id.as_str()]));
    let key = |package: &Package| format!("{}/{}", package.key.id, package.key.version);
    let keyed = admitted.map(|package| (key(package), package));
    Ok(Json(paging.page(keyed, |package| view_of(package))?))
}

/// A package.
#[utoipa::path(get, path = "/packages/{id}/{version}", tag = "packages",
    params(("id" = String, Path, description = "The package's id."),
        ("version" = String, Path, description = "Its version, or `latest`.")),
    responses((status = 200, body = PackageView)))]
pub async fn view(caller: Reader, Named((id, version)): Named<(String, String)>) -> Answer<PackageView> {
    let sight = caller.sight()?;
    let space = sight.space();
    let found = if version == "latest" {
        space.packages_of(&id).last()
    } else {
        let version: Version = version.parse().map_err(|why: NotAVersion| Problem::usage(why.to_string()))?;
        space.packages_of(&id).find(|package| package.key.version == version)
    };
    let found = found.ok_or_else(|| {
        let versions: Vec<_> =
            space.packages_of(&id).map(|package| package.key.version.to_string()).collect();
        if versions.is_empty() {
            return Problem::not_found(unknown(
                "package",
                &id,
                space.packages.keys().map(|key| key.id.as_str()),
            ));
        }
        let known = versions.iter().map(String::as_str);
        Problem::not_found(unknown(&format!("package `{id}` with version"), &version, known))
    })?;
    Ok(Json(view_of(found)))
}

fn view_of(package: &Package) -> PackageView {
    PackageView {
        id: package.key.id.clone(),
        version: package.key.version.to_string(),
        manifest: package.manifest.to_string(),
        original: package.original.to_string(),
        format: package.format.clone(),
        size: package.size,
        files: package.files,
        uploaded: display::time(package.uploaded),
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn an_upload_that_finds_no_room_is_told_so() {
        let status = |kind: std::io::ErrorKind| unwritten(kind.into()).into_response().status().as_u16();
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        assert_eq!([StorageFull, QuotaExceeded, FileTooLarge].map(status), [507; 3]);
        assert_eq!(status(std::io::ErrorKind::PermissionDenied), 500);
        let full = StoreError::Full { action: "write to", path: "store".into() };
        assert_eq!(broken("the package cannot be stored", &full).kind.status(), 507);
    }
}
