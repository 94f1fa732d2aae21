//! Renders facts and outcomes for people and programs; opens no database.

pub mod schema;
