"""Makes the installed local-bigquery 0.3.2 run here; safe to run again.

* Python 3.11 lacks two spellings it uses: generic functions, and quotes inside an f-string's own quotes.
* Its BIGNUMERIC is DECIMAL(38,18), which has no room for the 38 digits before the point that BigQuery has; here it is
  DECIMAL(38,0): Longshore's decimals are whole numbers.
* The signed extensions of DuckDB it needs come from their wheels, into the folder that is its home.
"""

import os
import pathlib
import re
import sys

package = pathlib.Path(next(p for p in sys.path if p.endswith("site-packages"))) / "local_bigquery"


def edit(name, change):
    path = package / name
    text = path.read_text()
    changed = change(text)
    if changed != text:
        path.write_text(changed)


def plain_generics(text):
    text = text.replace(
        "def list_[R: Resource](model: type[R], *keys: str) -> list[R]:", "def list_(model, *keys: str) -> list:"
    )
    text = re.sub(r"def (\w+)\[[^\]]+\]\(", r"def \1(", text)
    return text if "__future__" in text else "from __future__ import annotations\n" + text


def plain_quotes(text):
    return text.replace(
        """f"THEN error('{message.replace("'", "''")}') ELSE {expression} END\"""",
        """"THEN error('" + message.replace("'", "''") + f"') ELSE {expression} END\"""",
    )


def whole_decimals(text):
    text = text.replace('"BIGNUMERIC": "DECIMAL(38,18)"', '"BIGNUMERIC": "DECIMAL(38,0)"')
    return text.replace(
        "        if scale <= 9:\n", "        if scale <= 9 and (precision, scale) != (38, 0):\n"
    )


edit("catalog/metadata.py", plain_generics)
edit("engine/results.py", plain_quotes)
edit("engine/types.py", whole_decimals)
edit("sql/rules/typing.py", lambda text: text.replace('"DECIMAL(38, 18)"', '"DECIMAL(38, 0)"'))

home = pathlib.Path(sys.argv[1])
home.mkdir(exist_ok=True)
os.environ["HOME"] = str(home)
from duckdb_extensions import import_extension  # noqa: E402  (it looks at HOME)

for extension in ("ducklake", "spatial"):
    if not list(home.rglob(f"{extension}.duckdb_extension")):
        import_extension(extension)
