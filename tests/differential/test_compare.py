"""The comparer notices what it should, and nothing else: test_compare.py (unittest; needs requirements.txt)."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import duckdb

from compare import differences, nested_id
from load_with_dlt import DATASET, load_all

RECORDS = [
    {"id": 1, "name": "a", "price": 0.5, "seen": "2024-01-01T00:00:00Z", "ok": True,
     "lines": [{"sku": "x", "tags": ["p", "q"]}, {"sku": "y"}], "other": [1]},
    {"id": 2, "name": "b", "price": -0.0, "seen": "2024-01-02T00:00:00.5Z", "lines": [{"sku": "x", "tags": ["p"]}]},
    {"id": 2, "name": "b", "price": -0.0, "seen": "2024-01-02T00:00:00.5Z", "lines": [{"sku": "x", "tags": ["p"]}]},
    {"_dlt_id": "own id", "id": 3, "name": "", "lines": []},
]


class CompareTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = Path(cls.folder.name)
        (root / "corpus").mkdir()
        (root / "corpus/records.json").write_text(json.dumps(RECORDS))
        (root / "corpus/nested.json").write_text(json.dumps(RECORDS))
        (root / "corpus/nested.args").write_text("--max-nesting 0\n")
        for run in ("first", "second"):
            errors = [e for e in load_all(root / "corpus", root / run).values() if e]
            assert not errors, errors
        cls.root = root

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def compared(self, *statements, name="records"):
        """The differences after statements were run on a copy of the second run."""
        changed = self.root / "changed.duckdb"
        shutil.copy(self.root / f"second/{name}.duckdb", changed)
        with duckdb.connect(str(changed)) as connection:
            connection.execute(f"SET TimeZone = 'UTC'; USE {DATASET}")
            for statement in statements:
                connection.execute(statement)
        return differences((self.root / f"first/{name}.duckdb", DATASET), (changed, DATASET))

    def assertNoticed(self, expected, *statements, name="records"):
        found = self.compared(*statements, name=name)
        self.assertTrue(any(expected in line for line in found), f"{expected!r} not in {found}")

    def rebuilt(self, table, select):
        """Statements that make a table again from a query over it, so that columns may move or change type."""
        return [f"CREATE TABLE made AS {select}", f"DROP TABLE {table}", f"ALTER TABLE made RENAME TO {table}"]

    def test_two_runs_of_dlt_are_equal(self):
        self.assertEqual([], self.compared())
        self.assertEqual([], self.compared(name="nested"))

    def test_order_of_rows_does_not_matter(self):
        self.assertEqual([], self.compared(
            "CREATE TEMP TABLE kept AS SELECT * FROM items", "DELETE FROM items",
            "INSERT INTO items BY NAME SELECT * FROM kept ORDER BY id DESC"))

    def test_changed_values(self):
        for column, value in [("name", "'z'"), ("id", "9"), ("price", "0.5000000000000001"), ("ok", "false"),
                              ("seen", "seen + INTERVAL 1 MICROSECOND"), ("seen", "NULL"), ("name", "''"), ("ok", "NULL")]:
            with self.subTest(column=column, value=value):
                self.assertNoticed(f"items.{column}", f"UPDATE items SET {column} = {value} WHERE id = 1")

    def test_sign_of_zero(self):
        # not by UPDATE: DuckDB leaves a value alone that equals the new one, as -0.0 equals 0.0
        self.assertNoticed("items.price", *self.rebuilt("items", "SELECT * REPLACE (abs(price) AS price) FROM items"))

    def test_null_is_not_empty_text(self):
        self.assertNoticed("items.name", "UPDATE items SET name = NULL WHERE id = 3")

    def test_text_of_json(self):
        self.assertNoticed("items.lines", "UPDATE items SET lines = replace(lines::VARCHAR, ':', ': ') WHERE id = 1", name="nested")

    def test_value_in_a_child_row(self):
        self.assertNoticed("items__lines.sku", "UPDATE items__lines SET sku = 'z' WHERE sku = 'y'")

    def test_missing_and_doubled_rows(self):
        self.assertNoticed("items__other: 1 rows against 0", "DELETE FROM items__other")
        self.assertNoticed("4 rows against 3", "DELETE FROM items WHERE id = 3")
        self.assertNoticed("twice", "INSERT INTO items SELECT * FROM items WHERE id = 3")
        self.assertNoticed("4 rows against 5", "INSERT INTO items SELECT * REPLACE ('AAAAAAAAAAAAAA' AS _dlt_id) FROM items WHERE id = 3")

    def test_missing_parent(self):
        self.assertNoticed("is not in items", "DELETE FROM items WHERE id = 1")

    def test_swapped_links(self):
        parents = [row[0] for row in duckdb.connect(str(self.root / "second/records.duckdb"), read_only=True).execute(
            f"SELECT _dlt_id FROM {DATASET}.items WHERE id < 3 ORDER BY id").fetchall()]
        swap = f"CASE _dlt_parent_id WHEN '{parents[0]}' THEN '{parents[1]}' WHEN '{parents[1]}' THEN '{parents[0]}' ELSE _dlt_parent_id END"
        self.assertNoticed("_dlt_id", f"UPDATE items__lines SET _dlt_parent_id = {swap}")
        # the same with ids that hold again: now only the structure tells
        row = f"'{nested_id(parents[1], 'items__other', 0)}'"
        self.assertNoticed("items", f"UPDATE items__other SET _dlt_parent_id = '{parents[1]}', _dlt_id = {row}")

    def test_list_index(self):
        self.assertNoticed("_dlt_id", "UPDATE items__lines SET _dlt_list_idx = 7 WHERE sku = 'y'")

    def test_random_child_id(self):
        self.assertNoticed("_dlt_id", "UPDATE items__other SET _dlt_id = 'AAAAAAAAAAAAAA'")

    def test_swapped_values_in_a_list(self):
        self.assertNoticed("items__lines__tags.value",
                           "UPDATE items__lines__tags SET value = CASE value WHEN 'p' THEN 'q' ELSE 'p' END"
                           " WHERE _dlt_parent_id IN (SELECT _dlt_parent_id FROM items__lines__tags WHERE value = 'q')")

    def test_id_of_the_data(self):
        self.assertNoticed("items._dlt_id", "UPDATE items SET _dlt_id = 'other id' WHERE id = 3")
        self.assertNoticed("items._dlt_id", "UPDATE items SET _dlt_id = 'AAAAAAAAAAAAAA' WHERE id = 3")

    def test_load_id(self):
        self.assertNoticed("not a finished load", "UPDATE items SET _dlt_load_id = '1.0' WHERE id = 3")
        self.assertNoticed("not a finished load", "UPDATE _dlt_loads SET status = 1")

    def test_columns(self):
        columns = "name, id, price, seen, ok, _dlt_load_id, _dlt_id"
        self.assertNoticed("another order", *self.rebuilt("items", f"SELECT {columns} FROM items"))
        self.assertNoticed("only in the first: ['ok']", "ALTER TABLE items DROP ok")
        self.assertNoticed("only in the second: ['more']", "ALTER TABLE items ADD more BIGINT")
        self.assertNoticed("_dlt_loads", "ALTER TABLE _dlt_loads ADD more BIGINT")

    def test_types(self):
        self.assertNoticed("items.id: type BIGINT against INTEGER", "ALTER TABLE items ALTER id TYPE INTEGER")
        self.assertNoticed("items.seen: type TIMESTAMP WITH TIME ZONE against TIMESTAMP", "ALTER TABLE items ALTER seen TYPE TIMESTAMP")
        self.assertNoticed("items.lines: type JSON against VARCHAR", "ALTER TABLE items ALTER lines TYPE VARCHAR", name="nested")

    def test_nullability(self):
        self.assertNoticed("items._dlt_id: type VARCHAR NOT NULL against VARCHAR", "ALTER TABLE items ALTER _dlt_id DROP NOT NULL")

    def test_tables(self):
        self.assertNoticed("items__other only in the first", "DROP TABLE items__other")
        self.assertNoticed("more only in the second", "CREATE TABLE more (a BIGINT)")
        self.assertNoticed("_dlt_version only in the first", "DROP TABLE _dlt_version")

    def test_no_dataset(self):
        found = differences((self.root / "first/records.duckdb", DATASET), (self.root / "first/records.duckdb", "nowhere"))
        self.assertEqual(["second: no dataset 'nowhere'"], found)


if __name__ == "__main__":
    unittest.main()
