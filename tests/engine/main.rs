//! A migration from its source to its published file, and the way back: what is carried, what is told, what is left.

#[path = "../support/mod.rs"]
mod support;

mod alike;
mod all_types;
mod answers;
mod backup;
mod bad_dumps;
mod bad_input;
mod crowd;
mod dumped_schemas;
mod dumps;
mod encodings;
mod given_schema;
mod hostile_home;
mod introspect;
mod later_writes;
mod library;
mod promises;
mod publish;
mod random_schema;
mod rotation;
mod schema_fidelity;
mod session;
mod shared_backups;
mod toy;
mod way_home;

/// What another process does with a target, for `Holder`; it waits to be killed.
#[test]
#[ignore = "run by the tests that need another process"]
fn child_holds_a_database() {
    crowd::hold_a_backup();
    support::files::hold();
}
