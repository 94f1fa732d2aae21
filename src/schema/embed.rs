//! Migrations inside the binary.
//!
//! Cargo gives a crate no way to list a folder at compile time without a procedural macro or a build script, so the
//! list is written down, one name per migration, and a test holds it against the folder. A file that is missing is a
//! compile error; one that was forgotten in the list is a failed test.

/// Embeds a folder of migrations, named relative to the crate's `Cargo.toml`, into the binary.
///
/// Each name stands for `NAME.up.sql` and `NAME.down.sql`; a migration without a way back says so:
///
/// ```ignore
/// let migrations = whimbrel::embed_migrations!("migrations/app/target";
///     "0001_initial",
///     "0002_search",
///     "0003_drop_legacy" irreversible,
/// )?;
/// ```
///
/// Gives a [`Result`](crate::Result) of [`Migrations`](crate::schema::Migrations). Beside it belongs a test:
/// `migrations.expect_same_as_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/app/target"))`.
#[macro_export]
macro_rules! embed_migrations {
    ($folder:literal; $($name:literal $($irreversible:ident)?),* $(,)?) => {{
        let files: ::std::vec::Vec<::std::vec::Vec<(&'static str, &'static str)>> =
            ::std::vec![$($crate::embed_migrations!(@one $folder, $name $(, $irreversible)?)),*];
        $crate::schema::Migrations::from_files($folder, files.into_iter().flatten())
    }};
    (@one $folder:literal, $name:literal) => {
        ::std::vec![
            $crate::embed_migrations!(@file $folder, $name, ".up.sql"),
            $crate::embed_migrations!(@file $folder, $name, ".down.sql"),
        ]
    };
    (@one $folder:literal, $name:literal, irreversible) => {
        ::std::vec![$crate::embed_migrations!(@file $folder, $name, ".up.sql")]
    };
    (@file $folder:literal, $name:literal, $suffix:literal) => {
        (
            ::std::concat!($name, $suffix),
            ::std::include_str!(::std::concat!(::std::env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $name, $suffix)),
        )
    };
}
