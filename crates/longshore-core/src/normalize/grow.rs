//! Growing the schema: what may, what may not, and columns that become wider.
//!
//! All of it is asked only where the shape would change: a value that has its place never comes here.

use super::builder::{ColumnBuilder, Values};
use super::coerce::Value;
use super::rows::BlockRows;
use super::shape::{ColumnId, NONE, NodeId, Required, Shape, TableId};
use super::violation::{Bar, Cause, Violation};
use crate::naming;
use crate::schema::{ColumnType, Conflict, Contract, ContractMode, DataType, Entity, SystemColumns, Table};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

impl Shape {
    /// Returns the contract of a table, or of one that would be made for the list at `path`.
    fn contract(&self, mut table: TableId, path: &[String]) -> Contract {
        let rules = &self.settings.rules;
        let by_path = rules.table_contracts.iter().filter(|(p, _)| p.covers(path));
        if let Some((_, contract)) = by_path.max_by_key(|(p, _)| p.keys().len()) {
            return *contract;
        }
        if let Some(contract) = rules.contract {
            return contract;
        }
        while table != NONE {
            if let Some(contract) = self.schema.tables[table as usize].contract {
                return contract;
            }
            table = self.tables[table as usize].parent;
        }
        Contract::default()
    }

    /// Asks whether a table may be made for the list at `path` of `owner`'s rows; `NONE` for a root table.
    pub(super) fn may_add_table(&self, owner: TableId, path: &[String]) -> Result<(), Bar> {
        let most = self.settings.rules.max_tables;
        match self.contract(owner, path).tables {
            ContractMode::Evolve if self.schema.tables.len() >= most => {
                Err(Bar { cause: Cause::Limit(Entity::Tables, most), mode: ContractMode::Freeze })
            }
            ContractMode::Evolve => Ok(()),
            mode => Err(Bar { cause: Cause::Contract(Entity::Tables), mode }),
        }
    }

    /// Asks whether a column may be added. A new table may add columns in its first load; in dlt mode a child table only
    /// in its first row, as in dlt (`Schema.apply_schema_contract`). There, dlt's own columns may always be.
    pub(super) fn may_add_column(&self, table: TableId, name: &str) -> Result<(), Bar> {
        let t = &self.tables[table as usize];
        let is_dlt = self.settings.system == SystemColumns::Dlt;
        let is_new = t.is_new && (t.parent == NONE || !is_dlt || !t.complete);
        let is_free = is_new || (is_dlt && name.starts_with("_dlt"));
        match self.contract(table, &t.raw_path).columns {
            mode if mode != ContractMode::Evolve && !is_free => {
                Err(Bar { cause: Cause::Contract(Entity::Columns), mode })
            }
            _ => self.has_room(table),
        }
    }

    /// Asks whether a variant column may be added.
    pub(super) fn may_add_variant(&self, table: TableId) -> Result<(), Bar> {
        self.may_change_type(table).and_then(|()| self.has_room(table))
    }

    fn may_change_type(&self, table: TableId) -> Result<(), Bar> {
        match self.contract(table, &self.tables[table as usize].raw_path).data_type {
            ContractMode::Evolve => Ok(()),
            mode => Err(Bar { cause: Cause::Contract(Entity::DataType), mode }),
        }
    }

    fn has_room(&self, table: TableId) -> Result<(), Bar> {
        let most = self.settings.rules.max_columns;
        match self.schema.tables[table as usize].columns.len() >= most {
            true => Err(Bar { cause: Cause::Limit(Entity::Columns, most), mode: ContractMode::Freeze }),
            false => Ok(()),
        }
    }

    /// Returns what is to be done with a value that does not fit its column.
    pub(super) fn conflict_policy(&self, table: TableId, column: ColumnId, path: &[String]) -> Conflict {
        let rules = &self.settings.rules;
        let column = &self.schema.tables[table as usize].columns[column as usize];
        let hinted = rules.columns.iter().filter(|h| h.path.matches(path)).find_map(|h| h.properties.on_type_conflict);
        let said = hinted.or(column.properties.on_type_conflict).or(rules.on_type_conflict);
        // Who names a type wants that type.
        let is_named = || self.settings.hints.iter().any(|(p, _)| p.matches(path));
        match said {
            _ if column.variant || column.role.is_some() => Conflict::Variant,
            Some(said) => said,
            None if is_named() => Conflict::Variant,
            None => Conflict::usual(self.settings.system),
        }
    }

