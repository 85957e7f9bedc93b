//! Reading hints: of a flag, `id=bigint:not_null:unique`, and of a configuration, in dlt's words.

use super::{ColumnHint, FieldPath, Settings};
use crate::error::{Error, Result};
use crate::naming;
use crate::schema::{Conflict, Contract, DECIMAL_PRECISION, DataType, DedupSort, Properties, USUAL_SCALE};
use serde_json::{Map, Value};

/// The keys of a column's hints.
pub const COLUMN_KEYS: [&str; 19] = [
    "name",
    "data_type",
    "nullable",
    "primary_key",
    "merge_key",
    "hard_delete",
    "dedup_sort",
    "unique",
    "index",
    "sort",
    "partition",
    "cluster",
    "precision",
    "scale",
    "timezone",
    "description",
    "on_type_conflict",
    "incremental",
    "variant",
];

/// The keys of a resource that speak of its schema.
pub const SCHEMA_KEYS: [&str; 6] =
    ["columns", "nested_hints", "schema_contract", "on_type_conflict", "ignore", "flatten"];

impl Settings {
    /// Takes what a configuration says of a resource's schema, by [`SCHEMA_KEYS`]; other keys are left alone.
    ///
    /// # Errors
    /// When a value is none that the key can have.
    pub fn add_schema(&mut self, said: &Map<String, Value>) -> Result<()> {
        let paths = |key: &str, value: &Value| -> Result<Vec<FieldPath>> {
            let texts = match value {
                Value::String(text) => vec![text.as_str()],
                Value::Array(texts) => texts.iter().map(|t| text(key, t)).collect::<Result<_>>()?,
                _ => return Err(Error::config(format!("'{key}' must be a path or a list of them"))),
            };
            texts.into_iter().map(FieldPath::parse).collect()
        };
        for (key, value) in said {
            match key.as_str() {
                "columns" => self.add_columns(&[], value)?,
                "nested_hints" => self.add_nested(value)?,
                "schema_contract" => self.rules.contract = Some(Contract::from_value(value)?),
                "on_type_conflict" => self.rules.on_type_conflict = Some(Conflict::parse(text(key, value)?)?),
                "ignore" => self.rules.ignore.extend(paths(key, value)?),
                "flatten" => self.rules.flatten.extend(paths(key, value)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes dlt's `nested_hints`: by path (`lines`, `lines.taxes` or `lines__taxes`), columns and a contract.
    ///
    /// # Errors
    /// When a value is none that the key can have: the path is named.
    pub fn add_nested(&mut self, nested: &Value) -> Result<()> {
        let wrong = || Error::config("'nested_hints' must be a table of paths with their hints");
        for (path, hints) in nested.as_object().ok_or_else(wrong)? {
            let keys: Vec<String> = path.split("__").flat_map(|p| p.split('.')).map(str::to_owned).collect();
            for (key, value) in hints.as_object().ok_or_else(wrong)? {
                match key.as_str() {
                    "columns" => self.add_columns(&keys, value)?,
                    "schema_contract" => {
                        let contract = Contract::from_value(value).map_err(|e| e.with("field", path))?;
                        self.rules.table_contracts.push((FieldPath::from_keys(keys.clone()), contract));
                    }
                    "write_disposition" | "primary_key" | "merge_key" => self.rules.notes.push(format!(
                        "'{key}' in the nested_hints of '{path}' does nothing: a child table is written as its root is"
                    )),
                    // dlt's, too.
                    "table_format" | "file_format" | "parent_table_name" | "references" => {}
                    other => {
                        return Err(Error::config(format!("hints of a child table know nothing of '{other}'"))
                            .with("field", path)
                            .hint("they have 'columns' and 'schema_contract'"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets keys that were named by their fields follow a hint that gives the field's column another name.
    pub fn follow_names(&mut self) {
        let renamed = |hint: &ColumnHint| Some((naming::field_column(&hint.path.to_string())?, hint.name.clone()?));
        let names: Vec<(String, String)> = self.rules.columns.iter().filter_map(renamed).collect();
        let follow = |column: &mut String| {
            if let Some((_, name)) = names.iter().find(|(field, _)| field == column) {
                column.clone_from(name);
            }
        };
        let write = &mut self.write;
        write.primary_key.iter_mut().chain(&mut write.merge_key).for_each(follow);
        write.hard_delete.iter_mut().chain(write.dedup_sort.as_mut().map(|d| &mut d.column)).for_each(follow);
    }

    /// Takes a hint as a flag gives it: `PATH=TYPE`, with properties behind it as in `PATH=TYPE:not_null:name=other`. The
    /// type may be left out.
    ///
    /// # Errors
    /// When it is not of that form, or a word is none of those there are: the path is named.
    pub fn add_hint(&mut self, text: &str) -> Result<()> {
        let wrong = || {
            let known = DataType::ALL.map(DataType::as_str).join(", ");
            Error::config(format!("the hint '{text}' is not PATH=TYPE")).hint(format!("types are: {known}"))
        };
        let (path, said) = text.split_once('=').filter(|(_, said)| !said.is_empty()).ok_or_else(wrong)?;
        if let Some((name, _)) = said.split(':').next().unwrap_or_default().split_once('(') {
            return Err(Error::config(format!("the hint '{text}' has its size in brackets"))
                .hint(format!("write it as properties: {path}={name}:precision=10:scale=2")));
        }
        let mut words = said.split(':');
        let mut properties = Map::new();
        if let Some(name) = words.next().filter(|name| !name.is_empty()) {
            DataType::parse(name).ok_or_else(wrong)?;
            properties.insert("data_type".into(), name.into());
        }
        for word in words {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, value.parse::<u32>().map_or_else(|_| Value::from(value), Value::from)),
                None if word == "not_null" => ("nullable", Value::from(false)),
                None => (word, Value::from(true)),
            };
            properties.insert(key.to_owned(), value);
        }
        self.add_column(FieldPath::parse(path)?, &properties)
    }

    /// Takes dlt's `columns`: fields with their type, or with a table of properties.
    ///
    /// # Errors
    /// When a property is unknown or has a wrong value: the path is named.
    pub fn add_columns(&mut self, above: &[String], columns: &Value) -> Result<()> {
        let wrong = || Error::config("'columns' must be a table of fields with their data_type or properties");
        let mut add = |field: &str, said: &Value| {
            let path = FieldPath::from_keys(above.iter().cloned().chain(field.split('.').map(str::to_owned)));
            match said {
                Value::String(name) => {
                    self.add_column(path, &Map::from_iter([("data_type".to_owned(), Value::from(name.as_str()))]))
                }
                Value::Object(properties) => self.add_column(path, properties),
                _ => Err(wrong()),
            }
        };
        match columns {
            Value::Object(columns) => columns.iter().try_for_each(|(field, said)| add(field, said)),
            Value::Array(columns) => columns.iter().try_for_each(|said| {
                let name = said.get("name").and_then(Value::as_str).ok_or_else(wrong)?;
                let mut said = said.clone();
                said.as_object_mut().map(|s| s.remove("name"));
                add(name, &said)
            }),
            _ => Err(wrong()),
        }
    }

    fn add_column(&mut self, path: FieldPath, said: &Map<String, Value>) -> Result<()> {
        let named = path.to_string();
        self.take_column(path, said).map_err(|e| e.with("field", named))
    }

    fn take_column(&mut self, path: FieldPath, said: &Map<String, Value>) -> Result<()> {
        if self.rules.columns.iter().any(|known| known.path == path) {
            return Err(
                Error::config("the field has two hints").hint("say all of it in one, as in id=bigint:not_null:unique")
            );
        }
        let mut hint = ColumnHint::of(path.clone());
        let column = || path.keys().iter().map(|k| naming::normalize_key(k)).collect::<Vec<_>>().join("__");
        for (key, value) in said {
            let properties = &mut hint.properties;
            match key.as_str() {
                "name" if text(key, value)?.trim().is_empty() => {
                    return Err(Error::config("the column's name is empty"));
                }
                "name" => hint.name = Some(naming::normalize_key(text(key, value)?)),
                "data_type" => self.set_type(&path, text(key, value)?)?,
                "nullable" => hint.nullable = Some(yes(key, value)?),
                "unique" => properties.unique = yes(key, value)?,
                "index" => properties.index = yes(key, value)?,
                "sort" => properties.sort = yes(key, value)?,
                "partition" => properties.partition = yes(key, value)?,
                "cluster" => properties.cluster = yes(key, value)?,
                "precision" => properties.precision = Some(number(key, value)?),
                "scale" => properties.scale = Some(number(key, value)?),
                "timezone" => properties.timezone = Some(yes(key, value)?),
                "description" => properties.description = Some(text(key, value)?.to_owned()),
                "on_type_conflict" => properties.on_type_conflict = Some(Conflict::parse(text(key, value)?)?),
                "primary_key" if yes(key, value)? => push_new(&mut self.write.primary_key, column()),
                "merge_key" if yes(key, value)? => push_new(&mut self.write.merge_key, column()),
                "hard_delete" if yes(key, value)? => self.write.hard_delete = Some(column()),
                "dedup_sort" => {
                    let descending = match text(key, value)? {
                        "asc" => false,
                        "desc" => true,
                        _ => return Err(Error::config("'dedup_sort' is 'asc' or 'desc'")),
                    };
                    self.write.dedup_sort = Some(DedupSort { column: column(), descending });
                }
                "primary_key" | "merge_key" | "hard_delete" | "incremental" | "variant" => _ = yes(key, value)?,
                other => {
                    return Err(Error::config(format!("a column has no property '{other}'"))
                        .hint(format!("properties are: {}", COLUMN_KEYS.join(", "))));
                }
            }
        }
        size(&mut hint.properties, said.get("data_type").and_then(Value::as_str))?;
        self.rules.columns.push(hint);
        Ok(())
    }

    fn set_type(&mut self, path: &FieldPath, name: &str) -> Result<()> {
        let name = if name == "wei" { "decimal" } else { name };
        match DataType::parse(name) {
            Some(DataType::Json) if !self.json_columns.contains(path) => self.json_columns.push(path.clone()),
            Some(DataType::Json) => {}
            Some(data_type) => self.hints.push((path.clone(), data_type)),
            None => {
                let known = DataType::ALL.map(DataType::as_str).join(", ");
                return Err(Error::config(format!("there is no type '{name}'")).hint(format!("types are: {known}")));
            }
        }
        Ok(())
    }
}

/// Gives a decimal the size that dlt gives it, and checks what is said of a column's size against its type.
fn size(said: &mut Properties, named: Option<&str>) -> Result<()> {
    let Some(named) = named else { return Ok(()) };
    if named == "decimal" {
        said.precision.get_or_insert(DECIMAL_PRECISION.into());
        said.scale.get_or_insert(USUAL_SCALE);
    }
    // What set_type() took beside our types is 'wei'.
    said.check_size(DataType::parse(named).unwrap_or(DataType::Decimal))
}

fn push_new(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

fn text<'a>(key: &str, value: &'a Value) -> Result<&'a str> {
    value.as_str().ok_or_else(|| Error::config(format!("'{key}' must be text")))
}

fn yes(key: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Bool(yes) => Ok(*yes),
        Value::String(word) if word == "true" || word == "false" => Ok(word == "true"),
        _ => Err(Error::config(format!("'{key}' must be true or false"))),
    }
}

fn number(key: &str, value: &Value) -> Result<u32> {
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    number.ok_or_else(|| Error::config(format!("'{key}' must be a whole number")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SystemColumns;
    use serde_json::json;

    #[test]
    fn hints_of_flags_and_of_files_are_the_same() {
        let mut flag = Settings::new("t", SystemColumns::Native);
        flag.add_hint("id=bigint:not_null:unique:name=order_id:primary_key").unwrap();
        flag.add_hint("a.b=:description=what").unwrap();
        let mut file = Settings::new("t", SystemColumns::Native);
        let columns = json!({
            "id": { "data_type": "bigint", "nullable": false, "unique": true, "name": "order_id", "primary_key": true },
            "a.b": { "description": "what" },
        });
        file.add_columns(&[], &columns).unwrap();
        assert_eq!(flag.hints, file.hints);
        assert_eq!(flag.write, file.write);
        let of = |s: &Settings| {
            let mut all: Vec<String> = s.rules.columns.iter().map(|h| format!("{h:?}")).collect();
            all.sort();
            all
        };
        assert_eq!(of(&flag), of(&file));
    }

    #[test]
    fn keys_follow_a_column_to_its_other_name() {
        let mut settings = Settings::new("t", SystemColumns::Native);
        settings.write.merge_key = vec!["user__day".to_owned()];
        settings.add_hint("id=bigint:name=order_id:primary_key").unwrap();
        settings.add_hint("user.day=:name=day").unwrap();
        settings.follow_names();
        assert_eq!(
            (settings.write.primary_key, settings.write.merge_key),
            (vec!["order_id".into()], vec!["day".into()])
        );
    }

    #[test]
    fn hints_of_child_tables_are_read_strictly() {
        let mut settings = Settings::new("t", SystemColumns::Native);
        settings.add_nested(&json!({ "lines": { "columns": { "a": "date" }, "schema_contract": "freeze" } })).unwrap();
        let error = settings.add_nested(&json!({ "lines": { "colums": {} } })).unwrap_err();
        assert!(error.message().contains("'colums'") && error.to_string().contains("lines"), "{error}");
        assert_eq!(settings.rules.notes, Vec::<String>::new());
        let of_dlt = json!({ "lines": { "primary_key": "id", "write_disposition": "merge", "table_format": "delta" } });
        settings.add_nested(&of_dlt).unwrap();
        let notes = settings.rules.notes.join("; ");
        assert!(notes.contains("'primary_key' in the nested_hints of 'lines' does nothing"), "{notes}");
        assert!(notes.contains("'write_disposition'") && settings.rules.notes.len() == 2, "{notes}");
    }

    #[test]
    fn a_path_has_one_hint_and_one_shape() {
        let mut settings = Settings::new("t", SystemColumns::Native);
        settings.add_hint("a=bigint").unwrap();
        settings.add_hint("a.b=bigint").unwrap();
        let error = settings.add_hint("a=text").unwrap_err();
        assert_eq!(error.to_string(), "the field has two hints (field a)");
        settings.rules.flatten = vec![FieldPath::parse("lines").unwrap()];
        settings.check().unwrap();
        settings.add_hint("lines=json").unwrap();
        let error = settings.check().unwrap_err();
        assert_eq!(error.message(), "the path 'lines' cannot be both kept as JSON and flattened into columns");
    }

    #[test]
    fn a_column_cannot_have_the_name_of_one_of_the_loaders_own() {
        for (system, name, is_fine) in [
            (SystemColumns::Native, "_row_id", false),
            (SystemColumns::Native, "_List Idx", false),
            (SystemColumns::Native, "_dlt_id", true),
            (SystemColumns::Dlt, "_dlt_load_id", false),
            (SystemColumns::Dlt, "_row_id", true),
        ] {
            let mut settings = Settings::new("t", system);
            settings.add_hint(&format!("l.a=text:name={name}")).unwrap();
            let checked = settings.check().map_err(|e| e.to_string());
            assert_eq!(checked.is_ok(), is_fine, "{name}");
            assert!(checked.err().is_none_or(|e| e.contains("(field l.a)")), "{name}");
        }
    }

    #[test]
    fn wrong_hints_name_their_path() {
        let mut settings = Settings::new("t", SystemColumns::Native);
        for wrong in [
            "id",
            "id=",
            "id=int",
            "id=decimal(10",
            "id=bigint:uniqe",
            "id=bigint:precision=x",
            "id=:on_type_conflict=maybe",
            "id=bigint:precision=65",
            "id=bigint:scale=2",
            "id=text:precision=0",
            "id=text:timezone=false",
            "id=bool:precision=1",
            "id=timestamp:precision=9",
            "id=decimal:precision=39",
            "id=decimal:precision=5",
            "id=decimal:precision=5:scale=6",
            "id=text:name=",
        ] {
            let error = settings.add_hint(wrong).unwrap_err();
            assert!(
                error.hint_text().is_some() || error.context().iter().any(|(k, v)| *k == "field" && v == "id"),
                "{wrong}"
            );
        }
    }
}
