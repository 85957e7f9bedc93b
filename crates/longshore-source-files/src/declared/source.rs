//! The files of a declared source, read one after the other.

use super::ahead::Ahead;
use super::columns::ColumnBlocks;
use super::config::{FilesConfig, Format, Resource};
use super::csv::CsvBlocks;
use super::find::{File, Place, find};
use super::metadata;
use super::remote::RemoteReader;
use super::unnested::Columns;
use crate::input::COLUMNAR;
use crate::json_source::selects_nothing;
use crate::source::Source as Text;
use crate::{BlockReader, Input, Layout, Options, Pool, Progress, Select, to_error};
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use longshore_core::source::{Block, JsonBlock, Source, Start};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A source with one resource for each of the configuration's.
pub struct FilesSource {
    resources: Vec<Resource>,
    files: VecDeque<File>,
    ahead: Ahead,
    options: Options,
    pool: Pool,
    progress: Progress,
    current: Option<(File, Reading)>,
    /// By resource, whether its path has led to anything in the JSON files read so far.
    paths: BTreeMap<usize, bool>,
    /// By resource, the columns of the files opened so far.
    columns: BTreeMap<usize, Columns>,
    /// Where files of object stores are brought that cannot be read from the begin to the end.
    spool: Option<PathBuf>,
    /// By resource, the files loaded so far with their size and time of change.
    state: Map<String, Value>,
    /// Resources without anything new, and why.
    notes: Vec<String>,
}

enum Reading {
    Json(Box<BlockReader>),
    Csv(Box<CsvBlocks>),
    Columns(Box<ColumnBlocks>),
}

impl Reading {
    /// The columns, where the file says them.
    fn schema(&self) -> Option<&arrow_schema::Schema> {
        if let Reading::Columns(blocks) = self { Some(blocks.schema()) } else { None }
    }
}

impl FilesSource {
    /// Finds the files; paths are relative to `folder`. `memory` is what the whole run stays within; the
    /// `surroundings` are the environment that object stores may ask for credentials.
    ///
    /// # Errors
    /// When files are missing. Where only new ones are wanted, there may be none.
    pub fn new(config: FilesConfig, folder: &Path, memory: u64, surroundings: &Connection) -> Result<Self> {
        let mut files = VecDeque::new();
        for (i, resource) in config.resources.iter().enumerate() {
            files.extend(find(i, resource, folder, surroundings)?);
        }
        let options = Options {
            select: None,
            block_bytes: (memory / 96).clamp(256 << 10, 4 << 20) as usize,
            // A record, its tape and its columns are in memory at once.
            max_record_bytes: memory.max(64 << 20) as usize,
        };
        let total = files.iter().map(|f| f.size).sum();
        let progress = Progress::new(files.len(), total);
        let pool = Pool::new(options.block_bytes);
        let resources = config.resources;
        let spool = surroundings.env("TMPDIR").map(PathBuf::from);
        Ok(FilesSource {
            resources,
            files,
            ahead: Ahead::default(),
            options,
            pool,
            progress,
            current: None,
            paths: BTreeMap::new(),
            columns: BTreeMap::new(),
            spool,
            state: Map::new(),
            notes: Vec::new(),
        })
    }

    /// Returns counters for progress bars.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Stands for the configuration and the files, as far as size and time of change tell.
    pub fn fingerprint(&self) -> String {
        let files: Vec<_> = self.files.iter().map(|f| (f.resource, &f.name, f.version())).collect();
        format!("{:?} {files:?}", self.resources)
    }

    /// Opens a file, of which `fetched` is what was asked for before.
    fn open(&self, file: &File, fetched: Option<RemoteReader>) -> Result<Reading> {
        let resource = &self.resources[file.resource];
        let format = format(resource, file.plain_name());
        if is_columnar(format) {
            let (bytes, block) = (self.on_disk(file, fetched)?, self.options.block_bytes as u64);
            let blocks = match format {
                Format::Parquet => ColumnBlocks::parquet(file, bytes, block, resource.metadata)?,
                _ => ColumnBlocks::arrow(file, bytes, block, resource.metadata)?,
            };
            return Ok(Reading::Columns(Box::new(blocks)));
        }
        let bytes: Box<dyn Read + Send> = match &file.place {
            Place::Local(path) => Box::new(open_local(path, file)?),
            Place::Remote(found) => Box::new(fetched.map_or_else(|| RemoteReader::open(found), Ok)?),
        };
        if format == Format::Csv {
            let (text, _) = Text::open(file.name.clone(), bytes, self.progress.clone()).map_err(to_error)?;
            let usual = delimiter(file.plain_name());
            return Ok(Reading::Csv(Box::new(CsvBlocks::open(file.name.clone(), text, resource.delimiter, usual)?)));
        }
        let select = resource.select.as_deref().map(Select::parse).transpose().map_err(to_error)?;
        let options = Options { select, ..self.options.clone() };
        let input = Input::reader(file.name.clone(), bytes);
        let reader = BlockReader::with(vec![input], options, self.pool.clone(), self.progress.clone());
        Ok(Reading::Json(Box::new(reader)))
    }

