//! Pulls whose future is dropped in the middle, as when an assignment is withdrawn.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::runtime::Builder;
use windlass_protocol::limits::SEGMENT_BYTES;

use crate::workshop::{CacheFixture, assignment, check_cache, check_complete, noise, tree, words};

/// Gives some bytes, then nothing more, for ever.
struct Stalls<'a>(&'a [u8]);

impl AsyncRead for Stalls<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let (now, later) = self.0.split_at(buffer.remaining().min(self.0.len()));
        buffer.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_pull_that_is_dropped_lets_the_next_one_go_on(
        stalls in proptest::collection::vec((0usize..9_000_000, 0u64..30), 1..5),
    ) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = CacheFixture::new();
            let contents = [noise(1, 2 * SEGMENT_BYTES + 3), words(2, SEGMENT_BYTES + 3)];
            let manifest = fixture.upload(&tree(&[("a", &contents[0]), ("b", &contents[1]), ("c", b"c")]));
            let cache = fixture.cache("cache");
            for (bytes, wait) in stalls {
                let state = cache.begin(manifest.digest(), "app").unwrap();
                let answer = fixture.answer(&state.request(assignment())).await;
                let mut stream = Stalls(&answer[..bytes.min(answer.len())]);
                let receiving = cache.receive(state, &mut stream, manifest.size(), |_| ());
                tokio::select! {
                    result = receiving => panic!("a stream without an end cannot be received: {result:?}"),
                    () = tokio::time::sleep(Duration::from_millis(wait)) => {}
                }
                // Its threads may still be at work; this waits for them.
                drop(cache.begin(manifest.digest(), "app").unwrap());
                check_cache(&fixture.at("cache"));
            }
            fixture.pull(&cache, &manifest).await.unwrap();
            check_complete(&cache, &fixture.at("cache"), &manifest);
        });
    }
}
