//! The files of a declared source, read one after the other.

use super::config::{FilesConfig, Format, Resource};
use super::csv::CsvBlocks;
use super::metadata;
use crate::source::Source as Text;
use crate::{BlockReader, Input, Layout, Options, Pool, Progress, Select, to_error};
use longshore_core::error::{Error, Result};
use longshore_core::source::{JsonBlock, Source, Start};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// A source with one resource for each of the configuration's.
pub struct FilesSource {
    resources: Vec<Resource>,
    files: VecDeque<File>,
    options: Options,
    pool: Pool,
    progress: Progress,
    current: Option<(File, Reading)>,
    /// By resource, the files loaded so far with their size and time of change.
    state: Map<String, Value>,
}

/// One file to read.
#[derive(Debug, Clone)]
struct File {
    resource: usize,
    path: PathBuf,
    /// As written in the configuration, where a pattern or folder leads to it.
    name: String,
    size: u64,
    /// Milliseconds since 1970.
    changed: u64,
}

enum Reading {
    Json(Box<BlockReader>),
    Csv(Box<CsvBlocks>),
}

impl FilesSource {
    /// Finds the files; paths are relative to `folder`. `memory` is what the whole run stays within.
    ///
    /// # Errors
    /// When files are missing. Where only new ones are wanted, there may be none.
    pub fn new(config: FilesConfig, folder: &Path, memory: u64) -> Result<Self> {
        let mut files = VecDeque::new();
        for (i, resource) in config.resources.iter().enumerate() {
            files.extend(find(i, resource, folder)?);
        }
        let options = Options {
            select: None,
            block_bytes: (memory / 96).clamp(256 << 10, 4 << 20) as usize,
            // A record, its tape and its columns are in memory at once.
            max_record_bytes: memory.max(64 << 20) as usize,
        };
        let total = files.iter().map(|f| f.size).sum();
        let progress = Progress::new(files.len(), Some(total));
        let pool = Pool::new(options.block_bytes);
        let resources = config.resources;
        Ok(FilesSource { resources, files, options, pool, progress, current: None, state: Map::new() })
    }

    /// Returns counters for progress bars.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Stands for the configuration and the files, as far as size and time of change tell.
    pub fn fingerprint(&self) -> String {
        format!("{:?} {:?}", self.resources, self.files)
    }

    fn open(&self, file: &File) -> Result<Reading> {
        let resource = &self.resources[file.resource];
        let bytes = std::fs::File::open(&file.path)
            .map_err(|cause| to_error(crate::Error::Open { name: file.name.clone(), cause }))?;
        if is_csv(resource, &file.name) {
            let (text, _) = Text::open(file.name.clone(), Box::new(bytes), self.progress.clone()).map_err(to_error)?;
            return Ok(Reading::Csv(Box::new(CsvBlocks::open(file.name.clone(), text, resource.delimiter)?)));
        }
        let select = resource.select.as_deref().map(Select::parse).transpose().map_err(to_error)?;
        let options = Options { select, ..self.options.clone() };
        let input = Input::reader(file.name.clone(), bytes);
        let reader = BlockReader::with(vec![input], options, self.pool.clone(), self.progress.clone());
        Ok(Reading::Json(Box::new(reader)))
    }

    /// The current file's next block.
    fn read(&mut self) -> Result<Option<JsonBlock>> {
        let Some((file, reading)) = &mut self.current else { return Ok(None) };
        let resource = &self.resources[file.resource];
        let block = match reading {
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
        Ok(Some(if resource.metadata { with_metadata(block, file, &self.pool) } else { block }))
    }

    fn is_known(&self, file: &File) -> bool {
        let resource = &self.resources[file.resource];
        let known = self.state.get(&resource.name).and_then(|files| files.get(&file.name));
        resource.only_new && known == Some(&json!([file.size, file.changed]))
    }

    fn remember(&mut self, file: &File) {
        let resource = &self.resources[file.resource];
        if resource.only_new {
            let files = self.state.entry(resource.name.clone()).or_insert_with(|| json!({}));
            files[&file.name] = json!([file.size, file.changed]);
        }
    }
}

impl Source for FilesSource {
    fn begin(&mut self, start: &Start) -> Result<()> {
        self.state = start.state.as_ref().and_then(|s| s.get("files")?.as_object().cloned()).unwrap_or_default();
        let files = std::mem::take(&mut self.files);
        self.files = files.into_iter().filter(|f| !self.is_known(f)).collect();
        Ok(())
    }

    fn next_block(&mut self) -> Result<Option<JsonBlock>> {
        loop {
            if let Some(block) = self.read()? {
                return Ok(Some(block));
            }
            if let Some((file, _)) = self.current.take() {
                self.remember(&file);
            }
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            let reading = self.open(&file)?;
            self.current = Some((file, reading));
        }
    }

    fn recycle(&self, buffer: Vec<u8>) {
        self.pool.recycle(buffer);
    }

    fn state(&self) -> Option<Value> {
        if self.state.is_empty() { None } else { Some(json!({ "files": self.state })) }
    }
}

fn with_metadata(block: JsonBlock, file: &File, pool: &Pool) -> JsonBlock {
    let fields = metadata::fields(&file.name, Some(file.size));
    let (bytes, records) = metadata::put_in(&block.bytes, block.records.as_deref(), &fields);
    pool.recycle(block.bytes);
    JsonBlock { bytes, records, ..block }
}

fn is_csv(resource: &Resource, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    match resource.format {
        Format::Csv => true,
        Format::Json => false,
        Format::Auto => name.ends_with(".csv") || name.ends_with(".tsv"),
    }
}

fn find(index: usize, resource: &Resource, folder: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for name in &resource.files {
        let names = [folder.join(name).display().to_string()];
        let inputs = match Input::resolve(&names) {
            Ok(inputs) => inputs,
            // New ones may come.
            Err(crate::Error::NothingMatches { .. } | crate::Error::EmptyDirectory { .. }) if resource.only_new => {
                continue;
            }
            Err(e) => return Err(to_error(e).with("resource", &resource.name)),
        };
        for input in inputs {
            let path = PathBuf::from(input.name());
            let metadata = std::fs::metadata(&path)
                .map_err(|e| Error::input("the file cannot be looked at").with("file", input.name()).source(e))?;
            let changed = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
            let changed = changed.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            if files.iter().all(|f: &File| f.path != path) {
                files.push(File { resource: index, path, name, size: metadata.len(), changed });
            }
        }
    }
    Ok(files)
}
