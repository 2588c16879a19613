//! The commands that there are, as the programs' own help says.

use super::scene::Scene;

/// Every command of a program that has no commands of its own, as typed.
pub fn leaves(scene: &Scene, command: &str) -> Vec<String> {
    let output = scene.shell(&format!("{command} --help"));
    assert!(output.status.success(), "{command} --help: {output:?}");
    let help = String::from_utf8(output.stdout).expect("help is text");
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        line.split_whitespace().next().filter(|_| !line.starts_with(' '))
    });
    let below: Vec<_> = names.filter(|name| *name != "help").collect();
    if below.is_empty() {
        return vec![command.to_owned()];
    }
    below.into_iter().flat_map(|name| leaves(scene, &format!("{command} {name}"))).collect()
}
