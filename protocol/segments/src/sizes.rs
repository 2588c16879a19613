//! How much the segments take, for whoever keeps only so much of them.

use std::fs;

use crate::{SegmentError, Writer, names};

/// One segment on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentSize {
    /// The number of its first line.
    pub first: u64,
    pub bytes: u64,
}

impl Writer {
    /// The segments that are kept, oldest first, with what they take. Looks at every file, so it is for rare moments.
    pub fn sizes(&self) -> Result<Vec<SegmentSize>, SegmentError> {
        let size = |first: &u64| {
            let path = names::segment(self.folder(), *first);
            let found = fs::metadata(&path).map_err(SegmentError::io("look at", &path))?;
            Ok(SegmentSize { first: *first, bytes: found.len() })
        };
        self.segments().iter().map(size).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[test]
    fn the_sizes_are_those_of_the_files_and_go_with_what_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let options = Options { segment_bytes: 8, ..Options::default() };
        let (mut writer, _) = Writer::open(place.path(), options).unwrap();
        for line in ["12345678", "123", "1234567", "1"] {
            writer.append(line.as_bytes()).unwrap();
            writer.sync().unwrap();
        }
        let size = |first, bytes| SegmentSize { first, bytes };
        assert_eq!(writer.sizes().unwrap(), [size(1, 9), size(2, 12), size(4, 2)]);
        assert_eq!(writer.truncate_before(3).unwrap(), 1);
        assert_eq!(writer.sizes().unwrap(), [size(2, 12), size(4, 2)]);
    }
}
