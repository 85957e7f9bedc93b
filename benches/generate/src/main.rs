//! `bench-data`: writes benchmark data to a file and says on one line of JSON what it wrote.

use std::fs::File;
use std::process::ExitCode;
use std::time::Instant;

use longshore_bench_data::{Format, Shape, Summary, generate};

const USAGE: &str = "\
usage: bench-data orders|events|tree N OUT [--seed S] [--format ndjson|array|wrapped|pretty]

Writes N records of nested JSON to the file OUT; the same N, seed and format give the same bytes.
Prints one line of JSON: records, bytes, seconds, and the rows each table of a load must have.";

struct Args {
    shape: Shape,
    n: u64,
    out: String,
    seed: u64,
    format: Format,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--help" || a == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let args = match parse(arguments) {
        Ok(args) => args,
        Err(problem) => {
            eprintln!("bench-data: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let start = Instant::now();
    let written =
        File::create(&args.out).and_then(|mut file| generate(args.shape, args.n, args.seed, args.format, &mut file));
    match written {
        Ok(summary) => {
            println!("{}", report(&args, &summary, start.elapsed().as_secs_f64()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-data: {}: {error}", args.out);
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: Vec<String>) -> Result<Args, String> {
    let (mut seed, mut format) = (7, Format::Ndjson);
    let mut positional = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seed" => seed = number(&rest.next().ok_or("--seed needs a number")?)?,
            "--format" => {
                let name = rest.next().ok_or("--format needs a name")?;
                format = Format::from_name(&name).ok_or(format!("no format is called {name}"))?;
            }
            option if option.starts_with("--") => return Err(format!("no option is called {option}")),
            _ => positional.push(argument),
        }
    }
    let [shape, n, out] = <[String; 3]>::try_from(positional).map_err(|_| "three arguments are needed")?;
    let shape = Shape::from_name(&shape).ok_or(format!("no shape is called {shape}"))?;
    Ok(Args { shape, n: number(&n)?, out, seed, format })
}

fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is not a whole number"))
}

fn report(args: &Args, summary: &Summary, seconds: f64) -> String {
    let rows: Vec<String> = summary.rows.iter().map(|(table, count)| format!("\"{table}\":{count}")).collect();
    format!(
        r#"{{"shape":"{}","format":"{}","seed":{},"records":{},"bytes":{},"seconds":{seconds:.3},"rows":{{{}}}}}"#,
        args.shape.name(),
        args.format.name(),
        args.seed,
        summary.records,
        summary.bytes,
        rows.join(",")
    )
}
