//! Waiting batches as a table function of DuckDB: `INSERT INTO orders SELECT * FROM longshore_rows_1()`.
//!
//! Unlike an appender, which copies rows aside before it inserts them, this hands DuckDB the columns
//! as they are, and on as many threads as there are units.
#![allow(unsafe_code)]

use crate::chunk::{Filler, Source, VECTOR_ROWS, logical_type};
use crate::ffi::{Connection, Message};
use crate::queue::{Unit, Waiting};
use duckdb::ffi;
use longshore_core::schema::{Column, ColumnRole, ColumnType, Table};
use std::collections::VecDeque;
use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the next statement scans.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Columns that come out, in order.
    pub(crate) columns: Vec<(String, ColumnType)>,
    /// Each is read by one thread.
    pub(crate) units: VecDeque<Unit>,
    pub(crate) load_id: String,
}

/// A registered table function and what it scans next.
#[derive(Debug)]
pub(crate) struct Scan {
    name: String,
    feed: Arc<Mutex<Feed>>,
}

/// Functions stay registered as long as their database is open: each gets a name of its own.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Scan {
    /// Registers a function; the connection must not have a transaction open.
    pub(crate) fn register(connection: &mut Connection) -> Result<Self, Message> {
        let name = format!("longshore_rows_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let feed = Arc::new(Mutex::new(Feed::default()));
        let c_name = CString::new(name.as_str()).unwrap_or_default(); // letters and digits: no NUL
        // SAFETY: the function is destroyed once, after DuckDB has copied it; the reference to the feed
        // that it holds is given back by `release`.
        let state = unsafe {
            let mut function = ffi::duckdb_create_table_function();
            ffi::duckdb_table_function_set_name(function, c_name.as_ptr());
            let extra = Arc::into_raw(Arc::clone(&feed)).cast_mut().cast();
            ffi::duckdb_table_function_set_extra_info(function, extra, Some(release_feed));
            ffi::duckdb_table_function_set_bind(function, Some(bind));
            ffi::duckdb_table_function_set_init(function, Some(init));
            ffi::duckdb_table_function_set_local_init(function, Some(init_reader));
            ffi::duckdb_table_function_set_function(function, Some(read));
            let state = ffi::duckdb_register_table_function(connection.raw(), function);
            ffi::duckdb_destroy_table_function(&mut function);
            state
        };
        match state {
            ffi::DuckDBSuccess => Ok(Scan { name, feed }),
            _ => Err("DuckDB does not take a table function".to_owned()),
        }
    }

    /// The function's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Says what the next statement scans.
    pub(crate) fn feed(&self, feed: Feed) {
        *lock(&self.feed) = feed;
    }

    /// Drops what a statement left unread.
    pub(crate) fn clear(&self) {
        *lock(&self.feed) = Feed::default();
    }
}

fn lock(feed: &Mutex<Feed>) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread's place in its units.
struct Reader {
    filler: Filler,
    columns: Vec<(String, ColumnType)>,
    unit: std::vec::IntoIter<Waiting>,
    /// The batch at hand, where its columns are, and the next row. DuckDB may still point into it
    /// when it asks for more, so it goes only then.
    batch: Option<(Waiting, Vec<Source>, usize)>,
}

impl Reader {
    /// Fills the chunk with the next rows; leaves it empty at the end.
    ///
    /// # Safety
    /// `chunk` is alive and has the feed's columns.
    unsafe fn read(&mut self, feed: &Mutex<Feed>, chunk: ffi::duckdb_data_chunk) {
        loop {
            if let Some((waiting, sources, first)) = &mut self.batch {
                let rows = VECTOR_ROWS.min(waiting.rows.num_rows() - *first);
                if rows > 0 {
                    // SAFETY: the caller's; the batch stays until the next call.
                    unsafe { self.filler.fill(chunk, sources, &waiting.rows, *first, rows) };
                    *first += rows;
                    return;
                }
            }
            self.batch = None;
            match self.unit.next() {
                Some(waiting) => {
                    let sources = sources(&self.columns, &waiting.table);
                    self.batch = Some((waiting, sources, 0));
                }
                None => match lock(feed).units.pop_front() {
                    Some(unit) => self.unit = unit.into_iter(),
                    // SAFETY: the caller's.
                    None => return unsafe { ffi::duckdb_data_chunk_set_size(chunk, 0) },
                },
            }
        }
    }
}

