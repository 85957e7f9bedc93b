//! How much the source adds to fetching: the same pages by a plain HTTP client and by the source, with its journal.
//!
//! `throughput [PAGES]` prints both times, their ratio and the process's memory at a tenth of the pages and at the end.
//! For `benches/rest.py`, which measures the whole command: `throughput serve PAGES MILLISECONDS` serves the pages, each after
//! that time, until its standard input ends, and `throughput plain URL PAGES` only downloads them.

use longshore_core::package::LoadId;
use longshore_core::source::{Source, Start};
use longshore_source_rest::{RestConfig, RestOptions, RestSource};
use longshore_testkit::servers::http::{Answer, Server};
use serde_json::json;
use std::error::Error;
use std::time::{Duration, Instant};

/// Records of a page.
const RECORDS: u64 = 100;
const PAGES: u64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["serve", pages, milliseconds] => {
            let server = serve(pages.parse()?, Duration::from_millis(milliseconds.parse()?));
            println!("{}", server.url);
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?; // until it is closed
        }
        ["plain", url, pages] => {
            let (bytes, time) = download(url, pages.parse()?)?;
            println!("{bytes} {}", time.as_secs_f64());
        }
        [] => compare(PAGES)?,
        [pages] => compare(pages.parse()?)?,
        _ => return Err("throughput [PAGES] | serve PAGES MILLISECONDS | plain URL PAGES".into()),
    }
    Ok(())
}

fn serve(pages: u64, delay: Duration) -> Server {
    let answer = move |page: u64| {
        let record = |i| json!({ "id": (page - 1) * RECORDS + i, "name": format!("customer {i}"), "tags": ["a", "b"], "address": { "city": "Oslo", "zip": 1234.50 } });
        let data: Vec<_> = (0..RECORDS).map(record).collect();
        Answer { delay, ..Answer::json(&json!({ "data": data, "pagination": { "total_pages": pages } })) }
    };
    Server::start_with(move |asked| answer(asked.number("page", 1)), false)
}

/// One page after the other, nothing done with them.
fn download(url: &str, pages: u64) -> Result<(usize, Duration), Box<dyn Error>> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // there is none before
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bytes = runtime.block_on(async {
        let client = reqwest::Client::new();
        let mut bytes = 0;
        for page in 1..=pages {
            bytes += client.get(format!("{url}/items?page={page}")).send().await?.bytes().await?.len();
        }
        Ok::<_, reqwest::Error>(bytes)
    })?;
    Ok((bytes, begun.elapsed()))
}

fn compare(pages: u64) -> Result<(), Box<dyn Error>> {
    let server = serve(pages, Duration::ZERO);
    let (bytes, plain) = download(&server.url, pages)?;
    let folder = tempfile::tempdir()?;
    let config = json!({ "client": { "base_url": server.url }, "resources": [{ "name": "items", "endpoint": {
        "data_selector": "data", "paginator": { "type": "page_number", "base_page": 1, "total_path": "pagination.total_pages" } } }] });
    let config = RestConfig::from_value(&config).map_err(|p| longshore_source_rest::to_error(&p))?;
    let mut source = RestSource::new(config, RestOptions::default())?;
    let begun = Instant::now();
    let load_id = LoadId::parse("1").ok_or("a load id")?;
    source.begin(&Start { load_id, state: None, journal: Some(folder.path().join("journal")) })?;
    let (mut seen, mut early) = (0, 0);
    while let Some(block) = source.next_block()? {
        seen += 1;
        if seen == pages / 10 {
            early = resident();
        }
        drop(block);
    }
    let ours = begun.elapsed();
    assert_eq!(seen, pages);
    println!(
        "{pages} pages, {} records, {} MB: plain {:.2} s, source {:.2} s, ratio {:.3}; resident {} MB after a tenth, {} MB at the end",
        pages * RECORDS,
        bytes / 1_000_000,
        plain.as_secs_f64(),
        ours.as_secs_f64(),
        ours.as_secs_f64() / plain.as_secs_f64(),
        early / 1_000_000,
        resident() / 1_000_000,
    );
    Ok(())
}

/// Resident memory in bytes; 0 where the system does not say.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) * 4096
}
