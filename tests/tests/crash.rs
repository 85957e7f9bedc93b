//! The binary is killed at random moments and run again: every record is there once.
//!
//! `LONGSHORE_KILLS` is the number of kills (200), `LONGSHORE_SEED` repeats a run's dice.

use longshore_tests::{Lab, Output, nested_records, try_rows, write_nested};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long an undisturbed run should take: long enough to be hit in every phase.
const RUN: Duration = Duration::from_millis(500);
const WORKERS: usize = 2;

/// Where a killed run had got to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Before it made anything in the working folder.
    Start,
    BeforeSeal,
    /// Sealed, not committed.
    BeforeCommit,
    /// Committed, but the run had not come to its end.
    AfterCommit,
    /// All was done.
    End,
}

/// Dice that can be thrown again in the same order.
struct Dice(u64);

impl Dice {
    fn new(stream: u64) -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64);
        let seed = std::env::var("LONGSHORE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(clock);
        eprintln!("LONGSHORE_SEED={seed} (stream {stream})");
        Dice(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 to 1.
    fn throw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// When to kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after the start.
    After(Duration),
    /// So long after the package was sealed.
    AfterSeal(Duration),
    /// When the closing lines begin to come: after the commit, before the run's last act.
    AtClosingLines,
}

/// What an undisturbed run takes, kept up to date: other runs share the processors.
struct Pace {
    run_micros: AtomicU64,
    seal_to_end_micros: AtomicU64,
}

impl Pace {
    fn note(&self, run: Duration, seal_to_end: Option<Duration>) {
        let blend = |cell: &AtomicU64, new: Duration| {
            let old = cell.load(Ordering::Relaxed);
            cell.store((old * 7 + new.as_micros() as u64) / 8, Ordering::Relaxed);
        };
        blend(&self.run_micros, run);
        if let Some(seal_to_end) = seal_to_end {
            blend(&self.seal_to_end_micros, seal_to_end);
        }
    }

    fn moment(&self, number: usize, dice: &mut Dice) -> Moment {
        let part =
            |cell: &AtomicU64, share: f64| Duration::from_micros((cell.load(Ordering::Relaxed) as f64 * share) as u64);
        match number % 8 {
            // Anywhere, a little beyond the end too.
            0..=2 => Moment::After(part(&self.run_micros, dice.throw() * 1.05)),
            // The last third.
            3 | 4 => Moment::After(part(&self.run_micros, 0.66 + dice.throw() * 0.36)),
            5 | 6 => Moment::AfterSeal(part(&self.seal_to_end_micros, dice.throw())),
            _ => Moment::AtClosingLines,
        }
    }
}

const POLL: Duration = Duration::from_micros(200);

fn is_sealed(packages: &Path) -> bool {
    let Ok(entries) = fs::read_dir(packages) else { return false };
    entries.filter_map(Result::ok).any(|e| !e.file_name().to_string_lossy().ends_with(".partial"))
}

/// Lets a run live until the moment comes. True when the run was over before.
fn kill_at(mut child: Child, moment: Moment, packages: &Path) -> bool {
    let began = Instant::now();
    let mut sealed: Option<Instant> = None;
    match moment {
        Moment::AtClosingLines => {
            let mut first = [0];
            let _ = child.stdout.as_mut().map(|out| out.read(&mut first)); // the end of a run that failed is as good
        }
        Moment::After(_) | Moment::AfterSeal(_) => loop {
            if sealed.is_none() && is_sealed(packages) {
                sealed = Some(Instant::now());
            }
            let is_due = match moment {
                Moment::After(time) => began.elapsed() >= time,
                Moment::AfterSeal(time) => sealed.is_some_and(|at| at.elapsed() >= time),
                Moment::AtClosingLines => true,
            };
            if is_due || child.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            std::thread::sleep(POLL);
        },
    }
    let _ = child.kill(); // it may be over
    let status = child.wait().expect("a child can be waited for");
    assert!(status.code().is_none_or(|code| code == 0), "a run that was not killed ends well: {status}");
    status.code() == Some(0)
}

/// The tables of the generated records: counts, ids that are there once, links, and every value.
const CONTENT: &str = r#"SELECT
    (SELECT count(*) FROM t), (SELECT count(DISTINCT id) FROM t), (SELECT count(DISTINCT _row_id) FROM t),
    (SELECT sum(hash(id, name, "at", total, who__mail)) FROM t),
    (SELECT count(*) FROM t__who__tags), (SELECT sum(hash(t.id, c._list_idx, c.value)) FROM t__who__tags c JOIN t ON t._row_id = c._parent_id AND t._load_id = c._load_id),
    (SELECT count(*) FROM t__lines), (SELECT sum(hash(t.id, c._list_idx, c.sku, c.n)) FROM t__lines c JOIN t ON t._row_id = c._parent_id AND t._load_id = c._load_id),
    (SELECT count(*) FROM t__lines__sizes), (SELECT sum(hash(t.id, l.n, c._list_idx, c.value)) FROM t__lines__sizes c JOIN t__lines l ON l._row_id = c._parent_id JOIN t ON t._row_id = c._root_id)"#;

/// The loader's own tables, and that there are no others than there should be.
const RECORDS: &str = "SELECT
    (SELECT count(*) FROM _loads), (SELECT count(DISTINCT load_id) FROM _loads), (SELECT count(DISTINCT _load_id) FROM t), (SELECT sum(records) FROM _loads),
    (SELECT count(*) FROM _schemas), (SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM duckdb_tables())";

fn content(database: &Path) -> Vec<Value> {
    let text = |row: Vec<Value>| {
        row.into_iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned).into()).collect()
    };
    longshore_tests::rows(database, CONTENT).pop().map(text).unwrap_or_default()
}

