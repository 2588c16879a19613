//! Random cases that are the same in every run.

use std::cell::RefCell;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Runs `test` on `count` cases; it panics where a case is not as it should be, and the smallest such case is told.
pub fn cases<S: Strategy>(count: u32, strategy: &S, test: impl FnMut(S::Value)) {
    let config = Config { cases: count, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let test = RefCell::new(test);
    let outcome = runner.run(strategy, |case| {
        (test.borrow_mut())(case);
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
}
