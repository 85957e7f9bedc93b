//! DuckDB's C interface, wrapped: a database and one connection. The only unsafe code, with `scan`
//! and `chunk`.
//!
//! The safe crate `duckdb` reads well, but its connections cannot leave their thread with a
//! transaction open, and its table functions and appenders copy every value.
#![allow(unsafe_code)]

use duckdb::ffi;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A DuckDB message.
pub(crate) type Message = String;

/// An open database file; closed when the last user is gone.
#[derive(Debug)]
pub(crate) struct Database {
    raw: ffi::duckdb_database,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Any number of processes at once; nothing can be changed.
    Read,
    /// One process alone.
    Write,
}

/// The files this process has open: DuckDB's file lock does not keep a process from opening a file
/// twice and spoiling it.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Database>>> = Mutex::new(BTreeMap::new());

// SAFETY: DuckDB's database object is thread-safe; the handle itself is only read.
unsafe impl Send for Database {}
unsafe impl Sync for Database {}

impl Database {
    /// Opens a file with settings (`("threads", "2")`), or gives what this process has open already.
    pub(crate) fn open(path: &Path, access: Access, settings: &[(&str, String)]) -> Result<Arc<Self>, Message> {
        let absolute = std::path::absolute(path).map_err(|e| e.to_string())?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = open.get(&absolute).and_then(Weak::upgrade) {
            return Ok(database);
        }
        let mut settings = settings.to_vec();
        if access == Access::Read {
            settings.push(("access_mode", "READ_ONLY".to_owned()));
        }
        let database = Self::open_file(path, &settings)?;
        if access == Access::Write {
            open.retain(|_, database| database.strong_count() > 0);
            open.insert(absolute, Arc::downgrade(&database));
        }
        Ok(database)
    }

    fn open_file(path: &Path, settings: &[(&str, String)]) -> Result<Arc<Self>, Message> {
        let path =
            CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| "a NUL in the file name".to_owned())?;
        let mut config = ptr::null_mut();
        let mut raw = ptr::null_mut();
        let mut message: *mut c_char = ptr::null_mut();
        // SAFETY: every pointer is valid for the call; the config is destroyed once, the message freed once.
        unsafe {
            if ffi::duckdb_create_config(&mut config) != ffi::DuckDBSuccess {
                return Err("no memory for a configuration".to_owned());
            }
            for (key, value) in settings {
                let (Ok(k), Ok(v)) = (CString::new(*key), CString::new(value.as_str())) else { continue };
                if ffi::duckdb_set_config(config, k.as_ptr(), v.as_ptr()) != ffi::DuckDBSuccess {
                    ffi::duckdb_destroy_config(&mut config);
                    return Err(format!("DuckDB does not take {key}={value}"));
                }
            }
            let state = ffi::duckdb_open_ext(path.as_ptr(), &mut raw, config, &mut message);
            ffi::duckdb_destroy_config(&mut config);
            if state != ffi::DuckDBSuccess {
                let text = text(message);
                ffi::duckdb_free(message.cast());
                return Err(text);
            }
        }
        Ok(Arc::new(Database { raw }))
    }

    /// Returns a safe connection for queries.
    pub(crate) fn reader(&self) -> Result<duckdb::Connection, Message> {
        // SAFETY: the database outlives the connection: callers drop it before their `Arc<Database>`.
        unsafe { duckdb::Connection::open_from_raw(self.raw) }.map_err(|e| e.to_string())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once.
        unsafe { ffi::duckdb_close(&mut self.raw) };
    }
}

/// A connection with, usually, an open transaction.
#[derive(Debug)]
pub(crate) struct Connection {
    raw: ffi::duckdb_connection,
    database: Arc<Database>,
}

// SAFETY: a connection may be used from any thread, one at a time; `&mut self` sees to that.
unsafe impl Send for Connection {}

impl Connection {
    pub(crate) fn new(database: Arc<Database>) -> Result<Self, Message> {
        let mut raw = ptr::null_mut();
        // SAFETY: the database is open.
        match unsafe { ffi::duckdb_connect(database.raw, &mut raw) } {
            ffi::DuckDBSuccess => Ok(Connection { raw, database }),
            _ => Err("DuckDB gave no connection".to_owned()),
        }
    }

    pub(crate) fn database(&self) -> &Arc<Database> {
        &self.database
    }

    /// Runs one or more statements and forgets their results.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), Message> {
        let sql = CString::new(sql).map_err(|_| "a NUL character in a statement".to_owned())?;
        // SAFETY: an all-zero result is what the interface asks for; it is destroyed once.
        unsafe {
            let mut result: ffi::duckdb_result = std::mem::zeroed();
            let state = ffi::duckdb_query(self.raw, sql.as_ptr(), &mut result);
            let answer = match state {
                ffi::DuckDBSuccess => Ok(()),
                _ => Err(text(ffi::duckdb_result_error(&mut result))),
            };
            ffi::duckdb_destroy_result(&mut result);
            answer
        }
    }

    /// Runs a query for one whole number, in the connection's transaction.
    pub(crate) fn number(&mut self, sql: &str) -> Result<i64, Message> {
        Ok(self.numbers(sql)?.first().copied().unwrap_or(0))
    }

    /// Runs a query whose first column are whole numbers, in the connection's transaction.
    pub(crate) fn numbers(&mut self, sql: &str) -> Result<Vec<i64>, Message> {
        let sql = CString::new(sql).map_err(|_| "a NUL character in a statement".to_owned())?;
        // SAFETY: as for `execute`; values are read while the result is alive, from rows that it has.
        unsafe {
            let mut result: ffi::duckdb_result = std::mem::zeroed();
            let answer = match ffi::duckdb_query(self.raw, sql.as_ptr(), &mut result) {
                ffi::DuckDBSuccess => {
                    let rows = ffi::duckdb_row_count(&mut result);
                    Ok((0..rows).map(|row| ffi::duckdb_value_int64(&mut result, 0, row)).collect())
                }
                _ => Err(text(ffi::duckdb_result_error(&mut result))),
            };
            ffi::duckdb_destroy_result(&mut result);
            answer
        }
    }

    /// The handle, for what `scan` registers.
    pub(crate) fn raw(&self) -> ffi::duckdb_connection {
        self.raw
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: connected once, disconnected once; an open transaction is rolled back.
        unsafe { ffi::duckdb_disconnect(&mut self.raw) };
    }
}

/// # Safety
/// `message` is null or a C string.
unsafe fn text(message: *const c_char) -> String {
    if message.is_null() {
        return "DuckDB gave no reason".to_owned();
    }
    // SAFETY: see above.
    unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()
}