/// A folder as it is before a run: nothing in it, or an earlier load.
struct Start {
    lab: Lab,
    loads: u64,
    records: u64,
    expected: Vec<Value>,
}

impl Start {
    fn set_up(&self, input: &Path) -> Lab {
        let lab = Lab::new();
        fs::hard_link(input, lab.path("in.ndjson"))
            .or_else(|_| fs::copy(input, lab.path("in.ndjson")).map(|_| ()))
            .expect("the input can be linked");
        if self.lab.database().exists() {
            fs::copy(self.lab.database(), lab.database()).expect("the database can be copied");
            copy_folder(&self.lab.data_dir(), &lab.data_dir());
        }
        lab
    }

    fn check(&self, lab: &Lab, story: &str) {
        assert_eq!(content(&lab.database()), self.expected, "{story}");
        let n = self.loads;
        let tables = "_loads _schemas _state t t__lines t__lines__sizes t__who__tags";
        assert_eq!(
            lab.rows(RECORDS),
            [[json!(n), json!(n), json!(n), json!(n * self.records), json!(1), json!(tables)]],
            "{story}"
        );
        // Nothing is left behind but the records of loaded packages that `packages` shows.
        let pipeline = lab.data_dir().join("pipelines/longshore");
        let mut left: Vec<String> = files_below(&pipeline)
            .iter()
            .map(|p| p.strip_prefix(&pipeline).unwrap_or(p).display().to_string())
            .collect();
        left.sort();
        let packages = lab.run(&["pipeline", "longshore", "packages", "--json"]).json();
        let shown = packages.as_array().expect("a list");
        assert!(shown.iter().all(|p| p["state"] == "loaded") && shown.len() as u64 == n, "{story}: {packages}");
        let ids = shown.iter().filter_map(|p| p["load_id"].as_str());
        let mut expected: Vec<String> =
            ids.flat_map(|id| ["manifest", "progress"].map(|f| format!("loaded/{id}/{f}.json"))).collect();
        expected.extend(["id", "lock", "trace.json"].map(str::to_owned));
        expected.sort();
        assert_eq!(left, expected, "{story}");
        let mut beside: Vec<_> = fs::read_dir(lab.path(""))
            .expect("the folder")
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .collect();
        beside.sort();
        assert_eq!(beside, ["data", "in.ndjson", "load.duckdb"], "{story}");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .map(|e| e.filter_map(Result::ok).map(|e| e.path()).collect::<Vec<_>>())
        .unwrap_or_default();
    entries.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).expect("it is below"));
        fs::create_dir_all(target.parent().expect("a file has a folder"))
            .and_then(|()| fs::copy(&file, &target))
            .expect("it can be copied");
    }
    fs::create_dir_all(to.join("pipelines/longshore/packages")).expect("it can be made");
}

