//! One transaction of a load, as a script of BigQuery's.

use crate::fence;
use crate::names::{identifier, qualified};
use crate::nested::{self, Fold, Shape};
use crate::query::parameter;
use crate::stage::{Place, StagedRows};
use crate::tables::Ensured;
use crate::types::{STAGED_ROW, conversion, type_name};
use crate::units::{Kind, Unit};
use longshore_core::dlt::Documents;
use longshore_core::error::{Error, Result};
use longshore_core::package::Manifest;
use longshore_core::schema::{Column, DataType, SystemColumns, SystemTable, Table};
use serde_json::Value;
use std::collections::BTreeMap;

/// One transaction of a load.
pub(crate) struct Script<'a> {
    pub(crate) load: &'a Place,
    pub(crate) manifest: &'a Manifest,
    /// Tables as they are in the dataset.
    pub(crate) there: &'a BTreeMap<String, Ensured>,
    /// What is stored beside the rows in dlt's mode.
    pub(crate) documents: Option<&'a Documents>,
    pub(crate) step: &'a [Unit<'a>],
    pub(crate) number: usize,
    pub(crate) is_last: bool,
}

/// A script's statements, and what it may refuse to do.
pub(crate) struct Text {
    pub(crate) sql: String,
    /// The script answers `refused 2` for the third of them.
    pub(crate) refusals: Vec<Error>,
}

/// Errors by number, with the statements that find them.
#[derive(Default)]
pub(crate) struct Refusals {
    /// The counts that stand in every answer.
    counts: Vec<String>,
    errors: Vec<Error>,
}

impl Refusals {
    /// Returns the statement that ends the script with that error if the query counts anything.
    pub(crate) fn add(&mut self, query: &str, error: Error) -> String {
        let statement = self.end_if(&format!("({query}) > 0"), &format!("refused {}", self.errors.len()));
        self.errors.push(error);
        statement
    }

    fn end_if(&self, condition: &str, word: &str) -> String {
        format!("IF {condition} THEN ROLLBACK TRANSACTION; {}; RETURN; END IF", self.answer(word))
    }

    fn answer(&self, word: &str) -> String {
        let columns: Vec<String> = [format!("'{word}' AS outcome")].into_iter().chain(self.counts.clone()).collect();
        format!("SELECT {}", columns.join(", "))
    }
}

/// The statements between a transaction's beginning and its end, as they come together.
#[derive(Default)]
pub(crate) struct Body<'a> {
    /// Variables beside the counts.
    pub(crate) declarations: Vec<String>,
    pub(crate) lines: Vec<String>,
    pub(crate) refusals: Refusals,
    /// The variable of each staged table's count.
    counts: BTreeMap<&'a str, String>,
    /// Numbers names of the script's own.
    pub(crate) scratch: usize,
}

impl Body<'_> {
    pub(crate) fn count(&self, table: &str) -> &str {
        self.counts.get(table).map_or("n0", String::as_str) // every staged table has one
    }
}

/// Rows with their lists, in a table of the script's own.
pub(crate) struct Folded {
    /// Quoted.
    pub(crate) name: String,
    /// With columns for the lists.
    pub(crate) table: Table,
}