    /// Looks into Parquet and Arrow files of this machine, as far as it takes to find the columns that are to be unnested. Those
    /// elsewhere would have to be brought for that: their columns are looked at when they are read.
    fn look_for_unnested(&self) -> Result<()> {
        for (i, resource) in self.resources.iter().enumerate() {
            let files = || self.files.iter().filter(|f| f.resource == i);
            let is_near =
                |f: &File| matches!(f.place, Place::Local(_)) && is_columnar(format(resource, f.plain_name()));
            let mut columns = Columns::default();
            if columns.have_all(resource) || !files().all(is_near) {
                continue;
            }
            for file in files() {
                columns.meet(self.open(file, None)?.schema());
                if columns.have_all(resource) {
                    break;
                }
            }
            columns.check(resource)?;
        }
        Ok(())
    }

    /// A file that is read here and there: one from elsewhere is brought to a temporary file without a name first.
    fn on_disk(&self, file: &File, fetched: Option<RemoteReader>) -> Result<std::fs::File> {
        let found = match &file.place {
            Place::Local(path) => return open_local(path, file),
            Place::Remote(found) => found,
        };
        let failed = |e| {
            Error::input("the file cannot be brought to the temporary folder")
                .with("file", &file.name)
                .hint("make room there, or name another folder by TMPDIR")
                .source(e)
        };
        let folder = self.spool.clone().unwrap_or_else(std::env::temp_dir);
        let mut spooled = tempfile::tempfile_in(folder).map_err(failed)?;
        let mut reader = fetched.map_or_else(|| RemoteReader::open(found), Ok)?;
        std::io::copy(&mut reader, &mut spooled).map_err(|e| match RemoteReader::cause(e) {
            Ok(own) => own,
            Err(e) => failed(e),
        })?;
        spooled.rewind().map_err(failed)?;
        Ok(spooled)
    }

    /// The current file's next block.
    fn read(&mut self) -> Result<Option<Block>> {
        let Some((file, reading)) = &mut self.current else { return Ok(None) };
        let resource = &self.resources[file.resource];
        let block = match reading {
            Reading::Columns(blocks) => {
                let before = blocks.rows();
                let Some(block) = blocks.next_block(file.resource)? else { return Ok(None) };
                self.progress.add_raw(blocks.share(file.size, before));
                return Ok(Some(Block::Columns(block)));
            }
            Reading::Csv(blocks) => {
                let Some((bytes, line)) = blocks.next_block(self.options.block_bytes)? else { return Ok(None) };
                JsonBlock {
                    resource: file.resource,
                    origin: Arc::from(file.name.as_str()),
                    bytes,
                    records: None,
                    pages: false,
                    offset: 0,
                    line,
                }
            }
            Reading::Json(reader) => {
                let Some(block) = reader.next_block().map_err(to_error)? else { return Ok(None) };
                let (records, pages) = match block.layout {
                    Layout::Sequence => (None, true),
                    Layout::Records(ranges) => {
                        // A path that ends at a list means its elements.
                        let pages = resource.select.as_ref().is_some_and(|s| !s.trim_end().ends_with("[*]"));
                        (Some(ranges), pages)
                    }
                };
                let origin = Arc::from(block.source.name.as_str());
                let (bytes, offset, line) = (block.bytes, block.offset, block.line);
                JsonBlock { resource: file.resource, origin, bytes, records, pages, offset, line }
            }
        };
        Ok(Some(Block::Json(if resource.metadata { with_metadata(block, file, &self.pool) } else { block })))
    }

    fn is_known(&self, file: &File) -> bool {
        let resource = &self.resources[file.resource];
        let known = self.state.get(&resource.name).and_then(|files| files.get(&file.name));
        resource.only_new && known.is_some() && known == file.version().as_ref()
    }

