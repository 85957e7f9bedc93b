"""Compare two DuckDB datasets that should hold the same load: compare.py A.duckdb DATASET_A B.duckdb DATASET_B

Equal means: the same tables; the same columns, in the same order, with the same type and nullability; the same rows.
Everything that may differ is normalised in this file, here and nowhere else:

 1. `_dlt_version`, `_dlt_loads` and `_dlt_pipeline_state` hold times, versions and hashes: of the first two the names
    of the columns are compared, of the third nothing (not even that it is there), since it is written only when a
    pipeline's state changed.
 2. A root row's `_dlt_id` is random (10 bytes in base64 without padding, 14 characters). Such ids are replaced by an
    ordinal, the same in both datasets for rows of equal content, where content includes all rows below. Ids in another form
    were in the data, and are compared as they are. Ids of nested rows follow from the parent's: that they are
    base64(SHAKE128("<parent id>_<table>_<list index>")) is checked in each dataset for itself, then they are replaced
    by the path from the root.
 3. `_dlt_load_id` is a time: it must be in `_dlt_loads` with status 0, and is then replaced by a constant.
 4. The order of rows in a table means nothing.

Doubles are compared bit by bit, timestamps as microseconds, JSON as text, everything else as values of their type.
"""

import base64
import hashlib
import struct
import sys
from collections import Counter, defaultdict

import duckdb

NAMES_ONLY = ("_dlt_loads", "_dlt_version")
NOT_COMPARED = ("_dlt_pipeline_state",)
ID, PARENT, INDEX, LOAD = "_dlt_id", "_dlt_parent_id", "_dlt_list_idx", "_dlt_load_id"
MAX_DIFFERENCES = 8


class BrokenDataset(Exception):
    """A dataset that is wrong in itself: an id or link that does not hold."""


def quote(name):
    return '"' + name.replace('"', '""') + '"'


class Dataset:
    """The tables of a dataset, with values in a comparable form."""

    def __init__(self, path, name):
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            columns = connection.execute(
                "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns()"
                " WHERE database_name = current_database() AND schema_name = ? ORDER BY table_name, column_index",
                [name],
            ).fetchall()
            self.columns = defaultdict(list)
            for table, column, data_type, nullable in columns:
                self.columns[table].append((column, data_type, nullable))
            if not self.columns:
                raise BrokenDataset(f"no dataset {name!r}")
            self.rows = {
                table: self._read(connection, name, table, described)
                for table, described in self.columns.items()
                if table not in NAMES_ONLY + NOT_COMPARED
            }
            self.load_ids = set()
            if "_dlt_loads" in self.columns:
                query = f"SELECT load_id FROM {quote(name)}._dlt_loads WHERE status = 0"
                self.load_ids = {row[0] for row in connection.execute(query).fetchall()}

    @staticmethod
    def _read(connection, dataset, table, described):
        wanted = []
        for column, data_type, _ in described:
            column = quote(column)
            # microseconds, so that no time zone library and no year 9999 come between
            wanted.append(f"epoch_us({column})" if data_type.startswith("TIMESTAMP") else column)
        query = f"SELECT {', '.join(wanted)} FROM {quote(dataset)}.{quote(table)}"
        names = [column for column, _, _ in described]
        return [dict(zip(names, map(exact, row))) for row in connection.execute(query).fetchall()]

    def ancestors(self, table):
        """The tables that may hold parents of a nested table's rows: those whose names it continues, nearest first.

        More than one, since an object and a list under one key lead to the same name: `{"v": {"y": [1]}}` and
        `{"v": [{"y": [1]}]}` both make rows in `t__v__y`, with parents in `t` and in `t__v`.
        """
        found = sorted((t for t in self.rows if table.startswith(t + "__")), key=len, reverse=True)
        if not found:
            raise BrokenDataset(f"{table}: no parent table")
        return found

    def is_nested(self, table):
        return any(column == PARENT for column, _, _ in self.columns[table])


def exact(value):
    """A value that compares equal only to the same value: -0.0 is not 0.0, True is not 1, 1 is not 1.0."""
    if isinstance(value, float):
        return ("double", struct.pack(">d", value).hex(), repr(value))
    if isinstance(value, bool):
        return ("bool", value)
    return value


