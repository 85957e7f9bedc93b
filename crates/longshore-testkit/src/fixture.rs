//! Load packages for tests: JSON in through the real normaliser, or Arrow arrays by hand.
//!
//! ```
//! use longshore_testkit::fixture::PackageBuilder;
//! let package = PackageBuilder::new("shop", "data", 1)
//!     .json("orders", r#"{"id":1,"lines":[{"sku":"a"},{"sku":"b"}]}"#)
//!     .json("orders", r#"{"id":2,"note":"later"}"#)
//!     .build();
//! assert_eq!(package.manifest.rows("orders__lines"), 2);
//! assert_eq!(package.parts.len(), 3);
//! ```

use crate::rows::shared;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::ArrowError;
use longshore_core::destination::{CommitOutcome, Destination, Load, Opening, Staged, rejects_table};
use longshore_core::json::Tape;
use longshore_core::lease::Fence;
use longshore_core::normalize::{
    FieldPath, Offsets, OnError, RecordBytes, SchemaRules, Settings, Shape, TableBatch, arrow_schema, native_row_id,
    normalize,
};
use longshore_core::package::{Counts, LoadId, Manifest, Part, PartFile, PartFileReader, PartRows, TableCount, Target};
use longshore_core::schema::{
    Column, ColumnRole, ColumnType, DataType, Schema, SchemaChange, SystemColumns, Table, WriteRules,
};
use longshore_core::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A finished package: the manifest and its parts, in order.
#[derive(Debug, Clone)]
pub struct Package {
    /// All but the rows.
    pub manifest: Manifest,
    /// The rows.
    pub parts: Vec<Part>,
}

/// Builds a [`Package`]. Each piece of rows becomes one part a table.
#[derive(Debug)]
pub struct PackageBuilder {
    target: Target,
    load_id: LoadId,
    system: SystemColumns,
    base: Schema,
    schema: Schema,
    /// The shape of the last root table: it knows more than the schema.
    shape: Option<(String, Shape)>,
    offsets: Offsets,
    parts: Vec<Part>,
    state: Option<serde_json::Value>,
    counts: Counts,
    max_identifier_length: usize,
    write: WriteRules,
    rules: SchemaRules,
    hints: Vec<(FieldPath, DataType)>,
    resources: Vec<String>,
    fence: Fence,
    drops: Vec<String>,
    empties: Vec<String>,
}

impl PackageBuilder {
    /// Begins the `number`-th load of a pipeline, in native mode, into a dataset that is empty for it.
    pub fn new(pipeline: &str, dataset: &str, number: u64) -> Self {
        let schema = Schema::new(pipeline, SystemColumns::Native);
        PackageBuilder {
            target: Target { pipeline: pipeline.to_owned(), dataset: dataset.to_owned() },
            load_id: LoadId::from_micros(1_763_826_000_000_000 + number * 1_000_001, SystemColumns::Native),
            system: SystemColumns::Native,
            base: schema.clone(),
            schema,
            shape: None,
            offsets: Offsets::default(),
            parts: Vec::new(),
            state: None,
            counts: Counts::default(),
            max_identifier_length: 65536,
            write: WriteRules::default(),
            rules: SchemaRules::default(),
            hints: Vec::new(),
            resources: Vec::new(),
            fence: Fence::Open,
            drops: Vec::new(),
            empties: Vec::new(),
        }
    }

    /// Uses dlt's system columns. To be called before there are rows.
    #[must_use]
    pub fn dlt(mut self) -> Self {
        self.system = SystemColumns::Dlt;
        self.load_id = LoadId::from_micros(self.load_id.micros(), self.system);
        self.base.system_columns = self.system;
        self.schema.system_columns = self.system;
        self
    }

    /// Begins from the schema an earlier load of the pipeline ended with.
    #[must_use]
    pub fn after(mut self, earlier: &Package) -> Self {
        self.base = earlier.manifest.schema.clone();
        self.schema = self.base.clone();
        self.system = self.base.system_columns;
        self
    }

    /// Lets nothing stand there when the load commits that is newer than this package; `None` for nothing at all.
    #[must_use]
    pub fn fenced(mut self, known: Option<&Package>) -> Self {
        self.fence = Fence::After(known.map(|p| p.manifest.load_id.clone()));
        self
    }

    /// Drops a root table with those below it, as the earlier load left them. To be called before there are rows.
    #[must_use]
    pub fn dropping(mut self, root: &str) -> Self {
        let children = self.schema.children_of(root).into_iter().map(|t| t.name.clone());
        let gone: Vec<String> = [root.to_owned()].into_iter().chain(children).collect();
        self.schema.tables.retain(|t| !gone.contains(&t.name));
        self.base = self.schema.clone();
        self.drops.extend(gone);
        self
    }