const COMMAND: [&str; 5] = ["load", "in.ndjson", "--table", "t", "--json"];

/// The state of the working folder, told without touching anything.
fn phase_of(lab: &Lab, loads_at_end: u64) -> Phase {
    let pipeline = lab.data_dir().join("pipelines/longshore");
    let loaded = fs::read_dir(pipeline.join("loaded")).map_or(0, Iterator::count) as u64;
    let packages = lab.packages();
    match packages.first() {
        _ if loaded == loads_at_end => Phase::End,
        None => Phase::Start,
        Some(name) if name.ends_with(".partial") => Phase::BeforeSeal,
        Some(_) => Phase::BeforeCommit, // or after: the next run says which
    }
}

/// Runs the command to its end and asserts that it says what it found. Returns the phase it found.
fn complete(lab: &Lab, found: Phase, story: &str) -> Phase {
    let output = lab.run(&COMMAND);
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{story}: {output:#?}");
    let report = output.json();
    let notes = report["notes"].to_string();
    match found {
        Phase::Start => {
            assert_eq!((&report["outcome"], notes.as_str()), (&json!("loaded"), "[]"), "{story}");
            Phase::Start
        }
        Phase::BeforeSeal => {
            assert_eq!(report["outcome"], "loaded", "{story}");
            assert!(
                notes.contains("an earlier run was interrupted before its package was complete"),
                "{story}: {notes}"
            );
            Phase::BeforeSeal
        }
        _ => {
            assert_eq!(report["outcome"], "completed", "{story}");
            let already = report["destinations"][0]["already"] == true;
            let said = if already {
                "an earlier run of this command had committed its load"
            } else {
                "an earlier run of this command had been interrupted; its load is complete now"
            };
            assert!(notes.contains(said) && notes.contains("run the command again for a new load"), "{story}: {notes}");
            if already { Phase::AfterCommit } else { Phase::BeforeCommit }
        }
    }
}

/// How many records make a run of about [`RUN`].
fn calibrated() -> u64 {
    let mut records = 3_000;
    loop {
        let lab = Lab::new();
        write_nested(&lab.path("in.ndjson"), records);
        let took = lab.load(&COMMAND[1..4])["timings"]["total"].as_f64().expect("seconds");
        if took >= RUN.as_secs_f64() * 0.7 || records >= 2_000_000 {
            return records;
        }
        records = (records as f64 * (RUN.as_secs_f64() / took).clamp(1.3, 6.0)) as u64;
    }
}

/// An undisturbed run, watched.
fn undisturbed(lab: &Lab, pace: &Pace) {
    let began = Instant::now();
    let mut child = lab.command(&COMMAND).spawn().expect("the binary starts");
    let packages = lab.data_dir().join("pipelines/longshore/packages");
    let mut sealed = None;
    while child.try_wait().expect("a child can be asked").is_none() {
        if sealed.is_none() && is_sealed(&packages) {
            sealed = Some(Instant::now());
        }
        std::thread::sleep(POLL);
    }
    let output = Output::from(child.wait_with_output().expect("it ended"));
    assert_eq!(output.status, Some(0), "{output:#?}");
    pace.note(began.elapsed(), sealed.map(|at| at.elapsed()));
}

#[test]
fn killed_anywhere_and_run_again_every_record_is_there_once() {
    let kills: usize =
        std::env::var("LONGSHORE_KILLS").ok().map_or(200, |n| n.parse().expect("LONGSHORE_KILLS is a number"));
    let records = calibrated();
    let pace = Pace {
        run_micros: AtomicU64::new(RUN.as_micros() as u64),
        seal_to_end_micros: AtomicU64::new(RUN.as_micros() as u64 / 3),
    };

    let source = Lab::new();
    let input = source.path("in.ndjson");
    write_nested(&input, records);
    let undisturbed_start = |loads: u64| {
        let lab = Lab::new();
        write_nested(&lab.path("in.ndjson"), records);
        for _ in 0..loads {
            undisturbed(&lab, &pace);
        }
        lab
    };
    // What one load and two loads make, by runs that nobody disturbed.
    let (none, one, two) = (Lab::new(), undisturbed_start(1), undisturbed_start(2));
    let (after_one, after_two) = (content(&one.database()), content(&two.database()));
    assert_eq!(after_one[0], records.to_string());
    assert_eq!(after_two[0], (2 * records).to_string());
    let starts = [
        Start { lab: none, loads: 1, records, expected: after_one },
        Start { lab: one, loads: 2, records, expected: after_two },
    ];

    let number = AtomicUsize::new(0);
    let hits: Mutex<BTreeMap<Phase, usize>> = Mutex::new(BTreeMap::new());
    let hit = |phase| *hits.lock().unwrap_or_else(PoisonError::into_inner).entry(phase).or_default() += 1;
    let missing = || {
        let hits = hits.lock().unwrap_or_else(PoisonError::into_inner);
        [Phase::BeforeSeal, Phase::BeforeCommit, Phase::AfterCommit].iter().any(|p| !hits.contains_key(p))
    };
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (number, pace, starts, input, hit, missing) = (&number, &pace, &starts, &input, &hit, &missing);
            scope.spawn(move || {
                let mut dice = Dice::new(worker as u64);
                loop {
                    let mut n = number.fetch_add(1, Ordering::Relaxed);
                    if n >= kills && !(missing() && n < kills * 2 + 100) {
                        return;
                    }
                    let start = &starts[n % 3 / 2];
                    let lab = start.set_up(input);
                    let packages = lab.data_dir().join("pipelines/longshore/packages");
                    let mut story = format!("kill {n}, {} loads at the end", start.loads);
                    loop {
                        let moment = pace.moment(n, &mut dice);
                        let child = lab.command(&COMMAND).spawn().expect("the binary starts");
                        let ended = kill_at(child, moment, &packages);
                        let found = phase_of(&lab, start.loads);
                        story = format!("{story}; {moment:?} -> {found:?}");
                        assert!(!ended || found == Phase::End, "{story}");
                        if found == Phase::End {
                            hit(found);
                            break;
                        }
                        // Now and then the run that completes is killed too.
                        if dice.throw() < 0.15 {
                            hit(found);
                            n = number.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        let began = Instant::now();
                        hit(complete(&lab, found, &story));
                        if found <= Phase::BeforeSeal {
                            pace.note(began.elapsed(), None);
                        }
                        break;
                    }
                    start.check(&lab, &story);
                }
            });
        }
    });
    let hits = hits.into_inner().unwrap_or_else(PoisonError::into_inner);
    eprintln!("{records} records, {} kills: {hits:?}", hits.values().sum::<usize>());
    for phase in [Phase::BeforeSeal, Phase::BeforeCommit, Phase::AfterCommit] {
        assert!(hits.contains_key(&phase), "no kill hit {phase:?}: {hits:?}");
    }
}