    /// Says of resources why they load nothing; `matched` has the resource of each file that was found.
    fn without_new(&self, matched: &[usize]) -> Vec<String> {
        let only_new = self.resources.iter().enumerate().filter(|(_, resource)| resource.only_new);
        let none_new = only_new.filter(|(i, _)| self.files.iter().all(|file| file.resource != *i));
        let told = none_new.map(|(i, resource)| match matched.iter().filter(|of| **of == i).count() {
            0 => format!("{}: no file matches, so none is new", resource.name),
            1 => format!("{}: no file is new; the one that matches was loaded before", resource.name),
            files => format!("{}: no file is new; all {files} that match were loaded before", resource.name),
        });
        told.collect()
    }

    fn remember(&mut self, file: &File) {
        let resource = &self.resources[file.resource];
        if let Some(version) = file.version().filter(|_| resource.only_new) {
            let files = self.state.entry(resource.name.clone()).or_insert_with(|| json!({}));
            files[&file.name] = version;
        }
    }
}

impl Source for FilesSource {
    fn begin(&mut self, start: &Start) -> Result<()> {
        self.state = start.state.as_ref().and_then(|s| s.get("files")?.as_object().cloned()).unwrap_or_default();
        let found = std::mem::take(&mut self.files);
        let matched: Vec<usize> = found.iter().map(|f| f.resource).collect();
        self.files = found.into_iter().filter(|f| !self.is_known(f)).collect();
        self.notes = self.without_new(&matched);
        self.look_for_unnested()
    }

    fn next_block(&mut self) -> Result<Option<Block>> {
        loop {
            if let Some(block) = self.read()? {
                return Ok(Some(block));
            }
            if let Some((file, reading)) = self.current.take() {
                if let Reading::Json(reader) = reading {
                    let is_right = self.paths.entry(file.resource).or_default();
                    *is_right |= reader.is_path_right();
                }
                self.remember(&file);
            }
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            let fetched = self.ahead.take(&self.files)?;
            let reading = self.open(&file, fetched)?;
            self.columns.entry(file.resource).or_default().meet(reading.schema());
            self.current = Some((file, reading));
        }
    }

    fn skip(&mut self, resource: usize) {
        self.ahead.forget();
        self.files.retain(|file| file.resource != resource);
        self.paths.remove(&resource);
        self.columns.remove(&resource);
        self.current = self.current.take().filter(|(file, _)| file.resource != resource);
    }

    fn recycle(&self, buffer: Vec<u8>) {
        self.pool.recycle(buffer);
    }

    fn finish(&mut self) -> Result<()> {
        for (resource, is_right) in &self.paths {
            let resource = &self.resources[*resource];
            if let (Some(path), false) = (&resource.select, is_right) {
                return Err(selects_nothing(path).with("resource", &resource.name));
            }
        }
        for (resource, columns) in &self.columns {
            columns.check(&self.resources[*resource])?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn state(&self) -> Option<Value> {
        if self.state.is_empty() { None } else { Some(json!({ "files": self.state })) }
    }
}

fn open_local(path: &Path, file: &File) -> Result<std::fs::File> {
    std::fs::File::open(path).map_err(|cause| to_error(crate::Error::Open { name: file.name.clone(), cause }))
}

fn with_metadata(block: JsonBlock, file: &File, pool: &Pool) -> JsonBlock {
    let fields = metadata::fields(file);
    let (bytes, records) = metadata::put_in(&block.bytes, block.records.as_deref(), &fields);
    pool.recycle(block.bytes);
    JsonBlock { bytes, records, ..block }
}

/// Returns true for a file that is JSON by its name.
pub fn is_json(name: &str) -> bool {
    format_of(name) == Format::Json
}

/// How a file is written: as the configuration says, or by its ending.
fn format(resource: &Resource, name: &str) -> Format {
    if resource.format != Format::Auto {
        return resource.format;
    }
    format_of(name)
}

fn is_columnar(format: Format) -> bool {
    matches!(format, Format::Parquet | Format::Arrow)
}

fn format_of(name: &str) -> Format {
    let name = name.to_ascii_lowercase();
    if let Some(ending) = COLUMNAR.iter().find(|ending| name.ends_with(**ending)) {
        return if ending.starts_with(".parq") { Format::Parquet } else { Format::Arrow };
    }
    let name = uncompressed(&name);
    if name.ends_with(".csv") || name.ends_with(".tsv") { Format::Csv } else { Format::Json }
}

/// What stands between the fields of CSV, by the ending.
fn delimiter(name: &str) -> u8 {
    if uncompressed(&name.to_ascii_lowercase()).ends_with(".tsv") { b'\t' } else { b',' }
}

fn uncompressed(name: &str) -> &str {
    name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(name)
}
