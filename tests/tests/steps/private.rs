//! What an agent keeps in memory stays there: no core dump of it.

use std::fs;

use super::{installation, machine};

#[test]
fn an_agent_leaves_no_core_dump() {
    let (_folder, installation) = installation("kind: environment\nname: Testing\n");
    let agent = machine(&installation, &[], "isolation = \"none\"\n");
    let limits = fs::read_to_string(format!("/proc/{}/limits", agent.id())).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("there is one");
    let sizes: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(sizes, ["0", "0"], "{core}");
}
