//! The coordinator's packages: stored once by content, sent as the difference to what an agent holds.
//!
//! [`PackageStore`] keeps manifests and blobs, [`plan_pull`] decides what of a package travels, and [`send`] puts it
//! on a stream straight from the stored bytes. What does not live here: reading archives (`windlass-archives`), who
//! may pull what, names and versions of packages, retention.

mod blob;
mod blocking_thread;
mod contents;
mod error;
mod feed;
mod objects;
mod plan;
mod send;
mod stage;
mod store;
mod text;
mod upload;

pub use contents::Contents;
pub use error::{Kind, StoreError, UploadError};
pub use plan::{BadResume, PullPlan, plan_pull};
pub use send::{SendError, Sent, send};
pub use store::PackageStore;
pub use text::{LeftOut, Texts};
pub use upload::Uploaded;
pub use windlass_archives::{BadPackage, Format, Limits};