def is_random_id(value):
    if not isinstance(value, str) or len(value) != 14:
        return False
    try:
        return len(base64.b64decode(value + "==", validate=True)) == 10
    except ValueError:
        return False


def nested_id(parent_id, table, index):
    digest = hashlib.shake_128(f"{parent_id}_{table}_{index}".encode()).digest(10)
    return base64.b64encode(digest).decode("ascii").rstrip("=")


def checked(dataset):
    """The children of each row, {(table, id): [(child table, list index, row)]}; raises BrokenDataset where ids do not hold."""
    children = defaultdict(list)
    ids = defaultdict(set)
    for table, rows in dataset.rows.items():
        if not any(column == ID for column, _, _ in dataset.columns[table]):
            raise BrokenDataset(f"{table}: no column {ID}")
        for row in rows:
            if row[ID] in ids[table]:
                raise BrokenDataset(f"{table}: {ID} {row[ID]!r} twice")
            ids[table].add(row[ID])
    for table, rows in dataset.rows.items():
        if not dataset.is_nested(table):
            for row in rows:
                if row.get(LOAD) not in dataset.load_ids:
                    raise BrokenDataset(f"{table}: {LOAD} {row.get(LOAD)!r} is not a finished load in _dlt_loads")
            continue
        ancestors = dataset.ancestors(table)
        for row in rows:
            parent = next((t for t in ancestors if row[PARENT] in ids[t]), None)
            if parent is None:
                raise BrokenDataset(f"{table}: {PARENT} {row[PARENT]!r} is not in {' or '.join(ancestors)}")
            index = row.get(INDEX)
            expected = nested_id(row[PARENT], table, index)
            if row[ID] != expected:
                raise BrokenDataset(f"{table}: {ID} {row[ID]!r} at index {index} of {row[PARENT]!r}, not {expected!r}")
            children[parent, row[PARENT]].append((table, index, row))
    return children


def own_content(row):
    """A row without ids and links."""
    return {column: value for column, value in row.items() if column not in (ID, PARENT, LOAD)}


def digest(children, table, row, is_root=True):
    """What tells a row from others: its content and all that hangs below it."""
    below = sorted((t, i, digest(children, t, r, False)) for t, i, r in children[table, row[ID]])
    own_id = row[ID] if is_root and not is_random_id(row[ID]) else ""
    text = repr((own_id, sorted(own_content(row).items()), below))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def paired(rows_a, rows_b, digests_a, digests_b):
    """The root rows of both sides as [(row or None, row or None)]: first the equal ones, then the most alike.

    How unequal rows are paired decides only how differences read: a pair that is not equal is told as different.
    """
    waiting = defaultdict(list)
    for row, mark in zip(rows_b, digests_b):
        waiting[mark].append(row)
    pairs, left_a = [], []
    for row, mark in zip(rows_a, digests_a):
        if waiting[mark]:
            pairs.append((row, waiting[mark].pop(0)))
        else:
            left_a.append(row)
    unpaired = {id(row) for rows in waiting.values() for row in rows}
    left_b = [row for row in rows_b if id(row) in unpaired]
    few = len(left_a) * len(left_b) <= 40_000
    for row in left_a:
        other = nearest(row, left_b) if few else (left_b[0] if left_b else None)
        if other is not None:
            left_b = [r for r in left_b if r is not other] if few else left_b[1:]
        pairs.append((row, other))
    return pairs + [(None, row) for row in left_b]


def canonical(a, b):
    """The rows of both datasets, [{table: rows}] * 2, with ids replaced by places, the same for rows that belong together."""
    children = []
    for which, dataset in (("first", a), ("second", b)):
        try:
            children.append(checked(dataset))
        except BrokenDataset as error:
            raise BrokenDataset(f"{which}: {error}") from error
    result = [defaultdict(list), defaultdict(list)]

    def place(side, table, row, path, parent_path):
        changed = dict(row)
        changed[ID] = path
        if PARENT in row:
            changed[PARENT] = parent_path
        if LOAD in row:
            changed[LOAD] = "<load>"
        result[side][table].append(changed)
        for child_table, index, child in children[side][table, row[ID]]:
            place(side, child_table, child, f"{path}/{child_table}[{index}]", path)

    for table in sorted(set(a.rows) | set(b.rows)):
        roots = [d.rows.get(table, []) if table in d.rows and not d.is_nested(table) else [] for d in (a, b)]
        digests = [[digest(below, table, row) for row in rows] for below, rows in zip(children, roots)]
        for ordinal, pair in enumerate(paired(*roots, *digests)):
            for side, row in enumerate(pair):
                if row is not None:
                    place(side, table, row, f"#{ordinal}" if is_random_id(row[ID]) else f"={row[ID]}", None)
    return result