/// For each column that comes out, where a batch of that table has it.
fn sources(columns: &[(String, ColumnType)], table: &Table) -> Vec<Source> {
    let is = |c: &Column, name: &str| c.name.eq_ignore_ascii_case(name);
    let source = |(name, _): &(String, ColumnType)| {
        let mut stored = table.columns.iter().filter(|c| c.role != Some(ColumnRole::LoadId));
        match stored.position(|c| is(c, name)) {
            Some(i) => Source::Column(i),
            None if table.system(ColumnRole::LoadId).is_some_and(|c| is(c, name)) => Source::LoadId,
            None => Source::Missing,
        }
    };
    columns.iter().map(source).collect()
}

/// # Safety
/// `extra` is a feed that `register` gave away.
unsafe extern "C" fn release_feed(extra: *mut c_void) {
    // SAFETY: the caller's; called once.
    drop(unsafe { Arc::from_raw(extra.cast_const().cast::<Mutex<Feed>>()) });
}

/// # Safety
/// `data` is a reader that `init_reader` gave away.
unsafe extern "C" fn release_reader(data: *mut c_void) {
    // SAFETY: the caller's; called once.
    drop(unsafe { Box::from_raw(data.cast::<Reader>()) });
}

/// # Safety
/// `info` is alive, as is the feed it leads to.
unsafe extern "C" fn bind(info: ffi::duckdb_bind_info) {
    // SAFETY: the extra info is the feed given at registration; types are destroyed once each.
    unsafe {
        let feed = lock(&*ffi::duckdb_bind_get_extra_info(info).cast::<Mutex<Feed>>());
        for (name, column_type) in &feed.columns {
            let name = CString::new(name.as_str()).unwrap_or_default(); // matched by place, not by name
            let mut logical = logical_type(*column_type);
            ffi::duckdb_bind_add_result_column(info, name.as_ptr(), logical);
            ffi::duckdb_destroy_logical_type(&mut logical);
        }
    }
}

/// # Safety
/// As `bind`.
unsafe extern "C" fn init(info: ffi::duckdb_init_info) {
    // SAFETY: as `bind`.
    unsafe {
        let feed = lock(&*ffi::duckdb_init_get_extra_info(info).cast::<Mutex<Feed>>());
        ffi::duckdb_init_set_max_threads(info, feed.units.len() as u64);
    }
}

/// # Safety
/// As `bind`.
unsafe extern "C" fn init_reader(info: ffi::duckdb_init_info) {
    // SAFETY: as `bind`; DuckDB gives the reader back to `release_reader`.
    unsafe {
        let feed = lock(&*ffi::duckdb_init_get_extra_info(info).cast::<Mutex<Feed>>());
        let types = feed.columns.iter().map(|(_, t)| *t).collect();
        let reader = Reader {
            filler: Filler::new(types, &feed.load_id),
            columns: feed.columns.clone(),
            unit: Vec::new().into_iter(),
            batch: None,
        };
        ffi::duckdb_init_set_init_data(info, Box::into_raw(Box::new(reader)).cast(), Some(release_reader));
    }
}

/// # Safety
/// As `bind`; the local state is the reader of `init_reader`, used by one thread.
unsafe extern "C" fn read(info: ffi::duckdb_function_info, chunk: ffi::duckdb_data_chunk) {
    // SAFETY: see above. A panic must not reach DuckDB.
    unsafe {
        let feed = &*ffi::duckdb_function_get_extra_info(info).cast::<Mutex<Feed>>();
        let reader = &mut *ffi::duckdb_function_get_local_init_data(info).cast::<Reader>();
        if catch_unwind(AssertUnwindSafe(|| reader.read(feed, chunk))).is_err() {
            ffi::duckdb_function_set_error(info, c"Longshore's reader of rows panicked".as_ptr());
        }
    }
}
