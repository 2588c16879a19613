//! Golden files: output that a person reviews. `cargo insta review` shows what changed.

/// Compares `text` with the file of this name, whose head says what it is.
pub fn check(name: &str, what: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(what);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
