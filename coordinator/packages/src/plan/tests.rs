//! The plan of a pull against a model that knows no cleverness.

use proptest::prelude::*;
use windlass_protocol::ids::AssignmentId;
use windlass_protocol::manifest::{Entry, EntryKind, EntryPath, Manifest};

use super::*;

const SEGMENT: u64 = SEGMENT_BYTES as u64;

/// What a manifest holds whose files have these contents, each told by a number.
fn manifest(contents: &[u8]) -> Arc<Contents> {
    let entries = contents.iter().enumerate().map(|(index, content)| Entry {
        path: EntryPath::new(format!("f{index:03}").as_bytes()).unwrap(),
        kind: EntryKind::File { executable: false, size: size(*content), digest: digest(*content) },
    });
    let link =
        Entry { path: EntryPath::new(b"link").unwrap(), kind: EntryKind::Link { target: "f000".into() } };
    let manifest = Manifest::new(entries.chain((!contents.is_empty()).then_some(link)).collect()).unwrap();
    let held = Contents::of(&manifest);
    assert_eq!((held.manifest, held.text_bytes as usize), (manifest.digest(), manifest.to_text().len()));
    Arc::new(held)
}

fn digest(content: u8) -> Digest {
    Digest::of([content])
}

/// Sizes around the borders of segments.
fn size(content: u8) -> u64 {
    [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 7][usize::from(content) % 7]
}

fn request(wanted: &Contents, complete_files: u32, complete_segments: u32) -> PullRequest {
    PullRequest {
        assignment: AssignmentId::from_bytes([1; 16]),
        manifest: wanted.manifest,
        has_manifest: complete_files % 2 == 1,
        holds: Vec::new(),
        complete_files,
        complete_segments,
    }
}

/// The contents that travel, in order: for each file, whether something before it or anything held is the same.
fn model(contents: &[u8], held: &[Vec<u8>]) -> Vec<u8> {
    let mut travelling = Vec::new();
    for content in contents {
        if !held.iter().any(|held| held.contains(content)) && !travelling.contains(content) {
            travelling.push(*content);
        }
    }
    travelling
}

proptest! {
    #[test]
    fn a_plan_is_what_the_model_says(
        contents in proptest::collection::vec(0u8..20, 1..30),
        held in proptest::collection::vec(proptest::collection::vec(0u8..20, 1..10), 0..4),
        complete_files in 0u32..12,
        complete_segments in 0u32..5,
    ) {
        let wanted = manifest(&contents);
        let manifests: Vec<_> = held.iter().map(|held| manifest(held)).collect();
        let plan = plan_pull(wanted.clone(), manifests, &request(&wanted, complete_files, complete_segments));

        let expected = model(&contents, &held);
        let files = u32::try_from(expected.len()).unwrap();
        let next = expected.get(complete_files as usize).map(|content| size(*content));
        let segments = next.map_or(0, |size| size.div_ceil(SEGMENT) as u32);
        if complete_files > files {
            prop_assert_eq!(plan, Err(BadResume::Files { complete: complete_files, files }));
        } else if complete_segments > 0 && complete_segments >= segments {
            prop_assert_eq!(plan, Err(BadResume::Segments { complete: complete_segments, segments }));
        } else {
            let plan = plan.unwrap();
            let bytes: u64 = expected.iter().map(|content| size(*content)).sum();
            prop_assert_eq!((plan.header.files, plan.header.bytes), (files, bytes));
            let text = if complete_files % 2 == 1 { 0 } else { wanted.text_bytes };
            prop_assert_eq!(plan.header.manifest_bytes, text);
            let sent: Vec<_> = plan.travelling().map(|file| (file.digest, file.size)).collect();
            let left = &expected[complete_files as usize..];
            prop_assert_eq!(sent, left.iter().map(|content| (digest(*content), size(*content))).collect::<Vec<_>>());
            let skips: Vec<_> = plan.travelling().map(|file| file.skip_segments).collect();
            let first = (!skips.is_empty()).then_some(complete_segments);
            prop_assert!(skips.iter().copied().eq(first.into_iter().chain(skips.iter().skip(1).map(|_| 0))));
            let all: u64 = left.iter().map(|content| size(*content)).sum();
            prop_assert_eq!(plan.bytes_to_send(), all - u64::from(complete_segments) * SEGMENT);
        }
    }
}

#[test]
fn a_package_that_is_held_moves_nothing() {
    let wanted = manifest(&[1, 2, 3, 2]);
    let plan = plan_pull(wanted.clone(), [manifest(&[3, 2, 1])], &request(&wanted, 0, 0)).unwrap();
    assert_eq!((plan.header().files, plan.header().bytes, plan.travelling.len()), (0, 0, 0));
}

#[test]
fn a_resume_that_makes_no_sense_says_what_is_wrong() {
    let wanted = manifest(&[3, 5]);
    let refusal = |files, segments| {
        plan_pull(wanted.clone(), [], &request(&wanted, files, segments)).unwrap_err().to_string()
    };
    assert_eq!(refusal(3, 0), "the request has 3 files complete of a pull of 2");
    assert_eq!(refusal(1, 3), "the request has 3 segments of a file that has 3");
    assert_eq!(refusal(2, 1), "the request has 1 segments of a file that has 0");
}
