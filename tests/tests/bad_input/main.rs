//! Bad input to every command and file gets one clear sentence and the right exit code, and nothing is half done
//! (SEMANTICS 12).

mod commands;
mod damaged;
mod full_disk;
mod scene;
mod table;
mod unread;

use scene::Scene;

#[test]
fn every_command_answers_bad_input_with_one_sentence_and_changes_nothing() {
    let scene = Scene::new();
    let before = scene.snapshot();
    let typed = table::run_all(&scene);
    for program in ["windlass", "windlass-agent", "windlass-coordinator"] {
        for leaf in commands::leaves(&scene, program) {
            let has_row = typed.iter().any(|line| format!("{line} ").contains(&format!("{leaf} ")));
            assert!(has_row, "no row of golden/bad-input types `{leaf}`");
        }
    }
    let kinds = scene.shell("echo 'name: x' | windlass apply -f -");
    let kinds = String::from_utf8(kinds.stderr).expect("text");
    let (_, kinds) = kinds.trim().split_once("one of ").expect("the sentence lists the kinds");
    for kind in kinds.split(", ") {
        let row = format!("$ windlass apply -f {kind}.yaml");
        assert!(
            typed.iter().any(|line| format!("$ {line}") == row),
            "no row has a typo in a document `{kind}`"
        );
    }
    assert_eq!(before, scene.snapshot(), "bad input changed something");
    scene.installation.windlass(&["audit", "verify"]);
    let verified = scene.shell("windlass-coordinator verify --data \"$DATA\"");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