    /// Makes a column wider, so that it holds `value` too; `None` when it cannot become so.
    pub(super) fn widen(
        &mut self,
        rows: &mut BlockRows,
        (table, column): (TableId, ColumnId),
        policy: Conflict,
        value: Value<'_>,
    ) -> Result<Option<ColumnType>, Bar> {
        let c = &self.schema.tables[table as usize].columns[column as usize];
        let is_exact = c.exact_double && !has_large(rows.table(table).columns.get(column as usize));
        let to = match (policy, c.data_type, value) {
            (Conflict::Widen, DataType::Bigint, value) if value.own_type() == DataType::Decimal => DataType::Decimal,
            (Conflict::Widen, DataType::Bigint, Value::Float(_))
                if is_exact && value.own_type() == DataType::Double =>
            {
                DataType::Double
            }
            (Conflict::Widen, of, value) if value.own_type() == of => of, // only its size was too small
            (Conflict::Text, ..) => DataType::Text,
            (Conflict::Json, ..) => DataType::Json,
            _ => return Ok(None),
        };
        let rules = &self.settings.rules;
        let is_possible = !rules.only_numbers || matches!(to, DataType::Decimal | DataType::Double);
        let to = ColumnType::from(to);
        if !rules.can_widen || !is_possible || !c.column_type().widens_to(to) {
            return Ok(None);
        }
        self.may_change_type(table)?;
        if let Some(Some(builder)) = rows.table(table).columns.get_mut(column as usize)
            && !builder.convert(to)
        {
            return Ok(None);
        }
        self.version += 1;
        self.epoch += 1; // what was normalised for the old type has another form
        let c = &mut self.schema.tables[table as usize].columns[column as usize];
        c.grow_to(to);
        Ok(Some(to))
    }

    /// Keeps count for [`crate::schema::Column::exact_double`], once a block and not once a value.
    pub(super) fn note_large_numbers(&mut self, rows: &BlockRows) {
        for (rows, table) in rows.tables().iter().zip(&mut self.schema.tables) {
            for (builder, column) in rows.columns.iter().zip(&mut table.columns) {
                if column.exact_double && has_large(Some(builder)) {
                    column.exact_double = false;
                    self.version += 1;
                }
            }
        }
    }

    /// Returns true when nothing is said of the schema that has to be asked value by value: then a column may come whole.
    pub(super) fn takes_whole_columns(&self) -> bool {
        let rules = &self.settings.rules;
        let says_nothing = rules.contract.is_none()
            && rules.table_contracts.is_empty()
            && rules.columns.is_empty()
            && rules.ignore.is_empty()
            && rules.flatten.is_empty()
            && self.schema.tables.len() < rules.max_tables;
        let is_free = |t: &Table| t.contract.is_none() && t.columns.iter().all(|c| c.nullable || c.role.is_some());
        says_nothing && self.schema.tables.iter().all(is_free)
    }

    /// Keeps count for [`crate::schema::Column::exact_double`] of a column that came whole.
    pub(super) fn note_large_column(&mut self, table: TableId, column: ColumnId, array: &ArrayRef) {
        let column = &mut self.schema.tables[table as usize].columns[column as usize];
        let Some(values) = array.as_primitive_opt::<Int64Type>().filter(|_| column.exact_double) else { return };
        if values.iter().flatten().any(|v| v.unsigned_abs() > 1 << 53) {
            column.exact_double = false;
            self.version += 1;
        }
    }

    /// Returns the columns that every row of a table must have: those that are said to, and the key that a table is merged
    /// by. Of a path with several keys it is not known beforehand whether it stays in the table: such a column must have
    /// values from the first one on.
    pub(super) fn required(&self, table: TableId) -> Vec<Required> {
        let known = &self.schema.tables[table as usize].columns;
        let of_schema = known.iter().filter(|c| !c.nullable && c.role.is_none());
        let mut required: Vec<Required> =
            of_schema.map(|c| Required { name: c.name.clone(), is_own: true, is_key: false }).collect();
        let path = &self.tables[table as usize].raw_path;
        for hint in self.settings.rules.columns.iter().filter(|h| h.nullable.is_some()) {
            let keys = hint.path.keys();
            if keys.len() <= path.len() || !hint.path.below(path) {
                continue;
            }
            let fragments: Vec<String> = keys[path.len()..].iter().map(|k| naming::normalize_key(k)).collect();
            let parts: Vec<&str> = fragments.iter().map(String::as_str).collect();
            let name = naming::shorten_fragments(&parts, self.settings.max_identifier_length);
            let name = hint.name.clone().unwrap_or(name);
            required.retain(|known| known.name != name);
            if hint.nullable == Some(false) {
                required.push(Required { name, is_own: parts.len() == 1, is_key: false });
            }
        }
        for name in self.keys(table) {
            required.retain(|known| known.name != *name);
            required.push(Required { name: name.clone(), is_own: true, is_key: true });
        }
        required
    }

