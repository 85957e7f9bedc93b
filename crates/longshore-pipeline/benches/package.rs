//! What writing and reading the rows of a package costs, in the form its parts have.
#![allow(clippy::unwrap_used)] // a benchmark that cannot go on is over
#![allow(missing_docs)] // of what criterion makes

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use longshore_bench_data::{Format, Shape as Data, generate};
use longshore_core::json::Tape;
use longshore_core::normalize::{Offsets, OnError, RecordBytes, Settings, Shape, normalize};
use longshore_core::package::LoadId;
use longshore_core::schema::{Schema, SystemColumns};

/// The root table's rows of one block.
fn rows(data: Data) -> RecordBatch {
    let mut bytes = Vec::new();
    generate(data, 3_000, 7, Format::Ndjson, &mut bytes).unwrap();
    let system = SystemColumns::Native;
    let mut shape = Shape::new(Schema::new("bench", system), Settings::new(data.name(), system));
    let block = RecordBytes { bytes: &bytes, records: None, pages: true };
    let done = normalize(&mut shape, &mut Tape::default(), block, OnError::Fail).unwrap();
    done.assemble(&shape, &LoadId::from_micros(1, system), &Offsets::default()).swap_remove(0).rows
}

fn write(rows: &RecordBatch) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &rows.schema(), options).unwrap();
    writer.write(rows).unwrap();
    writer.into_inner().unwrap()
}

fn package(c: &mut Criterion) {
    for data in [Data::Orders, Data::Events] {
        let rows = rows(data);
        let written = write(&rows);
        let mut group = c.benchmark_group(format!("package-{}", data.name()));
        group.throughput(Throughput::Elements(rows.num_rows() as u64));
        group.bench_function("write", |b| b.iter(|| write(&rows)));
        group.bench_function("read", |b| {
            b.iter(|| {
                StreamReader::try_new(written.as_slice(), None).unwrap().map(|r| r.unwrap().num_rows()).sum::<usize>()
            });
        });
        group.bench_function("checksum", |b| b.iter(|| crc32fast::hash(&written)));
    }
}

criterion_group!(benches, package);
criterion_main!(benches);