def shown(row):
    return "{" + ", ".join(f"{k}: {v!r:.120}" for k, v in row.items() if v is not None) + "}"


def nearest(row, candidates):
    """The candidate that shares most with a row, ids counting for little."""
    def shared(other):
        return sum((1 if k in (ID, PARENT) else 10) for k, v in row.items() if k in other and other[k] == v)

    return max(candidates, key=shared, default=None)


def compare_rows(table, rows_a, rows_b):
    def key(row):
        return tuple(sorted((k, repr(v)) for k, v in row.items()))

    count_a, count_b = Counter(map(key, rows_a)), Counter(map(key, rows_b))
    by_key = {key(row): row for row in rows_a + rows_b}
    only_a = [by_key[k] for k in (count_a - count_b).elements()]
    only_b = [by_key[k] for k in (count_b - count_a).elements()]
    if len(rows_a) != len(rows_b):
        yield f"{table}: {len(rows_a)} rows against {len(rows_b)}"
    for row in only_a:
        # the row of the other side at the same place if there is one, else the most alike
        other = next((r for r in only_b if r.get(ID) == row.get(ID)), None) or nearest(row, only_b)
        if other is None:
            yield f"{table}: row {row.get(ID)} only in the first: {shown(row)}"
            continue
        only_b.remove(other)
        columns = [c for c in row if c not in other or repr(row[c]) != repr(other[c])]
        for column in [c for c in columns if c not in (ID, PARENT)] or columns:
            yield f"{table}.{column}, row {row.get(ID)}: {row[column]!r:.200} against {other.get(column)!r:.200}"
    for row in only_b:
        yield f"{table}: row {row.get(ID)} only in the second: {shown(row)}"


def differences(a, b):
    """What differs between two datasets, as lines; each dataset is (path, name)."""
    found = []
    try:
        first = Dataset(*a)
    except (BrokenDataset, duckdb.Error) as error:
        return [f"first: {error}"]
    try:
        second = Dataset(*b)
    except (BrokenDataset, duckdb.Error) as error:
        return [f"second: {error}"]
    tables_a, tables_b = (set(d.columns) - set(NOT_COMPARED) for d in (first, second))
    found += [f"table {t} only in the first" for t in sorted(tables_a - tables_b)]
    found += [f"table {t} only in the second" for t in sorted(tables_b - tables_a)]
    for table in sorted(tables_a & tables_b):
        columns_a, columns_b = first.columns[table], second.columns[table]
        names_a, names_b = [c[0] for c in columns_a], [c[0] for c in columns_b]
        if names_a != names_b:
            if set(names_a) == set(names_b):
                found.append(f"{table}: columns in another order: {names_a} against {names_b}")
            else:
                missing, extra = [c for c in names_a if c not in names_b], [c for c in names_b if c not in names_a]
                found.append(f"{table}: columns only in the first: {missing}, only in the second: {extra}")
        if table in NAMES_ONLY:
            continue
        types_b = {name: rest for name, *rest in columns_b}
        for name, *described in columns_a:
            other = types_b.get(name, described)
            if described != other:
                form = lambda d: d[0] + ("" if d[1] else " NOT NULL")
                found.append(f"{table}.{name}: type {form(described)} against {form(other)}")
    try:
        rows_a, rows_b = canonical(first, second)
    except BrokenDataset as error:
        return found + [str(error)]
    for table in sorted(set(first.rows) & set(second.rows)):
        found += compare_rows(table, rows_a[table], rows_b[table])
    return found


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__.splitlines()[0])
    found = differences((sys.argv[1], sys.argv[2]), (sys.argv[3], sys.argv[4]))
    for line in found[:MAX_DIFFERENCES]:
        print(line)
    if len(found) > MAX_DIFFERENCES:
        print(f"and {len(found) - MAX_DIFFERENCES} more")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
