//! `--verify paranoid`: the server's own digest of each table is the file's, whatever the types and values, and nothing
//! that the wire damages is published.

#[cfg(debug_assertions)]
mod misread;
mod numbers;
mod shapes;
mod wire;
