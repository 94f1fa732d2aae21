//! One server for a run of tests, whichever processes it has, and none after it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use whimbrel::provision::{Footing, Server, TemplateKey, shared, template};

use super::support::{
    Run, TASK, entries, guardians, kill, private_footings, process, runner, signal, soon, tell, temporary,
};
use super::{Traces, answers, ask};

/// A process of a run: it joins the run's server, uses the run's template, tells what it found, and does its task.
#[test]
#[ignore = "run as a process of its own by the tests of this file"]
fn member() {
    let server = shared().expect("a server");
    let traces = Traces::of(server);
    let built = std::env::temp_dir().with_extension("built");
    let source = template(&TemplateKey::new().and("member"), |url| {
        super::run(url, "CREATE TABLE source AS SELECT 'carried'::text AS word");
        let mut file = std::fs::File::options().create(true).append(true).open(&built).expect("a file");
        std::io::Write::write_all(&mut file, b"built\n").expect("told");
        Ok(())
    });
    let database = source.expect("a template").create("member").expect("a copy");
    assert_eq!(ask(&database.url(), "SELECT word FROM source").expect("a row"), "carried");
    let mine = "SELECT count(*)::text FROM pg_database WHERE datname ~ '^whimbrel_(member|template)_'";
    let databases = ask(server.admin_url(), mine).expect("a count");
    let (directory, container) = (traces.directory.unwrap_or_default(), traces.container.unwrap_or_default());
    let (process, port) = (std::process::id().to_string(), traces.port.to_string());
    tell(&["member", &process, &port, &directory, &container, database.name(), &databases]);
    if std::env::var(TASK).is_ok_and(|task| task == "stay") {
        std::thread::sleep(Duration::from_secs(600));
    }
}

struct Member {
    process: String,
    traces: Traces,
    database: String,
    databases: String,
}

fn member_of(run: &mut Run) -> Member {
    let fields = run.line("member");
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    Member {
        process: fields[0].clone(),
        traces: Traces {
            port: fields[1].parse().expect("a port"),
            directory: some(&fields[2]),
            container: some(&fields[3]),
        },
        database: fields[4].clone(),
        databases: fields[5].clone(),
    }
}

fn on(footing: Footing, mut command: Command) -> Command {
    command.env("WHIMBREL_PROVISION", footing.name());
    command
}

#[test]
fn the_processes_of_a_run_share_one_server_and_one_template_and_it_ends_with_the_run() {
    for footing in private_footings() {
        let temporary = temporary();
        // Three at once, then one that is killed, then one more: what nextest does, and what cargo does.
        let member = process("run::member");
        let script = format!(
            "{member} & {member} & {member} & wait
             {TASK}=stay; export {TASK}; {member} & killed=$!; read -r _ <\"$TMPDIR.go\"; {TASK}=; wait $killed
             {member}; sleep 600"
        );
        let go = temporary.path().with_extension("go");
        assert!(Command::new("mkfifo").arg(&go).status().expect("mkfifo runs").success());
        let mut run = Run::start(on(footing, runner(&script, temporary.path())));
        let mut members: Vec<Member> = (0..4).map(|_| member_of(&mut run)).collect();
        kill(&members[3].process);
        std::fs::write(&go, "go\n").expect("the runner goes on");
        members.push(member_of(&mut run));
        for member in &members {
            assert_eq!(member.traces.port, members[0].traces.port, "{footing}");
            assert_eq!(member.traces.directory, members[0].traces.directory);
            assert_eq!(member.traces.container, members[0].traces.container);
        }
        // Its own and the template; the killed one's was dropped when this one came.
        assert_eq!(members[4].databases, "2", "{} of the killed process is there", members[3].database);
        let built = std::fs::read_to_string(temporary.path().with_extension("built")).expect("built");
        assert_eq!(built, "built\n", "built once by five processes");

        // The run ends by the end of its runner alone.
        run.child.kill().expect("killed");
        run.child.wait().expect("its end");
        let killed = Instant::now();
        members[0].traces.assert_gone_soon();
        soon("the run's folder is gone", || entries(temporary.path()).is_empty());
        println!("{footing}: gone {} ms after the end of the run", killed.elapsed().as_millis());
        // Its own last command may still be there.
        let _ = signal(-i64::from(run.child.id()), libc::SIGKILL);
        for extension in ["go", "built"] {
            std::fs::remove_file(temporary.path().with_extension(extension)).expect("there");
        }
    }
}