/// Runs a command and kills it between the seal and the commit; tries until that worked.
fn killed_after_seal(lab: &Lab, args: &[&str], stdin: Option<&Path>) {
    for _ in 0..50 {
        let mut command = lab.command(args);
        if let Some(path) = stdin {
            command.stdin(Stdio::from(fs::File::open(path).expect("the input")));
        }
        let before = lab.packages();
        assert_eq!(before, Vec::<String>::new());
        let child = command.spawn().expect("the binary starts");
        kill_at(child, Moment::AfterSeal(Duration::ZERO), &lab.data_dir().join("pipelines/longshore/packages"));
        if lab.packages().iter().any(|name| !name.ends_with(".partial")) {
            return;
        }
        // Missed: begin again.
        let _ = fs::remove_dir_all(lab.data_dir());
        let _ = fs::remove_file(lab.database());
        let _ = fs::remove_file(lab.path("load.duckdb.wal"));
    }
    panic!("no kill hit a run between its seal and its end");
}

#[test]
fn a_command_that_ended_well_is_a_new_load_when_run_again() {
    let lab = Lab::new();
    lab.write("in.ndjson", nested_records(20_000));
    killed_after_seal(&lab, &COMMAND, None);
    assert_eq!(lab.load(&COMMAND[1..4])["outcome"], "completed");
    assert_eq!((lab.count("t"), lab.count("_loads")), (20_000, 1));
    let report = lab.load(&COMMAND[1..4]);
    assert_eq!((&report["outcome"], &report["notes"]), (&json!("loaded"), &json!([])));
    assert_eq!((lab.count("t"), lab.count("t__lines"), lab.count("_loads")), (40_000, 60_000, 2));
}