    /// Takes the rows out of a root table and those below it.
    #[must_use]
    pub fn emptying(mut self, root: &str) -> Self {
        self.empties.push(root.to_owned());
        self
    }

    /// Shortens names to what a destination can hold.
    #[must_use]
    pub fn max_identifier_length(mut self, bytes: usize) -> Self {
        self.max_identifier_length = bytes;
        self
    }

    /// Adds JSON records of a root table, one after the other, as one block.
    ///
    /// # Panics
    /// When the text is not JSON.
    #[must_use]
    pub fn json(mut self, table: &str, records: &str) -> Self {
        let mut shape = match self.shape.take() {
            Some((of, shape)) if of == table => shape,
            _ => {
                let mut settings = Settings::new(table, self.system);
                settings.max_identifier_length = self.max_identifier_length;
                settings.write = self.write.clone();
                settings.rules = self.rules.clone();
                settings.hints = self.hints.clone();
                Shape::new(self.schema.clone(), settings)
            }
        };
        let bytes = RecordBytes { bytes: records.as_bytes(), records: None, pages: false };
        let block = normalize(&mut shape, &mut Tape::default(), bytes, OnError::Fail)
            .unwrap_or_else(|bad| panic!("the records of '{table}' are not JSON: {bad:?}"));
        self.take_part(table);
        self.counts.read += block.read;
        let rejected = block.rejects.len() as u64;
        self.counts.rejected += rejected;
        self.counts.discarded += block.discarded;
        self.counts.normalised += block.read - rejected - block.discarded;
        self.counts.bytes += records.len() as u64;
        let offsets = block.reserve(&mut self.offsets);
        for TableBatch { table, rows } in block.assemble(&shape, &self.load_id, &offsets) {
            self.push(table, vec![rows]);
        }
        self.schema = shape.schema().clone();
        self.shape = Some((table.to_owned(), shape));
        self
    }

    /// Writes the root tables that come next by these rules.
    #[must_use]
    pub fn writing(mut self, rules: WriteRules) -> Self {
        self.write = rules;
        self.shape = None;
        self
    }

    /// Lets the schema grow by these rules from here on. What they reject is counted and left out.
    #[must_use]
    pub fn rules(mut self, rules: SchemaRules) -> Self {
        self.rules = rules;
        self.shape = None;
        self
    }

    /// Takes the hints of some settings for the records that come next.
    #[must_use]
    pub fn hinted(mut self, settings: &Settings) -> Self {
        self.hints.clone_from(&settings.hints);
        self.rules(settings.rules.clone())
    }

    /// Gives a column another size, as an edited schema does: written like a hint, `decimal:precision=12:scale=3`.
    ///
    /// # Panics
    /// When there is no such column, or it is no hint.
    #[must_use]
    pub fn resized(mut self, table: &str, column: &str, hint: &str) -> Self {
        let mut settings = Settings::new(table, self.system);
        settings.add_hint(&format!("{column}={hint}")).expect("a type with a size");
        let (_, data_type) = settings.hints[0];
        let known = self.schema.tables.iter_mut().find(|t| t.name == table);
        let known = known.and_then(|t| t.columns.iter_mut().find(|c| c.name == column)).expect("the column is there");
        known.grow_to(ColumnType::of(data_type, &settings.rules.columns[0].properties));
        self.shape = None;
        self
    }

    /// Lets a resource take part that has no records.
    #[must_use]
    pub fn nothing_of(mut self, table: &str) -> Self {
        let settings = Settings { write: self.write.clone(), ..Settings::new(table, self.system) };
        self.schema = Shape::new(self.schema, settings).schema().clone();
        self.shape = None;
        self.take_part(table);
        self
    }

    fn take_part(&mut self, table: &str) {
        if !self.resources.iter().any(|r| r == table) {
            self.resources.push(table.to_owned());
        }
    }

    /// Adds rows of a root table by hand: its data columns, to which system columns are added.
    /// Columns the table already has may be given again, or left out and are null.
    ///
    /// # Panics
    /// When the arrays differ in length or are not what their type's Arrow array is.
    #[must_use]
    pub fn arrays(mut self, table: &str, columns: Vec<(&str, DataType, ArrayRef)>) -> Self {
        let count = columns.first().map_or(0, |(_, _, array)| array.len());
        let known = self.schema.table(table).cloned();
        let is_new = known.is_none();
        let mut whole = known.unwrap_or_else(|| Table::new(table, None));
        for (name, data_type, _) in &columns {
            if whole.column(name).is_none() {
                whole.columns.push(Column::data(*name, *data_type));
            }
        }
        if is_new {
            whole.columns.extend(self.system.roles(true).iter().map(|&role| self.system.column(role)));
        }
        self.set_table(whole.clone());
        let given = |name: &str| columns.iter().find(|(n, ..)| *n == name).map(|(.., array)| Arc::clone(array));
        let first = self.parts.iter().filter(|p| p.table.name == table).map(rows_of).sum();
        let arrays = whole.columns.iter().filter_map(|c| match c.role {
            Some(ColumnRole::LoadId) => None,
            Some(_) => Some(self.row_ids(table, first, count)),
            None => Some(given(&c.name).unwrap_or_else(|| new_null_array(&c.column_type().arrow(), count))),
        });
        let rows = batch(&whole, arrays.collect(), count).expect("arrays agree with the types they are given for");
        self.counts.read += count as u64;
        self.counts.normalised += count as u64;
        self.push(Arc::new(whole), vec![rows]);
        self
    }