impl Script<'_> {
    /// What its jobs' ids begin with.
    pub(crate) fn job_name(&self) -> String {
        format!("longshore{}_commit_{}", self.load.staging.key, self.number)
    }

    pub(crate) fn system(&self) -> SystemColumns {
        self.load.opening.system_columns
    }

    pub(crate) fn own(&self, table: SystemTable) -> String {
        qualified(&self.load.opening.target.dataset, self.system().table_name(table))
    }

    pub(crate) fn parameters(&self) -> Vec<Value> {
        let kind = if self.system() == SystemColumns::Native { "INT64" } else { "STRING" };
        let mut parameters = vec![
            parameter("load_id", kind, self.manifest.load_id.as_str()),
            parameter("pipeline", "STRING", &self.load.opening.target.pipeline),
        ];
        parameters.extend(self.record_parameters());
        parameters
    }

    /// Returns the statements: is it done already, the rows, are they all there, the load's own records.
    pub(crate) fn text(&self) -> Result<Text> {
        let staged: Vec<&StagedRows> = self.step.iter().flat_map(|unit| &unit.staged).copied().collect();
        let counts: BTreeMap<&str, String> =
            staged.iter().enumerate().map(|(i, s)| (s.table.as_str(), format!("n{i}"))).collect();
        let names: Vec<String> = (0..staged.len()).map(|i| format!("n{i}")).collect();
        let mut body = Body { counts, ..Body::default() };
        body.refusals.counts.clone_from(&names);
        body.lines.extend(self.fence(&mut body.refusals));
        for unit in self.step {
            self.unit(unit, &mut body)?;
        }
        let mut lines = Vec::new();
        if !names.is_empty() {
            lines.push(format!("DECLARE {} INT64 DEFAULT 0", names.join(", ")));
        }
        lines.extend(body.declarations);
        lines.push("BEGIN TRANSACTION".to_owned());
        lines.push(fence::statement(self.load));
        lines.push(body.refusals.end_if(&self.is_done(), "already"));
        lines.extend(body.lines);
        if !staged.is_empty() {
            let wrong: Vec<String> = staged.iter().zip(&names).map(|(s, n)| format!("{n} <> {}", s.rows)).collect();
            lines.push(body.refusals.end_if(&wrong.join(" OR "), "miscounted"));
        }
        lines.extend(self.records());
        lines.push("COMMIT TRANSACTION".to_owned());
        lines.push(body.refusals.answer("committed"));
        Ok(Text { sql: lines.join(";\n") + ";", refusals: body.refusals.errors })
    }

    /// The statement that refuses the load if another run of the pipeline has loaded meanwhile.
    fn fence(&self, refusals: &mut Refusals) -> Option<String> {
        let (fence, loads) = (&self.load.opening.fence, self.own(SystemTable::Loads));
        let newer = match (fence.after()?, self.system()) {
            (None, _) => String::new(),
            (Some(known), SystemColumns::Native) => format!(" AND load_id > {}", known.micros()),
            (Some(known), SystemColumns::Dlt) => format!(" AND load_id > '{known}'"),
        };
        let own = self.own_loads();
        let query = format!("SELECT COUNT(*) FROM {loads} WHERE {own} AND status = 0{newer}");
        Some(refusals.add(&query, fence.overtaken(None, &self.load.opening.target)))
    }

    fn unit(&self, unit: &Unit<'_>, body: &mut Body<'_>) -> Result<()> {
        match &unit.kind {
            Kind::Append => self.add(unit, body),
            Kind::Empty(tables) => {
                body.lines.extend(tables.iter().map(|table| self.truncate(table)));
                Ok(())
            }
            Kind::Replace => {
                body.lines.extend(unit.shapes.iter().map(|s| self.truncate(&s.table.name)));
                self.add(unit, body)
            }
            Kind::RootIds(tables) => {
                body.lines.extend(self.root_ids(tables));
                Ok(())
            }
            Kind::Merge(root) => self.merge(root, unit, body).map_err(|e| e.with("table", &root.name)),
        }
    }

    /// Adds a unit's staged rows to their tables.
    fn add(&self, unit: &Unit<'_>, body: &mut Body<'_>) -> Result<()> {
        for shape in &unit.shapes {
            let Some(staged) = unit.staged.iter().find(|s| s.table == shape.table.name) else { continue };
            if let Some(folded) = self.fold(shape, None, unit, body)? {
                let into = qualified(&self.load.opening.target.dataset, &staged.table);
                let names = column_list(&folded.table.columns);
                body.lines.push(format!("INSERT INTO {into} ({names}) SELECT {names} FROM {}", folded.name));
                body.lines.push(format!("DROP TABLE {}", folded.name));
                continue;
            }
            body.lines.push(self.fill(staged)?);
            body.lines.push(format!("SET {} = @@row_count", body.count(&staged.table)));
        }
        Ok(())
    }

    /// Puts the rows of lists that are columns into the rows they belong to, in a table of the script's own, and counts
    /// all of them there. `None` where no such list has rows. With `whole`, all columns of that table are there, otherwise those
    /// of the staged rows.
    pub(crate) fn fold(
        &self,
        shape: &Shape,
        whole: Option<&Table>,
        unit: &Unit<'_>,
        body: &mut Body<'_>,
    ) -> Result<Option<Folded>> {
        let find = |table: &Table| unit.staged.iter().copied().find(|s| s.table == table.name);
        let inner: Vec<_> = shape.inner().into_iter().filter(|(_, list)| find(&list.table).is_some()).collect();
        if inner.is_empty() {
            return Ok(None);
        }
        let mut folded = match whole {
            Some(table) => table.clone(),
            None => Table {
                columns: find(&shape.table).map_or_else(Vec::new, |s| widest(s).to_vec()),
                ..shape.table.clone()
            },
        };
        let rows = |table: &Table| match find(table) {
            Some(staged) if staged.table == folded.name => self.rows(staged, &folded.columns, true).map(Some),
            Some(staged) => self.rows(staged, widest(staged), false).map(Some),
            None => Ok(None),
        };
        let fold = Fold { system: self.system(), rows: &rows };
        let fields = self.there.get(&shape.table.name).map_or(&[][..], |e| e.fields.as_slice());
        let Some(query) = fold.query(shape, fields)? else {
            return Err(Error::internal("a list has rows and its table has none").with("table", &shape.table.name));
        };
        body.scratch += 1;
        let name = identifier(&format!("_longshore_rows{}", body.scratch));
        body.lines.push(format!("CREATE TEMP TABLE {name} AS {query}"));
        body.lines.push(format!("SET {} = (SELECT COUNT(*) FROM {name})", body.count(&shape.table.name)));
        for (way, list) in &inner {
            body.lines.push(format!("SET {} = ({})", body.count(&list.table.name), nested::count(&name, way)));
        }
        let lists = shape.lists.iter().filter(|(_, list)| find(&list.table).is_some());
        folded.columns.extend(lists.map(|(name, _)| Column::data(name, DataType::Json)));
        Ok(Some(Folded { name, table: folded }))
    }

    /// Counts a table's staged rows: free of charge, since it is known without reading them.
    pub(crate) fn count(&self, staged: &StagedRows) -> String {
        let count = |(file, _): &(String, Vec<Column>)| {
            format!("(SELECT COUNT(*) FROM {})", qualified(&self.load.staging.dataset, file))
        };
        staged.files.iter().map(count).collect::<Vec<_>>().join(" + ")
    }

    /// The statement that adds a table's staged rows to it.
    fn fill(&self, staged: &StagedRows) -> Result<String> {
        let columns = widest(staged);
        let into = qualified(&self.load.opening.target.dataset, &staged.table);
        Ok(format!("INSERT INTO {into} ({}) {}", column_list(columns), self.rows(staged, columns, false)?))
    }

    /// The query of a table's staged rows, with those columns, as the table they go to wants them; `ordered` with the rows'
    /// numbers, where they are numbered.
    pub(crate) fn rows(&self, staged: &StagedRows, columns: &[Column], ordered: bool) -> Result<String> {
        let Some(there) = self.there.get(&staged.table) else {
            return Err(Error::internal("a table was staged that the load does not have").with("table", &staged.table));
        };
        let order = if ordered && staged.is_ordered { format!(", {}", identifier(STAGED_ROW)) } else { String::new() };
        let selects: Result<Vec<String>> =
            staged.files.iter().map(|(file, has)| self.select(file, has, columns, there, &order)).collect();
        Ok(selects?.join(" UNION ALL "))
    }

    /// Selects the rows of one staging table; `more` ends the list of columns.
    fn select(&self, file: &str, has: &[Column], columns: &[Column], there: &Ensured, more: &str) -> Result<String> {
        let expression = |(i, column): (usize, &Column)| {
            let kind = there.kind(&column.name).unwrap_or(type_name(column.data_type));
            let name = identifier(&column.name);
            let Some(staged) = has.get(i) else {
                let kind = there.field(&column.name).map_or_else(|| kind.to_owned(), nested::sql_type);
                return Ok(format!("CAST(NULL AS {kind}) AS {name}"));
            };
            // A double holds them all: the column has become one, or has none that it does not hold (`tables`).
            if (staged.data_type, kind) == (DataType::Bigint, "FLOAT64") {
                return Ok(format!("CAST({name} AS FLOAT64) AS {name}"));
            }
            match conversion(&name, staged.data_type, kind) {
                Some(sql) if sql == name => Ok(name),
                Some(sql) => Ok(format!("{sql} AS {name}")),
                None => Err(Error::internal("a column's type has changed").with("column", &column.name)),
            }
        };
        let list: Vec<String> = columns.iter().enumerate().map(expression).collect::<Result<_>>()?;
        Ok(format!("SELECT {}{more} FROM {}", list.join(", "), qualified(&self.load.staging.dataset, file)))
    }
}

/// The columns of a table's widest file, which begin with those of all others.
pub(crate) fn widest(staged: &StagedRows) -> &[Column] {
    staged.files.iter().map(|(_, c)| c.as_slice()).max_by_key(|c| c.len()).unwrap_or_default()
}

fn column_list(columns: &[Column]) -> String {
    columns.iter().map(|c| identifier(&c.name)).collect::<Vec<_>>().join(", ")
}
