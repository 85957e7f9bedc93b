"""Write the generated inputs of the corpus (2NN-generated-*): generate.py [CORPUS_DIR]

Random nested records from a fixed seed each, so that the same files come out every time. They avoid what dlt loses or
fails on (see beyond/): keys that collide, numbers that a coercion would change, and a text that is no timestamp in a
`__v_text` column that an ISO text made a timestamp. To that end each path has one kind of scalar, from which only
certain others deviate.
"""

import json
import random
import sys
from pathlib import Path

KEYS = ["id", "name", "Total", "createdAt", "tags", "items", "user", "Order Lines", "x-ref", "geo.lat", "meta", "value",
        "list", "HTTPStatus", "2nd", "price$", "note_", "größe"]
KINDS = ["bigint", "bigint", "double", "text", "text", "bool", "timestamp"]
WORDS = ["alpha", "beta gamma", "", "ünïcode", "日本", "😀", "it's", 'say "hi"', "tab\there", "new\nline", "back\\slash",
         "O'Neil", "n/a", "-", "\u2028", "ﬁ"]


class Records:
    """One input: the kinds of its paths and the way numbers and white space are spelled."""

    def __init__(self, seed, depth, deviate, shapes):
        self.random = random.Random(seed)
        self.seed, self.depth, self.deviate, self.shapes = seed, depth, deviate, shapes

    def kind(self, path):
        return random.Random(f"{self.seed}/{path}").choice(KINDS)

    def integer(self):
        r = self.random
        return str(r.choice([r.randint(-9, 99), r.randint(-10**6, 10**6), r.randint(-2**49, 2**49)]))

    def double(self):
        r = self.random
        number = r.choice([r.uniform(-100, 100), round(r.uniform(-1000, 1000), 2), r.uniform(-1, 1) * 10.0 ** r.randint(-30, 11)])
        text = r.choice([repr(number), f"{number:.3f}", f"{number:.5e}", f"{number:.4E}"])
        if float(text) == 0:  # DuckDB's compression may turn 0.0 and -0.0 of one column into one of them
            return "0.25"
        return text if any(c in text for c in ".eE") else text + ".0"

    def timestamp(self):
        r = self.random
        day = f"{r.randint(1950, 2050)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"
        clock = f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}"
        fraction = r.choice(["", "", f".{r.randint(0, 999):03}", f".{r.randint(0, 999999):06}"])
        return f'"{day}{r.choice("TT ")}{clock}{fraction}{r.choice(["Z", "Z", "", "+02:00", "-0530", "+00:00"])}"'

    def text(self):
        words = [self.random.choice(WORDS) for _ in range(self.random.randint(1, 3))]
        # never empty of letters: a text that is a number, a date or JSON would mean something to a column
        return json.dumps("~" + " ".join(words), ensure_ascii=self.random.random() < 0.3)

    def bool(self):
        return self.random.choice(["true", "false"])

    def scalar(self, path):
        r, kind = self.random, self.kind(path)
        if r.random() < 0.1:
            return "null"
        if r.random() < self.deviate:
            other = {
                "bigint": [self.double, self.text, self.bool, lambda: f'"{self.integer()}"', lambda: self.integer() + ".0"],
                "double": [self.integer, self.text, self.bool],
                "text": [self.integer, self.double, self.bool],
                "bool": [self.text, lambda: r.choice(["0", "1", '"yes"', '"No"', "0.0", "1.0"])],
                "timestamp": [self.bool],
            }[kind]
            return r.choice(other)()
        return {"bigint": self.integer, "double": self.double, "text": self.text, "bool": self.bool, "timestamp": self.timestamp}[kind]()

    def element(self, path, depth):
        """A scalar, an object or a list; what a path mostly holds depends on the path."""
        r, own = self.random, random.Random(f"{self.seed}/shape/{path}")
        usual = own.choice(["scalar", "scalar", "scalar", "object", "list"])
        shape = r.choice(["scalar", "object", "list"]) if r.random() < self.shapes else usual
        if shape == "object" and depth > 0:
            return self.object(path, depth - 1)
        if shape == "list" and depth > 0:
            return "[" + ", ".join(self.listed(path, depth - 1) for _ in range(r.choice([0, 1, 1, 2, 3]))) + "]"
        return self.scalar(path)

    def listed(self, path, depth):
        r, own = self.random, random.Random(f"{self.seed}/listed/{path}")
        usual = own.choice(["scalar", "object", "object", "list"])
        shape = r.choice(["scalar", "object", "list"]) if r.random() < self.shapes else usual
        if shape == "object":
            return self.object(path, depth)
        if shape == "list" and depth > 0:
            return "[" + ",".join(self.listed(f"{path}/list", depth - 1) for _ in range(r.randint(0, 3))) + "]"
        return self.scalar(f"{path}/value")

    def object(self, path, depth):
        r = self.random
        keys = r.sample(KEYS, r.randint(0, 5))
        space = r.choice(["", "", " ", "\n  "]) if self.seed % 5 == 0 else ""
        return "{" + ",".join(f"{space}{json.dumps(k)}:{space}{self.element(f'{path}/{k}', depth)}" for k in keys) + "}"


def write(corpus):
    for old in corpus.glob("2??-generated-*"):
        old.unlink()
    for number in range(32):
        seed = 1000 + number
        depth = (1, 2, 2, 3, 3)[number % 5]
        deviate = (0.0, 0.05, 0.2, 0.4)[number % 4]
        shapes = (0.0, 0.1, 0.3)[number % 3]
        records = Records(seed, depth, deviate, shapes)
        lines = number % 4 == 3
        count = 10 + records.random.randrange(30)
        rows = [records.object("", depth) for _ in range(count)]
        stem = corpus / f"{200 + number}-generated-{seed}"
        if lines:
            stem.with_suffix(".ndjson").write_text("".join(" ".join(row.split("\n")) + "\n" for row in rows), encoding="utf-8")
        else:
            stem.with_suffix(".json").write_text("[" + ",\n".join(rows) + "]\n", encoding="utf-8")
        if number % 6 == 5:
            stem.with_suffix(".args").write_text(f"--max-nesting {number // 6}\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "corpus")
