//! Showing how far a load is: a bar on a terminal, log lines elsewhere.

use crate::args::ProgressMode;
use crate::summary::{bytes, number};
use indicatif::{ProgressBar, ProgressStyle};
use longshore_pipeline::{DestinationState, DestinationStep, Progress, Stage};
use longshore_source_files::Progress as InputProgress;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Draws until it is dropped.
pub(crate) struct Display {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    pub(crate) fn start(mode: ProgressMode, run: Progress, input: Option<InputProgress>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = match mode {
            ProgressMode::Off => return Display { stop: Arc::default(), thread: None },
            ProgressMode::Auto => terminal,
            ProgressMode::Bar => true,
            ProgressMode::Log => false,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("progress".into())
            .spawn(move || if bar { draw_bar(&stopped, &run, input.as_ref()) } else { log_lines(&stopped, &run) });
        Display { stop, thread: thread.ok() }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join(); // only drawing
        }
    }
}

fn draw_bar(stop: &AtomicBool, run: &Progress, input: Option<&InputProgress>) {
    // A load that is over before the eye could follow shows nothing.
    std::thread::park_timeout(Duration::from_millis(300));
    if stop.load(Ordering::Relaxed) {
        return;
    }
    let began = Instant::now();
    let bar = match input.and_then(|i| i.stats().total_raw_bytes) {
        Some(total) => ProgressBar::new(total).with_style(style("{bar:30} {percent:>3}%  {msg}")),
        None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}")),
    };
    while !stop.load(Ordering::Relaxed) {
        if let Some(input) = input {
            bar.set_position(input.stats().raw_bytes);
        }
        bar.set_message(line(run, began));
        std::thread::park_timeout(Duration::from_millis(100));
    }
    bar.finish_and_clear();
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn log_lines(stop: &AtomicBool, run: &Progress) {
    let began = Instant::now();
    let every = Duration::from_secs(5);
    let mut next = every;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(every);
        if !stop.load(Ordering::Relaxed) && began.elapsed() >= next {
            next += every;
            eprintln!("{}", line(run, began));
        }
    }
}

fn line(run: &Progress, began: Instant) -> String {
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    let stage = match run.stage() {
        Stage::Start => "starting",
        Stage::Normalise => "normalising",
        Stage::Load => "loading",
        Stage::Commit => "committing",
        Stage::Done => "done",
    };
    let rate = bytes((run.bytes() as f64 / seconds) as u64);
    let mut line = format!(
        "{stage}: {} records, {} rows, {}, {rate}/s",
        number(run.records()),
        number(run.rows()),
        bytes(run.bytes())
    );
    let destinations = run.destinations();
    if destinations.len() > 1 {
        for d in &destinations {
            line.push_str(&format!("; {}", destination(d)));
        }
    }
    line
}

fn destination(d: &DestinationState) -> String {
    let kind = d.url().split(':').next().unwrap_or_default();
    match d.step() {
        DestinationStep::Waiting => format!("{kind} waiting"),
        DestinationStep::Staging => format!("{kind} {} rows staged", number(d.staged())),
        DestinationStep::Committing => format!("{kind} committing"),
        DestinationStep::Committed => format!("{kind} committed"),
    }
}
