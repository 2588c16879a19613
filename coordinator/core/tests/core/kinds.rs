//! The table of kinds, and that of their documents.

use windlass_api::documents::Document;
use windlass_coordinator_core::in_kind;
use windlass_coordinator_core::kinds::Kind as _;

#[test]
fn every_kind_of_document_is_a_kind_of_thing_and_written_alike() {
    for kind in Document::KINDS {
        let word = in_kind!(kind, Kind => Some(Kind::WORD), _other => None);
        assert_eq!(word, Some(kind));
    }
    assert!(in_kind!("package", Kind => Some(Kind::WORD), _other => None).is_none());
}
