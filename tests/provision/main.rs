//! Every footing that this machine has is exercised, ends of the process included; every footing that it has not is
//! asserted to say what is missing. `WHIMBREL_PROVISION` makes its footing obligatory.

mod lines;
mod run;
mod support;
mod template;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection};
use whimbrel::Error;
use whimbrel::error::Kind;
use whimbrel::provision::{Database, Footing, Server, ServerOptions, shared};

/// Long enough for a container engine under load; the usual clean-up takes a fraction of a second.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(45);

/// Starts a server on one footing, or says on standard error why this machine has none. Asked for by name, or
/// evidently there, it has to start.
fn start_if_available(footing: Footing) -> Option<Server> {
    let options = ServerOptions::from_environment().expect("the environment is right");
    let error = match Server::start_with(&ServerOptions { footing: Some(footing), ..options.clone() }) {
        Ok(server) => {
            assert_eq!(server.footing(), footing);
            return Some(server);
        }
        Err(error) => error,
    };
    assert_ne!(options.footing, Some(footing), "WHIMBREL_PROVISION asks for it: {error}");
    let expected: &[&str] = match footing {
        Footing::Url => {
            assert_eq!(options.url, None, "the server in WHIMBREL_POSTGRES has to be usable: {error}");
            &["WHIMBREL_POSTGRES is not set"]
        }
        Footing::Container if answers(&["version"]) => {
            assert!(!answers(&["image", "inspect", &options.image]), "the engine has the image: {error}");
            &[options.image.as_str()]
        }
        // Where the `docker` command is missing, or asks elsewhere, an engine may be there without the image.
        Footing::Container => &["a Docker engine", options.image.as_str()],
        Footing::Local => {
            assert!(!Path::new("/usr/lib/postgresql/15/bin/postgres").exists(), "the binaries are there: {error}");
            &["server binaries"]
        }
    };
    let names = expected.iter().any(|words| error.to_string().contains(words));
    assert!(names, "{error} names none of {expected:?}");
    assert!(error.way_out().is_some(), "{error} has no way out");
    let _ = writeln!(std::io::stderr(), "whimbrel: footing {footing} is not available here: {error}");
    None
}

/// Whether the `docker` command is there and its engine gives a good answer. A context of that command is left out: the
/// harness does not read it, and may mean another engine.
fn answers(docker_arguments: &[&str]) -> bool {
    let output = Command::new("docker").args(docker_arguments).env("DOCKER_CONTEXT", "default").output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::main(flavor = "current_thread")]
async fn ask(url: &str, query: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let answer = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(answer)
}

#[tokio::main(flavor = "current_thread")]
async fn run(url: &str, statements: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    connection.execute(statements).await.expect("the statements run");
    connection.close().await.expect("the connection closes");
}

/// What a server leaves outside our memory, so that its absence can be observed.
#[derive(Debug)]
struct Traces {
    port: u16,
    directory: Option<String>,
    container: Option<String>,
}

impl Traces {
    fn of(server: &Server) -> Self {
        let authority = server.admin_url().rsplit('@').next().expect("an authority");
        let port = authority.split(['/', '?']).next().and_then(|place| place.rsplit(':').next());
        Traces {
            port: port.and_then(|port| port.parse().ok()).unwrap_or(5432),
            directory: server.directory().map(|directory| directory.display().to_string()),
            container: server.container().map(str::to_owned),
        }
    }

    fn remaining(&self) -> Vec<String> {
        let mut remaining = Vec::new();
        if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            remaining.push(format!("a listener on port {}", self.port));
        }
        if let Some(directory) = self.directory.as_deref().filter(|directory| Path::new(directory).exists()) {
            remaining.push(format!("the directory {directory}"));
        }
        if let Some(container) = self.container.as_deref().filter(|name| answers(&["container", "inspect", name])) {
            remaining.push(format!("the container {container}"));
        }
        remaining
    }

    fn assert_gone_soon(&self) {
        let deadline = Instant::now() + CLEAN_UP_LIMIT;
        while !self.remaining().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.remaining(), Vec::<String>::new());
    }
}

