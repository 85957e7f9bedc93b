//! Two machines (working folders) with one pipeline and one dataset: the second run waits or says clearly who is first,
//! and one that lost its turn spoils nothing.

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{Lab, Output};
use serde_json::Value;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What is long enough for whatever is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    DuckDb,
    Postgres,
    Files,
}

/// One destination, and machines that know nothing of each other.
struct Place {
    lab: Lab,
    url: String,
}

fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(&[]))
}

impl Place {
    fn new(kind: Kind) -> Self {
        let lab = Lab::new();
        let url = match kind {
            Kind::DuckDb => format!("duckdb://{}", lab.path("shared.duckdb").display()),
            Kind::Files => format!("file://{}", lab.path("files").display()),
            Kind::Postgres => server().url(&server().new_database()),
        };
        Place { lab, url }
    }

    fn command(&self, machine: &str, args: &[&str]) -> Command {
        let mut command = self.lab.command(args);
        command.env("LONGSHORE_DATA_DIR", self.lab.path(machine)).env("LONGSHORE_DESTINATION", &self.url);
        command
    }

    fn run(&self, machine: &str, args: &[&str]) -> Output {
        Output::of(self.command(machine, args))
    }

    /// Loads a record with that id.
    fn load(&self, machine: &str, id: u64, more: &[&str]) -> Output {
        let input = self.lab.write(&format!("{id}.ndjson"), format!("{{\"id\":{id}}}\n"));
        let args = ["load", input.to_str().expect("a path"), "--table", "t", "--progress", "off"];
        self.run(machine, &[&args, more].concat())
    }

    /// Begins a run that reads its first record and waits for more: it is in the middle of its work.
    fn begin(&self, machine: &str, id: u64, more: &[&str]) -> Run {
        let args = ["load", "-", "--table", "t", "--progress", "off"];
        let mut command = self.command(machine, &[&args, more].concat());
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
        let mut input = child.stdin.take().expect("stdin is piped");
        writeln!(input, "{{\"id\":{id}}}").expect("the run reads");
        let packages = self.lab.path(machine).join("pipelines/longshore/packages");
        let is_reading = || {
            let entries = std::fs::read_dir(&packages).into_iter().flatten().flatten();
            entries.filter(|e| e.file_name().to_string_lossy().ends_with(".partial")).count() > 0
        };
        wait_until("the run reads", is_reading);
        Run { child, input: Some(input) }
    }

    fn ids(&self) -> Vec<i64> {
        let output = self.run("reader", &["query", "SELECT id FROM t ORDER BY id", "--format", "json"]);
        assert_eq!(output.status, Some(0), "{output:#?}");
        let rows = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row is JSON"));
        rows.map(|row| row["id"].as_i64().expect("a number")).collect()
    }
}

/// A run in the middle of its work.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
}