    fn row_ids(&self, table: &str, first: u64, count: usize) -> ArrayRef {
        let base = native_row_id(&self.load_id, &self.schema.name, first);
        let ids = (0..count as i64).map(|i| base + i);
        match self.system {
            SystemColumns::Native => shared(Int64Array::from_iter_values(ids)),
            SystemColumns::Dlt => shared(StringArray::from_iter_values(ids.map(|id| format!("{table}-{id}")))),
        }
    }

    /// Adds a table that has no rows in this load.
    #[must_use]
    pub fn empty_table(mut self, table: &str, columns: &[(&str, DataType)]) -> Self {
        let mut whole = Table::new(table, None);
        whole.columns = columns.iter().map(|(name, data_type)| Column::data(*name, *data_type)).collect();
        whole.columns.extend(self.system.roles(true).iter().map(|&role| self.system.column(role)));
        self.set_table(whole);
        self
    }

    /// Adds a record that could not be read.
    #[must_use]
    pub fn reject(mut self, source: &str, line: i64, reason: &str, record: &str) -> Self {
        let table = rejects_table(self.system);
        let text = |value: &str| shared(StringArray::from(vec![value.to_owned()]));
        let number = |value: i64| shared(Int64Array::from(vec![value]));
        let columns = vec![text("items"), text(source), number(line), number(line * 100), text(reason), text(record)];
        let rows = batch(&table, columns, 1).expect("the arrays are those of the rejects table");
        self.counts.read += 1;
        self.counts.rejected += 1;
        self.push(Arc::new(table), vec![rows]);
        self
    }

    /// Sets the state after this load.
    #[must_use]
    pub fn state(mut self, state: serde_json::Value) -> Self {
        self.state = Some(state);
        self
    }

    fn set_table(&mut self, table: Table) {
        self.shape = None;
        match self.schema.tables.iter_mut().find(|t| t.name == table.name) {
            Some(old) => *old = table,
            None => self.schema.tables.push(table),
        }
    }

    fn push(&mut self, table: Arc<Table>, rows: Vec<RecordBatch>) {
        self.parts.push(Part { number: self.parts.len() as u64, table, rows: PartRows::Memory(rows.into()) });
    }

    /// Finishes the package.
    #[must_use]
    pub fn build(self) -> Package {
        let mut package = Package {
            manifest: Manifest {
                discards: Vec::new(),
                format: 1,
                load_id: self.load_id,
                target: self.target,
                fence: self.fence,
                drops: self.drops,
                empties: self.empties,
                resources: self.resources,
                change: SchemaChange::between(&self.base, &self.schema),
                schema: self.schema,
                state: self.state,
                counts: self.counts,
                tables: Vec::new(),
                parts: Vec::new(),
            },
            parts: self.parts,
        };
        package.count();
        package
    }
}

impl Package {
    /// Returns what a load of this package begins with.
    #[must_use]
    pub fn opening(&self) -> Opening {
        Opening::of(&self.manifest)
    }

    /// Writes its rows by other rules than those they were normalised for, which would have refused them.
    #[must_use]
    pub fn written_by(mut self, rules: &WriteRules) -> Self {
        self.manifest.schema.tables.iter_mut().for_each(|table| table.write = rules.clone());
        for part in &mut self.parts {
            Arc::make_mut(&mut part.table).write = rules.clone();
        }
        self
    }

    /// Cuts the parts into parts of at most `rows` rows.
    ///
    /// # Panics
    /// When a part cannot be read.
    #[must_use]
    pub fn in_parts_of(mut self, rows: usize) -> Self {
        let mut parts = Vec::new();
        for part in &self.parts {
            for batch in part.batches().expect("rows in memory are there") {
                let batch = batch.expect("rows in memory are there");
                for start in (0..batch.num_rows()).step_by(rows) {
                    let piece: Arc<[RecordBatch]> = vec![batch.slice(start, rows.min(batch.num_rows() - start))].into();
                    parts.push(Part {
                        number: parts.len() as u64,
                        table: Arc::clone(&part.table),
                        rows: PartRows::Memory(piece),
                    });
                }
            }
        }
        self.parts = parts;
        self.count();
        self
    }

