//! A cache that is too large.

use std::fs;

use windlass_agent_packages::{Cache, CacheError, Evicted};
use windlass_protocol::Digest;

use crate::workshop::{CacheFixture, assignment, check_cache, names, noise, receive, tree};

fn evict(cache: &Cache, most_bytes: u64, in_use: &[Digest]) -> Result<Evicted, CacheError> {
    cache.pause_pulls().evict(most_bytes, &in_use.iter().copied().collect())
}

#[tokio::test]
async fn the_least_recently_used_packages_go_first_and_shared_contents_stay() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let shared = noise(0, 1000);
    let mut packages = Vec::new();
    for number in 1..=3 {
        let own = noise(number, 1000);
        let manifest = fixture.upload(&tree(&[("own", &own), ("shared", &shared)]));
        fixture.pull(&cache, &manifest).await.unwrap();
        packages.push(manifest.digest());
    }
    let left = || packages.iter().map(|package| cache.contains(*package).unwrap()).collect::<Vec<_>>();

    assert_eq!(evict(&cache, 4000, &[]).unwrap(), Evicted { freed: 0, left: 4000 });
    cache.touch(packages[0]).unwrap();
    assert_eq!(evict(&cache, 3999, &[]).unwrap(), Evicted { freed: 1000, left: 3000 });
    assert_eq!(left(), [true, false, true]);
    check_cache(&fixture.at("cache"));
    // In use, it stays, though it is older than what goes instead.
    assert_eq!(evict(&cache, 2000, &[packages[2]]).unwrap(), Evicted { freed: 1000, left: 2000 });
    assert_eq!(left(), [false, false, true]);
    assert_eq!(evict(&cache, 0, &[packages[2]]).unwrap(), Evicted { freed: 0, left: 2000 });
    assert_eq!(evict(&cache, 0, &[]).unwrap(), Evicted { freed: 2000, left: 0 });
    assert_eq!(names(&fixture.at("cache/blobs")), [""; 0]);
    assert_eq!(names(&fixture.at("cache/records")), [""; 0]);
}

#[tokio::test]
async fn what_interrupted_pulls_left_goes_before_any_package() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let kept = fixture.upload(&tree(&[("a", &noise(1, 1000))]));
    fixture.pull(&cache, &kept).await.unwrap();
    let interrupted = fixture.upload(&tree(&[("b", &noise(2, 5000)), ("c", &noise(3, 5000))]));
    let state = cache.begin(interrupted.digest(), "app").unwrap();
    let answer = fixture.answer(&state.request(assignment())).await;
    let cut = answer.len() - 1000;
    receive(&cache, state, &answer[..cut], interrupted.size()).await.unwrap_err();
    // The first content gets its name now, and belongs to no package.
    assert_eq!(cache.begin(interrupted.digest(), "app").unwrap().complete_files(), 1);
    fs::write(fixture.at("cache/blobs").join(Digest::of("x").to_hex()), b"x").unwrap();

    // In use or being pulled, what is needed to go on stays.
    assert_eq!(evict(&cache, 6000, &[interrupted.digest(), kept.digest()]).unwrap().freed, 1);
    let state = cache.begin(interrupted.digest(), "app").unwrap();
    assert_eq!(evict(&cache, 0, &[kept.digest()]).unwrap().freed, 0);
    drop(state);
    assert_eq!(evict(&cache, 1000, &[]).unwrap(), Evicted { freed: 5000, left: 1000 });
    assert!(cache.contains(kept.digest()).unwrap());
    fixture.pull(&cache, &interrupted).await.unwrap();
    check_cache(&fixture.at("cache"));
}

#[tokio::test]
async fn room_is_made_for_as_much_as_is_missing_and_no_more() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let mut packages = Vec::new();
    for number in 1..=3 {
        let manifest = fixture.upload(&tree(&[("a", &noise(number, 1000))]));
        fixture.pull(&cache, &manifest).await.unwrap();
        packages.push(manifest.digest());
    }
    let in_use = [packages[0]].into();
    assert_eq!(cache.pause_pulls().free(1, &in_use).unwrap(), Evicted { freed: 1000, left: 2000 });
    assert!(cache.contains(packages[0]).unwrap() && cache.contains(packages[2]).unwrap());
    assert_eq!(cache.pause_pulls().free(u64::MAX, &in_use).unwrap(), Evicted { freed: 1000, left: 1000 });
}

#[tokio::test]
async fn what_a_pull_counts_on_stays_until_it_is_over() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let shared = noise(1, 5000);
    let old = fixture.upload(&tree(&[("shared", &shared), ("own", &noise(2, 1000))]));
    fixture.pull(&cache, &old).await.unwrap();
    let new = fixture.upload(&tree(&[("shared", &shared), ("own", &noise(3, 1000))]));
    let state = cache.begin(new.digest(), "app").unwrap();
    assert_eq!(state.holds(), [old.digest()]);
    let answer = fixture.answer(&state.request(assignment())).await;
    // What the old package has does not travel, and nobody but the pull needs it.
    assert_eq!(evict(&cache, 0, &[]).unwrap(), Evicted { freed: 0, left: 6000 });
    receive(&cache, state, &answer, new.size()).await.unwrap();
    assert!(cache.contains(new.digest()).unwrap());
    assert_eq!(evict(&cache, 6000, &[]).unwrap(), Evicted { freed: 1000, left: 6000 });
    assert!(cache.contains(new.digest()).unwrap() && !cache.contains(old.digest()).unwrap());
}

#[test]
fn no_pull_begins_while_it_is_found_out_what_is_in_use() {
    let fixture = CacheFixture::new();
    let cache = fixture.cache("cache");
    let still = cache.pause_pulls();
    let (began, begins) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let state = cache.begin(Digest::of("a package"), "app").unwrap();
            began.send(state.is_whole()).unwrap();
        });
        assert!(begins.recv_timeout(std::time::Duration::from_millis(50)).is_err());
        drop(still);
        assert!(!begins.recv().unwrap());
    });
}