#[test]
fn what_killed_supervisors_left_is_removed_by_the_next_run() {
    for footing in private_footings() {
        let temporary = temporary();
        let command = || on(footing, runner(&format!("{}; sleep 600", process("run::member")), temporary.path()));
        let mut stay = command();
        let mut run = Run::start({
            stay.env(TASK, "stay");
            stay
        });
        let first = member_of(&mut run);
        let guardians = guardians(&first.process);
        assert_eq!(guardians.len(), 2, "a supervisor and a keeper: {guardians:?}");
        guardians.iter().for_each(|process| kill(process));
        run.kill();
        std::thread::sleep(Duration::from_millis(300));
        assert!(!first.traces.remaining().is_empty(), "{footing}: nobody is left to remove it");
        assert!(!entries(temporary.path()).is_empty());

        let mut next = Run::start(command());
        let second = member_of(&mut next);
        assert_ne!(first.traces.port, second.traces.port);
        first.traces.assert_gone_soon();
        next.kill();
        second.traces.assert_gone_soon();
        soon("both folders are gone", || entries(temporary.path()).is_empty());
        std::fs::remove_file(temporary.path().with_extension("built")).expect("there");
    }
}

#[test]
fn what_a_killed_run_left_on_somebody_elses_server_is_dropped_by_the_next() {
    let owner = match private_footings().next() {
        Some(footing) => Server::start_on(footing).expect("a server"),
        None => Server::start().expect("a server"),
    };
    let all = "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database";
    let names = || ask(owner.admin_url(), all).expect("the names");
    let before = names();
    for are_guardians_killed in [false, true] {
        let temporary = temporary();
        let command = || {
            let mut command =
                on(Footing::Url, runner(&format!("{}; sleep 600", process("run::member")), temporary.path()));
            command.env("WHIMBREL_POSTGRES", owner.admin_url());
            command
        };
        let mut stay = command();
        stay.env(TASK, "stay");
        let mut run = Run::start(stay);
        let member = member_of(&mut run);
        assert!(names().contains(&member.database));
        let guardians = guardians(&member.process);
        if are_guardians_killed {
            guardians.iter().for_each(|process| kill(process));
        }
        run.kill();
        if are_guardians_killed || guardians.len() < 2 {
            // Without psql on this machine, nobody but the next run can drop it.
            let mut next = Run::start(command());
            member_of(&mut next);
            assert!(!names().contains(&member.database), "{}", names());
            next.kill();
        }
        if guardians.len() == 2 {
            soon("every database is dropped", || names() == before);
        }
        soon("the run's folder is gone", || entries(temporary.path()).is_empty());
        std::fs::remove_file(temporary.path().with_extension("built")).expect("there");
    }
}

#[test]
fn a_server_that_nobody_uses_is_removed_before_its_shell_ends() {
    let Some(footing) = private_footings().next() else {
        assert!(!answers(&["version"]), "an engine is there, so a footing is");
        return;
    };
    let temporary = temporary();
    let mut command = on(footing, runner(&format!("{}; sleep 600", process("run::member")), temporary.path()));
    command.env("WHIMBREL_POSTGRES_KEEP_SECONDS", "5");
    let mut run = Run::start(command);
    let member = member_of(&mut run);
    let used = Instant::now();
    std::thread::sleep(Duration::from_secs(3));
    assert!(!member.traces.remaining().is_empty(), "the next test binary would find it");
    soon("the unused server is gone", || member.traces.remaining().is_empty() && entries(temporary.path()).is_empty());
    println!("{footing}: gone {} s after its last use", used.elapsed().as_secs());
    std::fs::remove_file(temporary.path().with_extension("built")).expect("there");
}

#[test]
fn in_ci_nobody_falls_back_to_a_server_that_happens_to_be_there() {
    let temporary = temporary();
    let mut command = runner(&process("run::member"), temporary.path());
    command.env("CI", "true").env_remove("WHIMBREL_PROVISION").env_remove("WHIMBREL_POSTGRES");
    let output = command.stderr(Stdio::piped()).output().expect("it runs");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(!output.status.success(), "{told}");
    for word in ["CI is set", "WHIMBREL_PROVISION", "WHIMBREL_POSTGRES", "`container`", "`local`", "`url`"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert_eq!(entries(temporary.path()).len(), 0);
}
