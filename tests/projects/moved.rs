//! The SQLite file of a tree, as `whimbrel migrate PROJECT TREE FILE` makes it, for the stores that begin with files.

use std::path::Path;
use whimbrel::Migration;
use whimbrel::endpoint::Endpoint;
use whimbrel::project::Project;
use whimbrel::store::Place;

pub fn migrated(place: &Place) {
    let project = Project::load(place.layout.parent().unwrap_or(Path::new("."))).unwrap();
    let tree = Endpoint::Files(place.tree.clone());
    Migration::from_endpoint(tree).with_project(&project).to(&place.file).run_blocking().unwrap();
}
