//! The closing lines, in dlt's manner, and the same as JSON.

use crate::say;
use longshore_core::error::Result;
use longshore_pipeline::{DestinationReport, Outcome, Report};
use std::io::{self, Write};

/// Prints what a run did. A reader that has closed the pipe does not unload what is loaded.
///
/// # Errors
/// When it cannot be written: nobody has read then that the load is there, so it must not be filed as reported.
pub(crate) fn print(report: &Report, json: bool) -> Result<()> {
    let mut out = io::stdout().lock();
    match write(&mut out, report, json).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(say::unwritable(e)
            .hint("make room for it and run the same command again: what is loaded is not loaded twice")),
        _ => Ok(()),
    }
}

/// Says on stderr what failed: stdout may go nowhere.
pub(crate) fn print_failures(report: &Report) {
    for d in report.destinations.iter().filter(|d| !d.committed) {
        eprintln!("error: the load failed at {}: {}", d.destination, d.error.as_deref().unwrap_or("unknown"));
        if let Some(hint) = &d.hint {
            eprintln!("  hint: {hint}");
        }
    }
}

fn write(out: &mut impl Write, report: &Report, json: bool) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(report)?);
    }
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "{}", headline(report))?;
    for d in &report.destinations {
        writeln!(out, "{}", destination(report, d))?;
        if let Some(hint) = &d.hint {
            writeln!(out, "  hint: {hint}")?;
        }
    }
    table(out, report)?;
    for lost in &report.discards {
        let (rows, values) = (number(lost.rows), number(lost.values));
        writeln!(out, "  {}: the schema contract left out {rows} rows and {values} values", lost.table)?;
    }
    if report.counts.discarded > 0 {
        let (lost, read) = (number(report.counts.discarded), number(report.counts.read));
        writeln!(out, "{lost} of {read} records were discarded by the schema contract")?;
    }
    if report.counts.rejected > 0 {
        writeln!(
            out,
            "{} of {} records were rejected: see the rejects table",
            number(report.counts.rejected),
            number(report.counts.read)
        )?;
    }
    if let Some(id) = &report.load_id {
        closing(out, report, id.as_str())?;
    }
    Ok(())
}

/// Where the package is, and where it waits. What does not wait cannot be retried or dropped.
fn closing(out: &mut impl Write, report: &Report, id: &str) -> io::Result<()> {
    let of = report.destinations.len();
    let waiting = report.destinations.iter().filter(|d| d.waits).count();
    let without = report.destinations.iter().filter(|d| !d.committed && !d.waits).count();
    if waiting + without == 0 {
        return writeln!(out, "Load package {id} is LOADED and contains no failed jobs");
    }
    if waiting > 0 {
        let again = format!("run again, or: longshore pipeline {} retry | drop-package {id}", report.pipeline);
        writeln!(out, "Load package {id} is NOT LOADED at {waiting} of {of} destinations; {again}")?;
    }
    if without > 0 {
        let why = "does not wait for them: what brings it there is said above";
        writeln!(out, "Load package {id} is NOT LOADED at {without} of {of} destinations, and {why}")?;
    }
    Ok(())
}

fn headline(report: &Report) -> String {
    let steps = match report.outcome {
        Outcome::Completed => "completed an interrupted load".to_owned(),
        Outcome::Replayed => format!("replayed the package of a load: {} records", number(report.counts.read)),
        // Nothing was read: a package that was there already could not be loaded.
        Outcome::Failed if report.timings.normalise <= 0.0 => {
            "could not load a package that was there already".to_owned()
        }
        _ => format!(
            "load step completed in {:.2} seconds: {} records ({}) normalised in {:.2}, {}",
            report.timings.total,
            number(report.counts.read),
            bytes(report.counts.bytes),
            report.timings.normalise,
            rate(report),
        ),
    };
    format!("Pipeline {} {steps}", report.pipeline)
}

fn rate(report: &Report) -> String {
    let seconds = report.timings.total.max(0.000_001);
    format!("{}/s", bytes((report.counts.bytes as f64 / seconds) as u64))
}

fn destination(report: &Report, d: &DestinationReport) -> String {
    let packages = if d.committed { 1 } else { 0 };
    let state = match (&d.error, d.already) {
        (Some(error), _) => format!(": FAILED: {error}"),
        (None, true) => " (it was there already)".to_owned(),
        (None, false) => String::new(),
    };
    format!(
        "{packages} load package(s) were loaded to destination {} and into dataset {}{state}",
        d.destination, report.dataset
    )
}

fn table(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let width = report.tables.iter().map(|t| t.table.chars().count()).max().unwrap_or(0);
    report.tables.iter().try_for_each(|t| writeln!(out, "  {:width$}  {:>12} rows", t.table, number(t.rows)))
}

/// 1234567 -> 1,234,567
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// 1536 -> 1.5 KB, in powers of ten as disks and networks count.
pub(crate) fn bytes(n: u64) -> String {
    let (mut value, mut unit) = (n as f64, "B");
    for next in ["KB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_easy_to_read() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(999), "999");
        assert_eq!(bytes(187_571_964), "187.6 MB");
        assert_eq!(bytes(12), "12 B");
    }
}