#[test]
fn people_are_told_that_an_earlier_run_was_completed() {
    let lab = Lab::new();
    lab.write("in.ndjson", nested_records(20_000));
    killed_after_seal(&lab, &COMMAND[..4], None);
    let output = lab.run(&COMMAND[..4]);
    assert_eq!(output.status, Some(0));
    assert!(output.stdout.starts_with("note: an earlier run of this command had "), "{}", output.stdout);
    assert!(output.stdout.contains(" is LOADED and contains no failed jobs\n"), "{}", output.stdout);
}

#[test]
fn stdin_is_completed_too() {
    let lab = Lab::new();
    let input = lab.write("in.ndjson", nested_records(20_000));
    let args = ["load", "-", "--table", "t", "--json"];
    let run = || {
        let mut command = lab.command(&args);
        command.stdin(Stdio::from(fs::File::open(&input).expect("the input")));
        Output::of(command)
    };
    // While it reads: nothing was loaded, the next run loads all.
    let mut child = lab.command(&args).stdin(Stdio::piped()).spawn().expect("the binary starts");
    let pipe = child.stdin.as_mut().expect("stdin is piped");
    std::io::Write::write_all(pipe, nested_records(8_000).as_bytes()).expect("it reads");
    child.kill().and_then(|()| child.wait()).expect("it can be killed");
    let output = run();
    assert_eq!((output.status, &output.json()["outcome"]), (Some(0), &json!("loaded")), "{output:#?}");
    assert_eq!((lab.count("t"), lab.count("_loads")), (20_000, 1));
    // Between seal and end: the next run of the same completes it.
    killed_after_seal(&lab, &args, Some(&input));
    let output = run();
    assert_eq!((output.status, &output.json()["outcome"]), (Some(0), &json!("completed")), "{output:#?}");
    assert_eq!(lab.count("t"), lab.count("_loads") * 20_000);
    assert_eq!(
        lab.rows("SELECT count(*) FROM (SELECT _load_id FROM t GROUP BY 1 HAVING count(DISTINCT id) <> 20000)"),
        [[json!(0)]]
    );
}

#[test]
fn another_stdin_is_not_taken_for_the_interrupted_one() {
    let lab = Lab::new();
    let input = lab.write("in.ndjson", nested_records(20_000));
    let args = ["load", "-", "--table", "t", "--json"];
    killed_after_seal(&lab, &args, Some(&input));
    // A pipe cannot be run again: what comes through it now must not be thrown away.
    let output = lab.run_with(&args, b"{\"id\":1000001}\n{\"id\":1000002}\n");
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert_eq!(lab.rows("SELECT count(*), count(*) FILTER (id > 1000000) FROM t"), [[json!(20_002), json!(2)]]);
}