    /// Cuts the batches of each part into batches of at most `rows` rows; the parts stay.
    ///
    /// # Panics
    /// When a part cannot be read.
    #[must_use]
    pub fn in_batches_of(mut self, rows: usize) -> Self {
        for part in &mut self.parts {
            let mut batches = Vec::new();
            for batch in part.batches().expect("rows in memory are there") {
                let batch = batch.expect("rows in memory are there");
                let starts = (0..batch.num_rows()).step_by(rows);
                batches.extend(starts.map(|start| batch.slice(start, rows.min(batch.num_rows() - start))));
            }
            part.rows = PartRows::Memory(batches.into());
        }
        self
    }

    /// Writes the parts to Arrow IPC files in a folder and reads them from there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn in_files(mut self, folder: &Path) -> Result<Self> {
        for part in &mut self.parts {
            let file = IpcFile::write(folder.join(format!("{:06}.arrow", part.number)), part)?;
            part.rows = PartRows::File(Arc::new(file));
        }
        Ok(self)
    }

    /// Makes the part of that number break off after its first batch, as a damaged file does.
    #[must_use]
    pub fn with_broken_part(mut self, number: usize) -> Self {
        let whole = self.parts[number].clone();
        self.parts[number].rows = PartRows::File(Arc::new(BrokenFile { whole }));
        self
    }

    /// Counts rows per table and lists the parts.
    fn count(&mut self) {
        let count = |table: &str| self.parts.iter().filter(|p| p.table.name == table).map(rows_of).sum();
        let data = self.manifest.schema.tables.iter().map(|t| t.name.clone());
        let rejects = rejects_table(self.manifest.schema.system_columns).name;
        let tables = data.chain([rejects]).map(|table| TableCount { rows: count(&table), table });
        self.manifest.tables = tables.filter(|t| t.rows > 0).collect();
        let file = |p: &Part| PartFile {
            table: p.table.name.clone(),
            file: format!("{:06}.arrow", p.number),
            columns: p.table.columns.len(),
            rows: rows_of(p),
            bytes: 0,
            crc32: "00000000".to_owned(),
        };
        self.manifest.parts = self.parts.iter().map(file).collect();
    }
}

/// Begins, stages every part in order and commits: a whole load without retries.
///
/// # Errors
/// The first error of the destination.
pub async fn load(destination: &dyn Destination, package: &Package) -> Result<CommitOutcome> {
    let load = destination.begin(&package.opening()).await?;
    let staged = stage(&*load, package).await?;
    load.commit(&package.manifest, &staged).await
}

/// Stages every part in order.
///
/// # Errors
/// The first error of the destination.
pub async fn stage(load: &dyn Load, package: &Package) -> Result<Vec<Staged>> {
    let mut staged = Vec::new();
    for part in &package.parts {
        staged.push(load.stage(part).await?);
    }
    Ok(staged)
}

fn rows_of(part: &Part) -> u64 {
    let batches = part.batches().into_iter().flatten();
    batches.filter_map(Result::ok).map(|b| b.num_rows() as u64).sum()
}

fn batch(table: &Table, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(arrow_schema(table), columns, &options)
}

/// A part in an Arrow IPC file.
#[derive(Debug)]
struct IpcFile {
    path: PathBuf,
    rows: u64,
}

impl IpcFile {
    fn write(path: PathBuf, part: &Part) -> Result<Self> {
        let failed = |e: ArrowError| Error::storage("cannot write a part").source(e);
        let file = File::create(&path).map_err(|e| Error::storage("cannot make a part's file").source(e))?;
        let schema = arrow_schema(&part.table);
        let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &schema).map_err(failed)?;
        let mut rows = 0;
        for batch in part.batches()? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(failed)?;
        }
        writer.finish().map_err(failed)?;
        Ok(IpcFile { path, rows })
    }
}

impl PartFileReader for IpcFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn open(&self) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        let failed = |e: ArrowError| Error::storage("cannot read a part").source(e);
        let file = File::open(&self.path).map_err(|e| Error::storage("cannot open a part").source(e))?;
        let reader = arrow_ipc::reader::FileReader::try_new(file, None).map_err(failed)?;
        Ok(Box::new(reader.map(move |batch| batch.map_err(failed))))
    }
}

/// A part that breaks off after its first batch.
#[derive(Debug)]
struct BrokenFile {
    whole: Part,
}

impl PartFileReader for BrokenFile {
    fn path(&self) -> &Path {
        Path::new("/dev/null/broken.arrow")
    }

    fn rows(&self) -> u64 {
        self.whole.batches().map_or(0, |batches| batches.flatten().map(|b| b.num_rows() as u64).sum())
    }

    fn open(&self) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        let damage = Err(Error::storage("the part is damaged"));
        Ok(Box::new(self.whole.batches()?.take(1).chain([damage])))
    }
}