impl Run {
    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|s| s.success()), "a signal can be sent");
    }

    /// Gives it the end of its input, and waits for its own.
    fn end(mut self) -> Output {
        self.input = None;
        self.child.wait_with_output().expect("the run ends").into()
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The second run names the first one and reads nothing; with more patience it loads behind it.
fn the_second_waits_or_says_for_whom(kind: Kind) {
    let place = Place::new(kind);
    assert_eq!(place.load("one", 1, &[]).status, Some(0));
    let first = place.begin("one", 2, &[]);
    let began = Instant::now();
    let refused = place.load("two", 3, &["--wait", "0s"]);
    assert_eq!(refused.status, Some(1), "{refused:#?}");
    assert!(began.elapsed() < Duration::from_secs(10), "it was not to wait");
    let who = format!("another run of this pipeline is under way: process {} on ", first.child.id());
    assert!(refused.stderr.contains(&who) && refused.stderr.contains(", since 20"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--wait 10m"), "{}", refused.stderr);
    let packages = place.lab.path("two/pipelines/longshore/packages");
    assert_eq!(std::fs::read_dir(packages).expect("the folder is there").count(), 0, "nothing was read");

    let output = std::thread::scope(|scope| {
        let second = scope.spawn(|| place.load("two", 3, &["--wait", "1m"]));
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!second.is_finished(), "it does not wait");
        let output = first.end();
        assert_eq!(output.status, Some(0), "{output:#?}");
        second.join().expect("no panic")
    });
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert!(output.stderr.contains("waiting for another run of pipeline longshore: process"), "{output:#?}");
    assert_eq!(place.ids(), [1, 2, 3]);
    // And nothing is left that keeps anybody waiting.
    assert_eq!(place.load("one", 4, &["--wait", "0s"]).status, Some(0));
    assert_eq!(place.ids(), [1, 2, 3, 4]);
}

#[test]
fn the_second_run_waits_at_postgres() {
    the_second_waits_or_says_for_whom(Kind::Postgres);
}

#[test]
fn the_second_run_waits_at_files() {
    the_second_waits_or_says_for_whom(Kind::Files);
}

#[test]
fn the_second_run_waits_at_duckdb() {
    the_second_waits_or_says_for_whom(Kind::DuckDb);
}

/// A DuckDB file takes one run at a time, of whatever pipeline: which one, is said.
#[test]
fn another_pipeline_at_one_file_is_named() {
    let place = Place::new(Kind::DuckDb);
    let first = place.begin("one", 1, &[]);
    let refused = place.load("two", 2, &["--wait", "0s", "--pipeline", "other"]);
    assert_eq!(refused.status, Some(1), "{refused:#?}");
    let who = format!("another run of the pipeline longshore is under way: process {} on ", first.child.id());
    assert!(refused.stderr.contains(&who) && !refused.stderr.contains("another --pipeline"), "{}", refused.stderr);
    assert_eq!(first.end().status, Some(0));
}

#[test]
fn one_server_by_two_names_is_one_destination() {
    let place = Place::new(Kind::Postgres);
    let other = place.url.replace("127.0.0.1", "localhost");
    let refused = place.load("one", 1, &["--destination", &place.url, "--destination", &other]);
    assert_eq!(refused.status, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("the same destination is named twice, in other words"), "{}", refused.stderr);
    assert!(refused.stderr.contains("localhost") && refused.stderr.contains("127.0.0.1"), "{}", refused.stderr);
}

/// Of a run that was killed, the lease is free: at once where it ends with the process, elsewhere when it was not
/// renewed.
fn a_killed_run_keeps_nobody_out(kind: Kind) {
    let place = Place::new(kind);
    let lease = ["--lease-time", "3s"];
    let mut first = place.begin("one", 1, &lease);
    first.child.kill().expect("it can be killed");
    first.child.wait().expect("it has ended");
    // The same machine takes over from itself at once; the partial package is swept.
    let again = place.load("one", 2, &["--wait", "5s"]);
    assert_eq!(again.status, Some(0), "{again:#?}");
    let mut second = place.begin("one", 3, &lease);
    second.child.kill().expect("it can be killed");
    second.child.wait().expect("it has ended");
    // Patient for one second, but a dead run's end is waited for.
    let other = place.load("two", 4, &["--wait", "1s"]);
    assert_eq!(other.status, Some(0), "{other:#?}");
    assert_eq!(place.ids(), [2, 4]);
}

#[test]
fn a_killed_run_keeps_nobody_out_of_postgres() {
    a_killed_run_keeps_nobody_out(Kind::Postgres);
}

#[test]
fn a_killed_run_keeps_nobody_out_of_files() {
    a_killed_run_keeps_nobody_out(Kind::Files);
}

#[test]
fn a_killed_run_keeps_nobody_out_of_duckdb() {
    a_killed_run_keeps_nobody_out(Kind::DuckDb);
}

/// Asserts that a run which another one overtook is refused, and that its package can be given up or forced.
fn check_overtaken(place: &Place, overtaken: Run) {
    let output = overtaken.end();
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("another run of the pipeline has loaded meanwhile"), "{}", output.stderr);
    assert!(output.stderr.contains("drop-package") && output.stderr.contains("retry --force"), "{}", output.stderr);
    assert_eq!(place.ids(), [1, 3], "the overtaken run has loaded");
    // It does not creep in later either.
    let retried = place.run("one", &["pipeline", "longshore", "retry"]);
    assert_eq!(retried.status, Some(1), "{retried:#?}");
    let next = place.load("one", 4, &[]);
    assert_eq!(next.status, Some(1), "it goes first, and cannot: {next:#?}");
    assert!(next.stderr.contains("drop-package"), "{}", next.stderr);
    assert_eq!(place.ids(), [1, 3]);
    let forced = place.run("one", &["pipeline", "longshore", "retry", "--force"]);
    assert_eq!(forced.status, Some(0), "{forced:#?}");
    assert_eq!(place.ids(), [1, 2, 3]);
    assert_eq!(place.load("one", 4, &[]).status, Some(0));
    assert_eq!(place.load("two", 5, &[]).status, Some(0));
    assert_eq!(place.ids(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_run_that_slept_longer_than_its_lease_does_not_commit_over_another_one() {
    let place = Place::new(Kind::Files);
    assert_eq!(place.load("one", 1, &[]).status, Some(0));
    let sleeper = place.begin("one", 2, &["--lease-time", "2s"]);
    sleeper.signal("-STOP");
    let other = place.load("two", 3, &["--wait", "1s"]);
    assert_eq!(other.status, Some(0), "{other:#?}");
    sleeper.signal("-CONT");
    check_overtaken(&place, sleeper);
}

#[test]
fn a_run_whose_session_was_lost_does_not_commit_over_another_one() {
    let place = Place::new(Kind::Postgres);
    assert_eq!(place.load("one", 1, &[]).status, Some(0));
    let cut = place.begin("one", 2, &[]);
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'longshore run {} %'",
        cut.child.id()
    );
    let database = place.url.rsplit('/').next().expect("a database").split('?').next().expect("a database");
    server().psql(database, &sql);
    let other = place.load("two", 3, &["--wait", "10s"]);
    assert_eq!(other.status, Some(0), "{other:#?}");
    check_overtaken(&place, cut);
}

/// Runs that do not overlap are no trouble, and many at once each get their turn.
#[test]
fn many_machines_load_one_after_the_other() {
    let place = Place::new(Kind::Files);
    std::thread::scope(|scope| {
        let place = &place;
        let runs: Vec<_> = (1..=6)
            .map(|id| scope.spawn(move || place.load(&format!("machine-{}", id % 3), id, &["--wait", "1m"])))
            .collect();
        for run in runs {
            let output = run.join().expect("no panic");
            assert_eq!(output.status, Some(0), "{output:#?}");
        }
    });
    assert_eq!(place.ids(), [1, 2, 3, 4, 5, 6]);
}

/// A package that waits is behind nobody but the loads that came between: then it is refused too.
#[test]
fn a_package_that_waited_while_another_machine_loaded_is_refused() {
    let place = Place::new(Kind::DuckDb);
    let file = place.lab.path("shared.duckdb");
    std::fs::write(&file, "this is no database").expect("a file can be written");
    let good = format!("duckdb://{}", place.lab.path("good.duckdb").display());
    assert_eq!(place.load("one", 1, &["--destination", &good, "--destination", &place.url]).status, Some(1));
    std::fs::remove_file(&file).expect("the file is there");
    assert_eq!(place.load("two", 2, &[]).status, Some(0), "nobody is there");
    let output = place.run("one", &["pipeline", "longshore", "retry"]);
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("has loaded meanwhile"), "{output:#?}");
    assert_eq!(place.run("one", &["pipeline", "longshore", "drop-package"]).status, Some(0));
    assert_eq!(place.load("one", 3, &[]).status, Some(0));
    assert_eq!(place.ids(), [2, 3]);
}