#[test]
fn another_command_completes_the_earlier_package_first() {
    let lab = Lab::new();
    lab.write("in.ndjson", nested_records(20_000));
    lab.write("other.json", r#"[{"id":1},{"id":2}]"#);
    killed_after_seal(&lab, &COMMAND, None);
    let report = lab.load(&["other.json", "--table", "other"]);
    assert_eq!(report["outcome"], "loaded");
    assert_eq!(report["tables"], json!([{ "table": "other", "rows": 2 }]));
    let notes = report["notes"].to_string();
    assert!(
        notes.contains("completed load ") && notes.contains("which an earlier run had left, before beginning this one"),
        "{notes}"
    );
    assert_eq!(
        (lab.count("t"), lab.count("t__lines"), lab.count("other"), lab.count("_loads")),
        (20_000, 30_000, 2, 2)
    );
    assert_eq!(lab.packages(), Vec::<String>::new());
}

#[test]
fn another_pipeline_does_not_see_the_package() {
    let lab = Lab::new();
    lab.write("in.ndjson", nested_records(20_000));
    lab.write("other.json", r#"[{"id":1},{"id":2}]"#);
    killed_after_seal(&lab, &COMMAND, None);
    let report =
        lab.load(&["other.json", "--table", "other", "--pipeline", "second", "--dataset", "longshore_dataset"]);
    assert_eq!((&report["outcome"], &report["notes"]), (&json!("loaded"), &json!([])));
    assert_eq!(lab.packages().len(), 1);
    assert_eq!(lab.load(&COMMAND[1..4])["outcome"], "completed");
    assert_eq!((lab.count("t"), lab.count("other"), lab.count("_loads")), (20_000, 2, 2));
}

#[test]
fn readers_never_see_part_of_a_killed_load() {
    let lab = Lab::new();
    write_nested(&lab.path("in.ndjson"), 20_000);
    let mut dice = Dice::new(99);
    for _ in 0..10 {
        let child = lab.command(&COMMAND).spawn().expect("the binary starts");
        let moment = Moment::After(Duration::from_millis((dice.throw() * 400.0) as u64));
        kill_at(child, moment, &lab.data_dir().join("pipelines/longshore/packages"));
        // What anybody finds in the file right after the kill: whole loads or nothing.
        let tables = try_rows(&lab.database(), None, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 't'");
        if tables == Ok(vec![vec![json!(1)]]) {
            let loads = lab.count("_loads");
            assert_eq!((lab.count("t"), lab.count("t__lines")), (loads * 20_000, loads * 30_000));
        } else if lab.database().exists() {
            let whole = try_rows(&lab.database(), None, "SELECT count(*) FROM duckdb_tables()");
            assert!(
                whole.as_ref().is_err_and(|e| !e.contains("orrupt")) || whole == Ok(vec![vec![json!(0)]]),
                "{whole:?}"
            );
        }
    }
}

#[test]
fn a_file_that_a_killed_process_had_only_begun_to_make_is_made_anew() {
    let whole = Lab::new();
    whole.write("in.ndjson", "{\"id\":1}\n");
    whole.load(&COMMAND[1..4]);
    let made = std::fs::read(whole.database()).expect("the database is there");
    for bytes in [0, 4096, 8192, 12_287] {
        let lab = Lab::new();
        lab.write("in.ndjson", "{\"id\":1}\n");
        std::fs::write(lab.database(), &made[..bytes]).expect("the folder can be written");
        lab.load(&COMMAND[1..4]);
        assert_eq!(lab.count("t"), 1, "{bytes} bytes");
    }
    // Somebody's own file is not touched.
    let lab = Lab::new();
    lab.write("in.ndjson", "{\"id\":1}\n");
    std::fs::write(lab.database(), "my notes").expect("the folder can be written");
    assert_eq!(lab.run(&COMMAND).status, Some(1));
    assert_eq!(std::fs::read_to_string(lab.database()).expect("the file is there"), "my notes");
}