    /// The keys of a root table that the load merges into; ids of rows are never missing.
    fn keys(&self, table: TableId) -> impl Iterator<Item = &String> {
        let write = &self.settings.write;
        let is_merged = self.tables[table as usize].parent == NONE && write.merges();
        let system = self.settings.system;
        let is_id = move |name: &str| system.roles(true).iter().any(|&role| system.column(role).name == name);
        write.needed_keys().filter(move |name| is_merged && !is_id(name))
    }

    /// Returns the first required column that a row lacks.
    pub(super) fn lacks(&self, rows: &mut BlockRows, table: TableId, row: u32) -> Option<Required> {
        let t = &self.tables[table as usize];
        let lacks = |required: &&Required| match t.columns.get(&required.name) {
            Some(&column) => !rows.table(table).has_value(column, row),
            None => required.is_own,
        };
        let mut required = t.required.iter();
        required.find(lacks).cloned()
    }

    /// Returns the type of the value that a row has in a variant of a column, and the column's own.
    pub(super) fn strayed(
        &self,
        rows: &mut BlockRows,
        (table, row): (TableId, u32),
        name: &str,
    ) -> Option<(DataType, DataType)> {
        let columns = &self.schema.tables[table as usize].columns;
        let expected = columns.iter().find(|c| c.name == name)?.data_type;
        let variants = format!("{name}__v_");
        let mut known = columns.iter().enumerate();
        let (_, variant) = known.find(|(at, column)| {
            column.variant && column.name.starts_with(&variants) && rows.table(table).has_value(*at as ColumnId, row)
        })?;
        Some((variant.data_type, expected))
    }

    /// Excuses the rows of a table from having columns that come whole, and with values in all rows. Returns what was
    /// required before, to be put back.
    pub(super) fn excuse(&mut self, table: TableId, whole: &[(ColumnId, ArrayRef)]) -> Vec<Required> {
        let t = &mut self.tables[table as usize];
        let before = t.required.clone();
        let comes = |name: &str| t.columns.get(name).is_some_and(|id| whole.iter().any(|(column, _)| column == id));
        t.required.retain(|required| !comes(&required.name));
        before
    }

    /// Returns true for a column that every row of the table must have a value of.
    pub(super) fn is_required(&self, table: TableId, column: ColumnId) -> bool {
        let name = &self.schema.tables[table as usize].columns[column as usize].name;
        self.tables[table as usize].required.iter().any(|required| required.name == *name)
    }

    /// Returns the keys from the record to an edge, as the source spells them.
    pub(super) fn full_path(&self, node: NodeId, edge: u32) -> Vec<String> {
        let mut full = self.tables[self.nodes[node as usize].table as usize].raw_path.clone();
        full.extend(self.raw_path(node, edge));
        full
    }

    /// Describes what has no place: the value of an edge, or with `column` one that does not fit there.
    pub(super) fn violation(
        &mut self,
        cause: Cause,
        (node, edge): (NodeId, u32),
        column: Option<ColumnId>,
        found: Option<DataType>,
    ) -> Violation {
        let table = self.nodes[node as usize].table;
        let path = self.full_path(node, edge).join(".");
        let known = column.map(|c| &self.schema.tables[table as usize].columns[c as usize]);
        let (name, expected) = (known.map(|c| c.name.clone()), known.map(|c| c.data_type));
        let (table, column) = match cause {
            Cause::Contract(Entity::Tables) | Cause::Limit(Entity::Tables, _) => (self.list_name(node, edge), None),
            _ => {
                let name = name.or_else(|| Some(self.column_name(node, edge)));
                (self.schema.tables[table as usize].name.clone(), name)
            }
        };
        Violation { cause, table, column, path, found, expected }
    }
}

/// True when a bigint column has a value that a double may not hold.
fn has_large(builder: Option<&Option<ColumnBuilder>>) -> bool {
    match builder {
        Some(Some(ColumnBuilder { values: Values::Int(values), .. })) => {
            values.iter().any(|v| v.unsigned_abs() > 1 << 53)
        }
        _ => false,
    }
}
