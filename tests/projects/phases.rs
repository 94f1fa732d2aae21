//! The example `phases`, and what it prints.

#[path = "../../examples/phases.rs"]
mod example;

#[test]
fn an_application_goes_through_all_phases_and_back() {
    let mut printed = Vec::new();
    example::run(&mut printed).unwrap();
    let text = String::from_utf8(printed).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots/projects");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("phases", text));
}
