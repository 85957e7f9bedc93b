//! Rows for tables that exist already: copied straight into them, in the transaction of the commit.
//!
//! A staging table would have to be read and written once more there, which takes longer than sending the rows: so
//! their parts wait in the package, and one connection copies them while another thread encodes what comes next.

use crate::catalog::Tables;
use crate::encode::{Constant, Rows};
use crate::session::Session;
use crate::types::PostgresDialect;
use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::SinkExt;
use longshore_core::error::{Error, Result};
use longshore_core::package::{Part, PartRows};
use longshore_core::schema::{Column, ColumnType, DataType, Table};
use longshore_sql::{Dialect, identifier, qualified};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::warn;

/// Rows are handed on in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces that may wait to be sent.
const WAITING_PIECES: usize = 4;

/// Parts that wait for the commit, by table.
#[derive(Debug, Default)]
pub(crate) struct LateParts(BTreeMap<String, Vec<Part>>);

impl LateParts {
    /// Keeps a part whose rows are in a file. Returns how many they are.
    pub(crate) fn keep(&mut self, part: &Part) -> Option<u64> {
        let PartRows::File(file) = &part.rows else { return None };
        self.0.entry(part.table.name.clone()).or_default().push(part.clone());
        Some(file.rows())
    }

    /// Returns a table's parts.
    pub(crate) fn of(&self, table: &str) -> &[Part] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// Returns how many rows of a table wait, as the package says.
    pub(crate) fn rows(&self, table: &str) -> u64 {
        let rows = |part: &Part| if let PartRows::File(file) = &part.rows { file.rows() } else { 0 };
        self.of(table).iter().map(rows).sum()
    }
}

/// True when the commit copies the table's rows straight into it. Their form is that of the package's types, so the
/// dataset's columns have to be of the same, or become so; any others are left to the server to convert.
pub(crate) fn takes(existing: &Tables, table: &Table) -> bool {
    let Some(known) = existing.get(&table.name).filter(|_| !table.write.merges()) else { return false };
    let fits = |own: &Column, known: Option<ColumnType>| {
        // By their names: to PostgreSQL several of our types may be one.
        let same = |known| PostgresDialect.sized_type_name(known) == PostgresDialect.sized_type_name(own.column_type());
        known.is_some_and(|known| {
            same(known) || is_varying(known, own) || (known.data_type != own.data_type && own.outgrows(known))
        })
    };
    let there = |own: &&Column| known.iter().find(|k| k.name == own.name);
    table.columns.iter().all(|own| there(&own).is_none_or(|known| fits(own, known.column_type)))
}

/// Texts are sent in one form, whatever their column lets in.
fn is_varying(known: ColumnType, own: &Column) -> bool {
    known == ColumnType::from(DataType::Text) && own.data_type == DataType::Text
}

/// Copies parts into a table of the dataset. Returns how many rows arrived.
pub(crate) async fn copy_parts(session: &Session, dataset: &str, parts: &[Part], load_id: &Constant) -> Result<u64> {
    let mut arrived = 0;
    // Parts of the same columns go in one statement.
    for group in parts.chunk_by(|a, b| a.table.columns.len() == b.table.columns.len()) {
        let Some(first) = group.first() else { continue };
        let columns: Vec<String> = first.table.columns.iter().map(|c| identifier(&c.name)).collect();
        let into = qualified(dataset, &first.table.name);
        let sql = format!("COPY {into} ({}) FROM STDIN (FORMAT binary)", columns.join(", "));
        let (send, receive) = channel(WAITING_PIECES);
        let (group, load_id) = (group.to_vec(), load_id.clone());
        let encoder = std::thread::Builder::new().name("encode".into());
        let encoder = encoder
            .spawn(move || encode(&group, &load_id, &send))
            .map_err(|e| Error::internal("cannot start a thread").source(e))?;
        let sent = send_pieces(session, &sql, receive).await;
        let encoded = encoder.join().unwrap_or_else(|_| Err(Error::internal("a thread panicked")));
        // Rows that could not be read are the cause of a stream that was not ended.
        encoded?;
        arrived += sent?;
    }
    Ok(arrived)
}

/// Sends what comes as one stream; gives it up where it ends without its last piece.
async fn send_pieces(session: &Session, sql: &str, mut pieces: Receiver<Piece>) -> Result<u64> {
    let mut is_whole = false;
    let sent = session.wait(async {
        let sink = session.client.copy_in(sql).await?;
        let mut sink = std::pin::pin!(sink);
        while let Some(piece) = pieces.recv().await {
            is_whole = piece.is_last;
            sink.feed(Bytes::from(piece.bytes)).await?;
        }
        // Dropping the sink without finishing makes the server end the statement with an error.
        if is_whole { sink.finish().await.map(Some) } else { Ok(None) }
    });
    let sent = sent.await?;
    drop(pieces);
    sent.ok_or_else(|| Error::internal("rows ended in the middle"))
}

/// Bytes of a stream.
struct Piece {
    bytes: Vec<u8>,
    is_last: bool,
}

/// Reads and encodes parts of the same columns. Ends early, without an error, when nobody takes the pieces any more.
fn encode(parts: &[Part], load_id: &Constant, pieces: &Sender<Piece>) -> Result<()> {
    let Some(columns) = parts.first().map(|p| p.table.columns.len()) else { return Ok(()) };
    let mut rows = Rows::new(columns);
    let mut changed = None;
    for part in parts {
        for batch in part.batches()? {
            let batch = batch?;
            for slice in slices(&batch) {
                if rows.append(&part.table, &slice, load_id) {
                    changed = Some(Arc::clone(&part.table));
                }
                if rows.len() >= PIECE_BYTES {
                    let piece = Piece { bytes: rows.take(), is_last: false };
                    if pieces.blocking_send(piece).is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
    if let Some(table) = changed {
        warn_of_nul(&table);
    }
    let _ = pieces.blocking_send(Piece { bytes: rows.finish(), is_last: true }); // who stopped listening says why
    Ok(())
}

/// Cuts a batch so that no piece becomes much larger than it should.
fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    let bytes_a_row = batch.get_array_memory_size() / batch.num_rows().max(1) + 1;
    let rows = (PIECE_BYTES / bytes_a_row).max(1);
    (0..batch.num_rows()).step_by(rows).map(move |first| batch.slice(first, rows.min(batch.num_rows() - first)))
}

/// Says that some text was not written as it is.
pub(crate) fn warn_of_nul(table: &Table) {
    warn!(table = table.name, "PostgreSQL cannot hold the character NUL: it is written as \\u0000");
}
