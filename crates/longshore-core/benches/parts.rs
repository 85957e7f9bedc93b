//! The parts of the core by themselves: reading JSON, normalising, naming.
#![allow(clippy::unwrap_used)] // a benchmark that cannot go on is over
#![allow(missing_docs)] // of what criterion makes

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use longshore_bench_data::{Format, Shape as Data, generate};
use longshore_core::json::Tape;
use longshore_core::naming;
use longshore_core::normalize::{Offsets, OnError, RecordBytes, Settings, Shape, normalize};
use longshore_core::package::LoadId;
use longshore_core::schema::{Schema, SystemColumns};
use std::hint::black_box;

const RECORDS: u64 = 2_000;

fn input(data: Data) -> Vec<u8> {
    let mut bytes = Vec::new();
    generate(data, RECORDS, 7, Format::Ndjson, &mut bytes).unwrap();
    bytes
}

/// One block of NDJSON onto the tape, record by record.
fn tape(c: &mut Criterion) {
    let mut group = c.benchmark_group("tape");
    for data in Data::ALL {
        let bytes = input(data);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(data.name(), |b| {
            let mut tape = Tape::default();
            b.iter(|| {
                let mut at = 0;
                while at + 1 < bytes.len() {
                    at = tape.parse(&bytes, at).unwrap();
                }
                at
            });
        });
    }
}

/// One block from bytes to Arrow batches, on a shape that knows all keys.
fn normalising(c: &mut Criterion) {
    for (mode, system) in [("native", SystemColumns::Native), ("dlt", SystemColumns::Dlt)] {
        let mut group = c.benchmark_group(format!("normalise-{mode}"));
        for data in Data::ALL {
            let bytes = input(data);
            let block = RecordBytes { bytes: &bytes, records: None, pages: true };
            let load_id = LoadId::from_micros(1, system);
            let mut shape = Shape::new(Schema::new("bench", system), Settings::new(data.name(), system));
            let mut tape = Tape::default();
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_function(data.name(), |b| {
                b.iter(|| {
                    let done = normalize(&mut shape, &mut tape, block, OnError::Fail).unwrap();
                    done.assemble(&shape, &load_id, &Offsets::default())
                });
            });
        }
    }
}

fn names(c: &mut Criterion) {
    let keys = ["id", "createdAt", "HTTPServerURL", "Größe (cm)", "a__b", "x.y-z", "customer_address_geo_latitude"];
    c.bench_function("naming/key", |b| b.iter(|| keys.map(|key| naming::normalize_key(black_box(key)))));
    let path = ["orders", "customer", "marketing", "channels", "subscriptions", "preferences", "languages"];
    c.bench_function("naming/shortened", |b| b.iter(|| naming::shorten_fragments(black_box(&path), 63)));
}

criterion_group!(parts, tape, normalising, names);
criterion_main!(parts);
