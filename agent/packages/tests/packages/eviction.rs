//! A cache that is too large.

use std::fs;

use windlass_agent_packages::Evicted;
use windlass_protocol::Digest;

use crate::workshop::{Place, assignment, check_cache, names, noise, receive, tree};

#[tokio::test]
async fn the_least_recently_used_packages_go_first_and_shared_contents_stay() {
    let place = Place::new();
    let cache = place.cache("cache");
    let shared = noise(0, 1000);
    let mut packages = Vec::new();
    for number in 1..=3 {
        let own = noise(number, 1000);
        let manifest = place.upload(&tree(&[("own", &own), ("shared", &shared)]));
        place.pull(&cache, &manifest).await.unwrap();
        packages.push(manifest.digest());
    }
    let left = || packages.iter().map(|package| cache.contains(*package).unwrap()).collect::<Vec<_>>();

    assert_eq!(cache.evict(4000, &[]).unwrap(), Evicted { freed: 0, left: 4000 });
    cache.touch(packages[0]).unwrap();
    assert_eq!(cache.evict(3999, &[]).unwrap(), Evicted { freed: 1000, left: 3000 });
    assert_eq!(left(), [true, false, true]);
    check_cache(&place.at("cache"));
    // In use, it stays, though it is older than what goes instead.
    assert_eq!(cache.evict(2000, &[packages[2]]).unwrap(), Evicted { freed: 1000, left: 2000 });
    assert_eq!(left(), [false, false, true]);
    assert_eq!(cache.evict(0, &[packages[2]]).unwrap(), Evicted { freed: 0, left: 2000 });
    assert_eq!(cache.evict(0, &[]).unwrap(), Evicted { freed: 2000, left: 0 });
    assert_eq!(names(&place.at("cache/blobs")), [""; 0]);
    assert_eq!(names(&place.at("cache/records")), [""; 0]);
}

#[tokio::test]
async fn what_interrupted_pulls_left_goes_before_any_package() {
    let place = Place::new();
    let cache = place.cache("cache");
    let kept = place.upload(&tree(&[("a", &noise(1, 1000))]));
    place.pull(&cache, &kept).await.unwrap();
    let interrupted = place.upload(&tree(&[("b", &noise(2, 5000)), ("c", &noise(3, 5000))]));
    let state = cache.begin(interrupted.digest(), "app").unwrap();
    let answer = place.answer(&state.request(assignment())).await;
    let cut = answer.len() - 1000;
    receive(&cache, state, &answer[..cut], interrupted.size()).await.unwrap_err();
    // The first content gets its name now, and belongs to no package.
    assert_eq!(cache.begin(interrupted.digest(), "app").unwrap().complete_files(), 1);
    fs::write(place.at("cache/blobs").join(Digest::of("x").to_hex()), b"x").unwrap();

    // In use or being pulled, what is needed to go on stays.
    assert_eq!(cache.evict(6000, &[interrupted.digest(), kept.digest()]).unwrap().freed, 1);
    let state = cache.begin(interrupted.digest(), "app").unwrap();
    assert_eq!(cache.evict(0, &[kept.digest()]).unwrap().freed, 0);
    drop(state);
    assert_eq!(cache.evict(1000, &[]).unwrap(), Evicted { freed: 5000, left: 1000 });
    assert!(cache.contains(kept.digest()).unwrap());
    place.pull(&cache, &interrupted).await.unwrap();
    check_cache(&place.at("cache"));
}
