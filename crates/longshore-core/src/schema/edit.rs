//! A schema that a person has edited, laid over the one that is known.

use super::{Column, DataType, Schema, Table};
use crate::error::{Error, Result};
use crate::naming;

impl Schema {
    /// Returns this schema with what an edited one says: new tables and columns, wider types, properties, contracts. What
    /// the edited one leaves out stays: rows are there.
    ///
    /// # Errors
    /// When a column is to have a type that it cannot get in place, or a table another parent.
    pub fn edited(mut self, edited: &Schema, can_widen: bool) -> Result<Schema> {
        for table in &edited.tables {
            let result = match self.tables.iter_mut().find(|t| t.name == table.name) {
                Some(known) => known.edit(table, can_widen),
                None => self.add(table),
            };
            result.map_err(|e| e.with("table", &table.name))?;
        }
        Ok(self)
    }

    fn add(&mut self, table: &Table) -> Result<()> {
        if let Some(parent) = &table.parent
            && self.table(parent).is_none()
        {
            return Err(Error::config(format!("its parent '{parent}' is not among the tables before it")));
        }
        check_name(&table.name)?;
        if self.system_columns.owns_table(&table.name) {
            return Err(Error::config("this name is that of a table of the loader's own"));
        }
        table.check()?;
        for column in table.columns.iter().filter(|c| c.role.is_none()) {
            check_name(&column.name).map_err(|e| e.with("field", &column.name))?;
        }
        self.tables.push(table.clone());
        Ok(())
    }
}

impl Table {
    fn edit(&mut self, edited: &Table, can_widen: bool) -> Result<()> {
        if self.parent != edited.parent {
            return Err(Error::config("a table cannot get another parent"));
        }
        self.contract = edited.contract;
        edited.check()?;
        for column in &edited.columns {
            match self.columns.iter_mut().find(|c| c.name == column.name) {
                Some(known) if known.role.is_some() => {}
                Some(known) => known.edit(column, can_widen).map_err(|e| e.with("field", &column.name))?,
                // Rows that are there have no value of it; those to come must have one, if it says so.
                None if column.role.is_none() => {
                    check_name(&column.name).map_err(|e| e.with("field", &column.name))?;
                    self.columns.push(column.clone());
                }
                None => {}
            }
        }
        Ok(())
    }
}

impl Table {
    /// Checks what an edited table says of its own columns.
    fn check(&self) -> Result<()> {
        for (i, column) in self.columns.iter().enumerate() {
            let is_twice = self.columns[..i].iter().any(|c| c.name == column.name);
            let size = column.properties.check_size(column.data_type);
            let checked = if is_twice { Err(Error::config("the column stands there twice")) } else { size };
            checked.map_err(|e| e.with("field", &column.name))?;
        }
        Ok(())
    }
}

/// A table or column that data never leads to would stay empty.
fn check_name(name: &str) -> Result<()> {
    let usual = naming::normalize_key(name);
    match usual == name {
        true => Ok(()),
        false => Err(Error::config(format!("the name '{name}' is none that data leads to"))
            .hint(format!("names are written like this: {usual}"))),
    }
}

impl Column {
    fn edit(&mut self, edited: &Column, can_widen: bool) -> Result<()> {
        let (from, to) = (self.column_type(), edited.column_type());
        if from != to {
            let is_exact = to.data_type != DataType::Double || self.exact_double;
            if !(can_widen && from.widens_to(to) && is_exact) {
                return Err(Error::config(format!("a {from} column with rows cannot become {to} in place"))
                    .hint(format!("write {from} there, or load into another table")));
            }
            self.grow_to(to);
        }
        self.nullable = edited.nullable;
        self.properties = edited.properties.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Properties, SystemColumns};

    fn schema(columns: Vec<Column>) -> Schema {
        let mut schema = Schema::new("s", SystemColumns::Native);
        schema.tables.push(Table { columns, ..Table::new("t", None) });
        schema
    }

    #[test]
    fn what_an_edit_says_is_taken_and_what_it_leaves_out_stays() {
        let known = schema(vec![Column::data("a", DataType::Bigint), Column::data("b", DataType::Text)]);
        let described = Properties { description: Some("a number".into()), ..Properties::default() };
        let a = Column { properties: described.clone(), ..Column::data("a", DataType::Decimal) };
        let edit = schema(vec![a, Column::data("c", DataType::Date)]);
        let table = known.edited(&edit, true).unwrap().tables.remove(0);
        let of: Vec<(&str, DataType)> = table.columns.iter().map(|c| (c.name.as_str(), c.data_type)).collect();
        assert_eq!(of, [("a", DataType::Decimal), ("b", DataType::Text), ("c", DataType::Date)]);
        assert_eq!(table.columns[0].properties, described);
    }

    #[test]
    fn a_table_cannot_have_the_name_of_one_of_the_loaders_own() {
        let mut edit = schema(Vec::new());
        edit.tables.push(Table::new("_loads", None));
        let error = schema(Vec::new()).edited(&edit, true).unwrap_err();
        assert!(error.to_string().contains("(table _loads)"), "{error}");
    }

    #[test]
    fn types_that_rows_do_not_fit_are_refused() {
        let known = schema(vec![Column::data("a", DataType::Bigint)]);
        for (to, can_widen) in [(DataType::Date, true), (DataType::Double, true), (DataType::Text, false)] {
            let error = known.clone().edited(&schema(vec![Column::data("a", to)]), can_widen).unwrap_err();
            assert!(error.context().iter().any(|(k, v)| *k == "field" && v == "a"), "{error}");
        }
    }
}
