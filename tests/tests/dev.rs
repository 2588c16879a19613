//! The newcomer's command, as a newcomer runs it.

use std::process::{Command, Output};

fn dev(arguments: &[&str]) -> Output {
    let windlass = windlass_tests::programs().expect("the programs build").join("windlass");
    let output = Command::new(windlass).args(["dev", "--once"]).args(arguments).output();
    output.expect("windlass starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_sample_reaches_everybody_it_should_and_nobody_else() {
    let output = dev(&[]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", text(&output.stderr));
    assert_eq!(said.lines().last(), Some("dev: ok"), "{said}");
    let row = |target: &str| {
        let mut lines = said.lines().filter(|line| line.starts_with(target) && line.ends_with("yes"));
        lines.next().unwrap_or_else(|| panic!("{target} has a row: {said}")).to_owned()
    };
    for target in ["shared-1", "dedicated-1"] {
        assert!(row(target).contains("Customer-1"), "{said}");
    }
    for target in ["testing", "dedicated-3"] {
        assert!(!row(target).contains("Customer-1"), "{said}");
    }
}

#[test]
fn a_dedicated_target_granted_to_another_tenant_is_found() {
    let output = dev(&["--grant", "dedicated-3=Customer-1"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}\n{}", text(&output.stderr));
    assert!(said.contains("check failed: dedicated-3"), "{said}");
}