/// Everything a server is for, then its end by drop.
fn exercise(server: Server) {
    let credentials = server.admin_url().rsplit_once('@').map_or("", |(credentials, _)| credentials);
    if let Some((_, password)) = credentials.trim_start_matches("postgres://").split_once(':') {
        assert!(!server.describe().contains(password), "{}", server.describe());
    }
    assert!(server.describe().starts_with("PostgreSQL "), "{}", server.describe());
    assert!(!server.describe().contains('\n'), "{}", server.describe());

    let template = server.create_database("template").expect("a database");
    assert!(template.name().starts_with("whimbrel_template_"), "{}", template.name());
    run(&template.url(), "CREATE TABLE grüße (id int PRIMARY KEY, wort text); INSERT INTO grüße VALUES (1, 'Ärger')");
    let copies: Vec<Database> = std::thread::scope(|scope| {
        let copy = |number: usize| server.create_from_template(&format!("copy_{number}"), &template).expect("a copy");
        let threads: Vec<_> = (0..3).map(|number| scope.spawn(move || copy(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a copy")).collect()
    });
    for copy in &copies {
        assert_eq!(ask(&copy.url(), "SELECT wort FROM grüße").expect("a row"), "Ärger");
    }
    let (gone_url, kept) = (copies[0].url(), template.create_copy("kept").expect("a copy of its own"));
    drop(copies);
    let error = ask(&gone_url, "SELECT 'there'").expect_err("the database is dropped");
    assert_eq!(error.as_database_error().and_then(|error| error.code()).as_deref(), Some("3D000"), "{error}");

    // The server lives as long as the last database on it.
    let traces = Traces::of(&server);
    drop(template);
    drop(server);
    assert_eq!(ask(&kept.url(), "SELECT current_database()::text").expect("it still runs"), kept.name());
    drop(kept);
    if traces.directory.is_some() || traces.container.is_some() {
        // A drop waits for the clean-up, so nothing is left at once.
        assert_eq!(traces.remaining(), Vec::<String>::new());
    }
}

#[test]
fn the_footing_local_works_and_is_gone_after_its_drop() {
    if let Some(server) = start_if_available(Footing::Local) {
        assert!(server.describe().contains("private server on 127.0.0.1:"), "{}", server.describe());
        exercise(server);
    }
}

#[test]
fn the_footing_container_works_and_is_gone_after_its_drop() {
    if let Some(server) = start_if_available(Footing::Container) {
        exercise(server);
    }
}

#[test]
fn the_footing_url_works_and_leaves_the_server_as_it_was() {
    if let Some(server) = start_if_available(Footing::Url) {
        exercise(server);
    }
    // Somebody else's server, played by the one that all tests of this file share.
    let owner = shared().expect("a server");
    let server = Server::start_with(&url_options(owner.admin_url())).expect("the owner's server is used");
    assert_eq!(server.footing(), Footing::Url);
    assert!(server.describe().ends_with("the server in WHIMBREL_POSTGRES"), "{}", server.describe());
    exercise(server);
    assert_eq!(databases_named(owner, "SELECT count(*)::text FROM pg_database WHERE datname ~ '_copy_|_kept_'"), "0");
}

fn url_options(url: &str) -> ServerOptions {
    let environment = ServerOptions::from_environment().expect("the environment is right");
    ServerOptions { url: Some(url.to_owned()), footing: None, ..environment }
}

fn databases_named(owner: &Server, query: &'static str) -> String {
    ask(owner.admin_url(), query).expect("a count")
}

#[test]
fn a_server_in_the_url_that_is_not_there_is_an_error_without_its_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let url = format!("postgres://ann:hush-hush@{closed}/app");
    let error = Server::start_with(&url_options(&url)).expect_err("nobody listens there");
    assert!(error.to_string().contains(&closed.to_string()), "{error}");
    assert!(!format!("{error} {error:?}").contains("hush-hush"), "{error:?}");
    let error = Server::start_with(&url_options("host=localhost password=hush-hush")).expect_err("not a URL");
    assert_eq!(error.kind(), Kind::Usage);
    assert!(!format!("{error} {error:?}").contains("hush-hush"), "{error:?}");
}

#[test]
fn a_private_server_lets_nobody_in_without_the_password() {
    let Some(server) = start_if_available(Footing::Local) else { return };
    let Traces { port, .. } = Traces::of(&server);
    for url in [
        format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"),
        format!("postgres://postgres:wrong@127.0.0.1:{port}/postgres?sslmode=disable"),
    ] {
        ask(&url, "SELECT 'in'").expect_err("no password, no entry");
    }
}

#[test]
fn a_panic_leaves_nothing_behind() {
    let server = match start_if_available(Footing::Local) {
        Some(server) => server,
        None => Server::start().expect("another footing"),
    };
    let traces = Traces::of(&server);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _database = server.create_database("panic").expect("a database");
        panic!("on purpose");
    }));
    assert!(result.is_err());
    if traces.directory.is_some() || traces.container.is_some() {
        assert_eq!(traces.remaining(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn provisioning_works_inside_a_runtime() {
    let database = shared().expect("a server").create_database("runtime").expect("a database");
    let mut connection = PgConnection::connect(&database.url()).await.expect("a connection");
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.expect("its name");
    assert_eq!(name, database.name());
    // Dropped while this connection is open: scratch databases do not wait for careless pools.
    drop(database);
}

#[test]
fn a_template_in_use_is_told_with_the_way_out() {
    let template = shared().expect("a server").create_database("busy").expect("a database");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let connection = runtime.block_on(PgConnection::connect(&template.url())).expect("a connection");
    let error: Error = template.create_copy("never").expect_err("somebody is connected");
    assert!(error.way_out().is_some_and(|hint| hint.contains("close every connection")), "{error}");
    drop(connection);
}

// What follows needs a process of its own that can be killed: this test binary, running only `child` below.

const CHILD_FOOTING: &str = "WHIMBREL_TEST_CHILD_FOOTING";

/// The process that the tests below kill: it starts a server, tells its traces, and waits for its end.
#[test]
#[ignore = "run as a process of its own by the tests that kill it"]
fn child() {
    let word = std::env::var(CHILD_FOOTING).expect("run by another test");
    let footing = Footing::ALL.into_iter().find(|footing| footing.name() == word).expect("a footing");
    let server = Server::start_on(footing).expect("a server");
    let database = server.create_database("child").expect("a database");
    let Traces { port, directory, container } = Traces::of(&server);
    let mut out = std::io::stdout();
    writeln!(out, "\ntraces\t{port}\t{}\t{}", directory.unwrap_or_default(), container.unwrap_or_default())
        .expect("told");
    writeln!(out, "database\t{}", database.name()).expect("told");
    out.flush().expect("told");
    // A grandchild that outlives us must not keep the supervisor waiting.
    let mut grandchild = Command::new("sleep");
    grandchild.arg("30").process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    grandchild.spawn().expect("one").wait().expect("it ends, if we live that long");
    std::thread::sleep(Duration::from_secs(600));
}

/// Starts the child in a process group of its own and waits for its traces.
fn spawn_child(footing: Footing, url: Option<&str>) -> (Child, Traces, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(CHILD_FOOTING, footing.name()).process_group(0).stdout(Stdio::piped());
    // Whoever runs the tests in the background of a shell without job control has Ctrl-C ignored, and so would the child.
    // SAFETY: signal(2) may be called between fork and exec, and touches no memory.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
    if let Some(url) = url {
        command.env("WHIMBREL_POSTGRES", url);
    }
    let mut child = command.spawn().expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("traces\t")).expect("the child tells its traces");
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let fields: Vec<&str> = line.split('\t').collect();
    let port = fields[1].parse().expect("a port");
    let traces = Traces { port, directory: some(fields[2]), container: some(fields[3]) };
    let database = lines.next().expect("the child tells its database");
    (child, traces, database.trim_start_matches("database\t").to_owned())
}

/// Sends a signal to the child's whole process group, as a terminal does at Ctrl-C.
fn signal_group(child: &mut Child, signal: libc::c_int) {
    assert!(support::signal(-i64::from(child.id()), signal), "the child is there");
    child.wait().expect("the child ends");
}

#[test]
fn ctrl_c_and_kill_leave_no_private_server_behind() {
    for footing in [Footing::Local, Footing::Container] {
        if start_if_available(footing).is_none() {
            continue;
        }
        for signal in [libc::SIGINT, libc::SIGKILL] {
            let (mut child, traces, _) = spawn_child(footing, None);
            assert!(!traces.remaining().is_empty(), "the child has a server: {traces:?}");
            signal_group(&mut child, signal);
            traces.assert_gone_soon();
        }
    }
}

#[test]
fn a_kill_in_the_middle_of_the_start_leaves_nothing_behind() {
    if start_if_available(Footing::Local).is_none() {
        return;
    }
    // Its own temporary directory, so that whatever is made there is the child's.
    let temporary = tempfile::Builder::new().prefix("whimbrel-test-").tempdir_in("/tmp").expect("a directory");
    let everyone = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o1777);
    std::fs::set_permissions(temporary.path(), everyone).expect("open to every user");
    let entries = || std::fs::read_dir(temporary.path()).expect("a directory").flatten().count();
    for delay_ms in [0, 150, 600] {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "child", "--ignored", "--test-threads=1"]).stdout(Stdio::null());
        command.env(CHILD_FOOTING, "local").env("TMPDIR", temporary.path()).process_group(0);
        let mut child = command.spawn().expect("a child");
        let deadline = Instant::now() + CLEAN_UP_LIMIT;
        while entries() == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(entries(), 1, "the child's server has its directory");
        std::thread::sleep(Duration::from_millis(delay_ms));
        signal_group(&mut child, libc::SIGKILL);
        let deadline = Instant::now() + CLEAN_UP_LIMIT;
        while entries() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(entries(), 0, "killed {delay_ms} ms after the first file");
    }
}

#[test]
fn a_killed_process_leaves_no_database_on_somebody_elses_server() {
    let owner = shared().expect("a server");
    let (mut child, _, database) = spawn_child(Footing::Url, Some(owner.admin_url()));
    let names = || {
        let all = "SELECT string_agg(datname, ' ') FROM pg_database";
        ask(owner.admin_url(), all).expect("the names").split(' ').any(|name| name == database)
    };
    assert!(names(), "the child has its database {database}");
    signal_group(&mut child, libc::SIGKILL);
    let guarded =
        Command::new("psql").arg("--version").output().is_ok() || Path::new("/usr/lib/postgresql/15/bin/psql").exists();
    if !guarded {
        // Documented: without psql nobody is left to drop it.
        let _ = writeln!(std::io::stderr(), "whimbrel: no psql here, so {database} outlives its killed process");
        return;
    }
    let deadline = Instant::now() + CLEAN_UP_LIMIT;
    while names() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!names(), "{database} is still there");
}
