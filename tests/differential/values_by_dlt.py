"""What dlt answers for names, row ids and texts of values, as one JSON document.

Run with a Python 3.11 that has dlt 1.31. The document is what
`crates/longshore-core/tests/values_as_dlt.rs` compares Longshore with: each section is a list of
`[arguments..., answer]`, the answer null where dlt raises or has no usable value.

    values_by_dlt.py [--count 10000] [--seed 1] [PATH]

`--count` is the number of generated inputs in each section; the same seed and count give the
same document.
"""

import argparse
import json
import random
import struct
import sys
from datetime import datetime, timedelta, timezone

from dlt.common.data_types.type_helpers import coerce_value
from dlt.common.normalizers.json.helpers import get_nested_row_hash
from dlt.common.normalizers.naming.snake_case import NamingConvention
from dlt.common.pendulum import pendulum
from dlt.common.schema.detections import is_iso_timestamp
from dlt.common.time import (
    datetime_to_timestamp_us,
    date_to_epoch_days,
    ensure_datetime_in_tz,
    ensure_pendulum_date,
)

# The inputs of the tables of pairs that the rules were first written down from.
NAMES = """
Id userID UserID userId HTTPResponse HTTPResponseCode2xx parseXMLFile A AB aB ABc ABcD aBCdE
iPhone eBay2Go X1Y2Z3 OAuth2Token IPv6Address isOK MyTable__SubTable __leading trailing_
trailing__ trailing___ a__b a___b _ __ ___ 1abc 123 9Lives 1stPlace 0x1F +1 -1 a+b a*b a-b a@b
a|b a+-b a.b a/b a:b user@example.com C++ C# 50% $price price$ # !!! % %% - @ | [x] (x) "q" x[0]
ends- ends-- --start naïve Größe ÄÖÜ 日本語 имя é 😀 x日本 日本x a😀b ﬁle ٣abc _dlt_id __dlt_id
a_very_long_column_name_that_exceeds_sixty_three_characters_by_some_margin_yes
SomeVeryLongCamelCaseIdentifierWhichWillBeTurnedIntoSnakeCaseAndThenBeShortened
ParentTableNameWithManyWords__ChildTableNameWithManyWords__GrandChildName
a_very_long_column_name_for_test my_table_name list_with_long_name nested_list_long_name
parent_object child_object_value_long
""".split() + ["a b", "a\tb", " a b ", "", " ", "x" * 64, " __ ", "\x1c", "\u200b", "__\u3000__a"]

FRAGMENTS = [
    ["parent_object", "child_object_value_long"],
    ["my_table_name", "list_with_long_name"],
    ["my_table_name", "list_with_long_name", "nested_list_long_name"],
    ["a_very_long_c5fjagame_for_test", "v_text"],
    ["a"], [""], ["", "a", " ", "b"],
]

# The texts of the reference's `iso_timestamp` table and others on the borders of the rules.
TIMESTAMPS = """
2024-01-01T00:00:00 2024-01-01T00:00:00Z 2024-01-01T00:00:00+02:00 2024-01-01T00:00:00+0200
2024-01-01T00:00:00+02 2024-01-01T00:00:00.1234567 2024-01-01T00:00:00,5Z 2024-01-01_10:00
2024-01-01_10:00:00 2024-01-01T10 20240101T101010 20240101T101010Z 20240101_10:00:00
2024/01/01_10:00 0001-01-01T00:00:00 9999-12-31T23:59:59.999999 2024-01-01 20240101 2024 2024-01
2024-W05-2 2024-W052 2024W052 2024W05 2024-W05 2024-001 2024/01/01 10:10:10 T100000 T10:10 T1010
T10 P1D P1Y2M3DT4H5M6S 24:00:00 2024-01-01T24:00:00 2024-01-01T23:59:60 2024-01-01t00:00:00
2024-01-01T00:00:00z _2024-01-01T00:00:00 2024-01-01T00:00:00_ 2024-1-01T00:00:00
2024-01-01T00:00:00/2024-01-02T00:00:00 2024-01-01T00:00/P1D 2024-01-01T00:00:00+25:00
2024-01-01T00:00:00+24:00 2024-01-01T00:00:00-24 2024-01-01T00:00:00+23:60
2024-01-01T00:00:00+23:59 2024-01-01T00:00:00+00:99 2024-01-01T00:00:00-99:99
2024-01-01T00:00:00+02: 0001-01-01T00:00:00+01:00 9999-12-31T23:59:59-01:00 0000-01-01T00:00:00
2024-001T10:00 2024001T1000 2024001T10:00 2024001T10:00:00 2024-01T10 2024-W05T10 2024W05T10
2024-W00-0T10 2021-W53-1T10 2020-W53-7T10 9999-W52-7T10 0001-W00-1T10 0001-W01-1T10
2024_10:00 2024_1:2 2024/01/0110:00 202401011:2 20240101_1:2 2024:01:01_10:00 2024:01/01_10:00:00|5
202410:10 202410:10:30 202410:1 202410:1012:30 1:2 _1:2 10: 10::30 10:.5 2024/01/01_10:
２０２４/01/01_10:00 ٢٠٢٤ 1704067200 1704067200.5 1704067 170406 17040672 -1 1e3 1_000 nan inf -inf
1e400 1e20 -62135596800 -62135596801 253402300799 253402300800 253402300799.9999995 -0.0000005
0.0000005 0.0000015 0x10 20240101xx 1712011200 2024W0512x 10:00:00+02:00 10:00:00Z 00:30+23:59 23:30-23:59 10:00+24:00
2024-02-29T10:00 2023-02-29T10:00 1900-02-29T10 2000-02-29T10 2024-366T10 2023-366T10 2024-000T10
""".split()

NUMBERS = """
0 -0 +0 1_000 _1 1_ 1__0 007 1.0 1e3 - + -- 0x1F 0X1F 0x 0x_1 0x0x10 0x0X_10 0x-10 0x+1_0 -0x1 0x1.8
9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
18446744073709551615 0xffffffffffffffff 0x7fffffffffffffff 0xffffffffffffffffffffffffff ½ ² ٣ ٣٤.٥
inf -inf Infinity +INFINITY nan -NaN infinit i nf . .5 5. 5.e3 .e3 e5 1e 1e+ 1e5 1E-5 1_0.0_1e1_0
1._0 1_.0 1e_5 1e5_ 1e400 -1e400 1e-400 1e99999999999999999999 0e99999999999999999999 1,0 1\x00
2.2250738585072011e-308 2.2250738585072014e-308 4.9e-324 2.4703282292062328e-324 1.7976931348623159e308
9007199254740993 0x20000000000001 0x20000000000003 0.1 123456789012345678901234567890
yes no true false t f y n 1 YES No TRUE False T F Y N on off ye\u017f ＋１ １２
""".split() + ["", " ", " 1 ", "\x1c7\u3000", "- 1", "0x 1f", "0x\n1f ", "1 0", " yes", "true\n",
               "1" * 4300, "1" * 4301, "0" * 4301, "_".join("1" * 4300), "0x" + "f" * 256,
               "0x" + "f" * 255, "0x" + "f" * 3500, "0x" + "0" * 5000 + "1", "-" + "9" * 400]

ALPHABET = "abcxyzABCXYZ019__ -+*@|.$é日٣９😀\t\u3000\x1f"
LENGTHS = [6, 7, 8, 15, 20, 30, 63, 127]


def or_null(function, *arguments):
    """The answer of `function`, or None where it raises."""
    try:
        return function(*arguments)
    except Exception:
        return None


# --- names and ids -------------------------------------------------------------------------

def a_word(rng):
    kind = rng.random()
    if kind < 0.4:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 12)))
    if kind < 0.5:
        # Any character there is, except the surrogates, which are no text.
        codes = [rng.randrange(0x20000 if rng.random() < 0.9 else 0x110000) for _ in range(4)]
        return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
    parts = ["user", "Name", "HTTP", "Id", "2", "x", "Value", "_", "ID", "URL", "é", "A", "9"]
    return "".join(rng.choice(parts) for _ in range(rng.randint(1, 6)))


def a_name(rng):
    if rng.random() < 0.15:
        return rng.choice(NAMES)
    joint = rng.choice(["", "_", "__", "___", " ", "-", "____"])
    return joint.join(a_word(rng) for _ in range(rng.randint(1, rng.choice([1, 3, 12]))))


def json_key(naming, raw):
    """As `_flatten` in dlt/common/normalizers/json/relational.py, with Longshore's own answer
    for the keys that have no name at all."""
    name = naming.normalize_path(raw) if raw and not raw.isspace() else "_empty"
    return name or "_empty"


def names_sections(rng, count):
    names = NAMES + [a_name(rng) for _ in range(count)]
    unlimited = NamingConvention()
    limited = {length: NamingConvention(length) for length in LENGTHS}
    sections = {
        "identifiers": [[n, or_null(unlimited.normalize_identifier, n)] for n in names],
        "paths": [[n, unlimited.normalize_path(n)] for n in names],
        "keys": [[n, json_key(unlimited, n)] for n in names],
        "tables": [[n, unlimited.normalize_tables_path(n) or "_empty"] for n in names],
        "tags": [[n, NamingConvention._compute_tag(n, 0.001)] for n in names],
    }
    shortened, keys, variants = [], [], []
    for name in names:
        length = rng.choice(LENGTHS)
        source = rng.choice(names)
        short = NamingConvention.shorten_identifier(name, source, length)
        shortened.append([name, source, length, short])
        keys.append([name, length, json_key(limited[length], name)])
        kind = rng.choice(["text", "bigint", "timestamp", "json"])
        variant = limited[length].shorten_fragments(name, f"v_{kind}")
        variants.append([name, kind, length, variant])
    fragments = FRAGMENTS + [[a_name(rng) for _ in range(rng.randint(1, 4))] for _ in range(count)]
    sections["shortened"] = shortened
    sections["keys_within"] = keys
    sections["variants"] = variants
    sections["fragments"] = [
        [parts, length, limited[length].shorten_fragments(*parts)]
        for parts in fragments
        for length in rng.sample(LENGTHS, 2) + [30]
    ]
    return sections


def ids_section(rng, count):
    ids = [["parent", "t__l", 0]] + [
        [a_word(rng), a_name(rng), rng.choice([0, 9, 10, 2**64 - 1, rng.randrange(10**6)])]
        for _ in range(count)
    ]
    return {"nested_ids": [[*one, get_nested_row_hash(*one)] for one in ids]}


# --- timestamps ----------------------------------------------------------------------------

def a_date(rng):
    year = rng.choice([1, 999, 1900, 1969, 1970, 2000, 2023, 2024, 9999, rng.randint(0, 9999)])
    month, day = rng.randint(0 if rng.random() < 0.03 else 1, 13 if rng.random() < 0.03 else 12), rng.randint(1, 31)
    week, of_week, ordinal = rng.randint(0, 54), rng.randint(0, 8), rng.randint(0, 367)
    return rng.choice([
        f"{year:04}-{month:02}-{day:02}", f"{year:04}-{month:02}-{day:02}", f"{year:04}{month:02}{day:02}",
        f"{year:04}/{month:02}/{day:02}", f"{year:04}:{month:02}:{day:02}", f"{year:04}-{month:02}",
        f"{year:04}{month:02}:{day:02}", f"{year:04}/{month:02}{day:02}", f"{year:04}",
        f"{year:04}-W{week:02}-{of_week}", f"{year:04}W{week:02}{of_week}", f"{year:04}-W{week:02}",
        f"{year:04}W{week:02}", f"{year:04}-{ordinal:03}", f"{year:04}{ordinal:03}",
        f"{year}-{month}-{day}", f"{year:04}{month:02}",
    ])


def a_time(rng):
    hour, minute, second = rng.randint(0, 24), rng.randint(0, 60), rng.randint(0, 60)
    form = rng.choice([
        f"{hour:02}:{minute:02}:{second:02}", f"{hour:02}:{minute:02}:{second:02}",
        f"{hour:02}{minute:02}{second:02}", f"{hour:02}:{minute:02}", f"{hour:02}{minute:02}",
        f"{hour:02}", f"{hour}:{minute}", f"{hour}:{minute}:{second}", f"{hour:02}:", f"{hour}::{second}",
        f"{hour:02}:{minute:02}{second:02}", f"{hour:02}{minute:02}:{second:02}",
    ])
    if rng.random() < 0.4:
        digits = "".join(rng.choice("0123456789") for _ in range(rng.choice([0, 1, 3, 6, 7, 9, 10, 15])))
        form += rng.choice([".", ".", ",", "|"]) + digits
    return form


def an_offset(rng):
    if rng.random() < 0.4:
        return rng.choice(["", "Z"])
    sign = rng.choice("+-")
    hours, minutes = rng.choice([0, 1, 2, 5, 12, 14, 23, 24, 25, 99]), rng.choice([0, 0, 30, 59, 60, 99])
    return sign + rng.choice([
        f"{hours:02}:{minutes:02}", f"{hours:02}{minutes:02}", f"{hours:02}", f"{hours:02}:",
        f"{hours}", f"{hours:02}:{minutes}", f"{hours:02}:{minutes:02}:00",
    ])


def a_usual_timestamp(rng):
    """A timestamp in one of the two ISO 8601 forms, nearly always a valid one."""
    year, month, day = rng.choice([rng.randint(1, 9999), 2024]), rng.randint(1, 12), rng.randint(1, 28)
    hour, minute, second = rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59)
    extended = rng.random() < 0.7
    dash, colon = ("-", ":") if extended else ("", "")
    text = rng.choice([
        f"{year:04}{dash}{month:02}{dash}{day:02}", f"{year:04}{dash}{month:02}{dash}{day:02}",
        f"{year:04}{dash}W{rng.randint(0, 53):02}{dash}{rng.randint(0, 7)}",
        f"{year:04}{dash}{rng.randint(1, 366):03}", f"{year:04}{dash}W{rng.randint(1, 52):02}",
    ])
    text += rng.choice("T ") + rng.choice([
        f"{hour:02}{colon}{minute:02}{colon}{second:02}", f"{hour:02}{colon}{minute:02}{colon}{second:02}",
        f"{hour:02}{colon}{minute:02}", f"{hour:02}",
    ])
    if text[-6:].strip("T :").replace(":", "").isdigit() and rng.random() < 0.4:
        text += rng.choice(".,") + str(rng.randint(0, 10 ** rng.randint(1, 12)))
    return text + rng.choice(["", "Z", "Z", f"+{hour:02}:{minute:02}", f"-{hour:02}{minute:02}", f"+{hour:02}"])


def mutated(rng, text):
    """`text` with one or a few characters changed, inserted or removed."""
    chars = list(text)
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = rng.randint(0, len(chars))
        new = rng.choice("0123456789" + "-:/.,|TtZzWP +_\n\x00é٣９\x1c")
        action = rng.random()
        if action < 0.4 and at < len(chars):
            chars[at] = new
        elif action < 0.7:
            chars.insert(at, new)
        elif at < len(chars):
            del chars[at]
    return "".join(chars)


def a_timestamp(rng):
    kind = rng.random()
    if kind < 0.05:
        return rng.choice(TIMESTAMPS)
    if kind < 0.1:
        return a_number(rng)
    if kind < 0.15:
        return "".join(rng.choice("0123456789:-T ./") for _ in range(rng.randint(1, 16)))
    if kind < 0.2:
        text = a_date(rng)
    elif kind < 0.28:
        text = rng.choice(["", "", "T", " "]) + a_time(rng) + an_offset(rng)
    elif kind < 0.65:
        text = a_usual_timestamp(rng)
    else:
        text = a_date(rng) + rng.choice(["T", "T", "T", " ", " ", "t", "", "_", "  "]) + a_time(rng) + an_offset(rng)
    if rng.random() < 0.35:
        text = mutated(rng, text)
    if rng.random() < 0.03:
        text = text.translate({ord("0") + i: chr(0xFF10 + i) for i in range(10)})
    return text


def as_micros(text):
    """The timestamp dlt would load: what it cannot take to UTC ends its load."""
    return datetime_to_timestamp_us(ensure_datetime_in_tz(coerce_value("timestamp", "text", text)))


def as_days(text):
    """The day dlt reads, without a bug of the Python below it.

    dlt first tries `date.fromisoformat`, a shortcut that should change nothing. But in Python 3.11
    it ignores what follows the compact date in a text of ten bytes: the epoch seconds `1712011200`
    are then 1712-01-12. Longshore reads such a text as dlt does without the shortcut; that the two
    differ in nothing else is checked here.
    """
    day = or_null(ensure_pendulum_date, text)
    shortcut = or_null(coerce_value, "date", "text", text)
    bug = len(text.encode()) == 10 and text[:4].isdigit() and text[4] != "-"
    if day != shortcut and not bug:
        sys.exit(f"date of {text!r}: {day} without the shortcut, {shortcut} with it")
    return None if day is None else date_to_epoch_days(day)


def as_time_micros(text):
    time = coerce_value("time", "text", text)
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 10**6 + time.microsecond


def timestamps_sections(rng, count):
    texts = [text.replace("_", " ") if ":" in text else text for text in TIMESTAMPS]
    texts += ["", " ", "Mon, 01 Jan 2024 00:00:00 GMT"] + [a_timestamp(rng) for _ in range(count)]
    low, high = as_micros("0001-01-01"), as_micros("9999-12-31T23:59:59.999999")
    spread = [low, high, 0, -1, 1] + [rng.randint(low, high) for _ in range(count // 10)]
    spread += [micros // 10**6 * 10**6 for micros in spread[5:]]
    seconds = [
        rng.choice([
            rng.uniform(-7e10, 3e11), rng.uniform(-10, 10),
            rng.randint(0, 2**34) + rng.randint(0, 2 * 10**6) / 2e6,
            rng.randint(-10**7, 10**7) / 2**20, float(rng.randint(-7 * 10**10, 3 * 10**11)),
        ])
        for _ in range(count // 10)
    ]
    return {
        "detected": [
            [t, or_null(as_micros, t) if is_iso_timestamp(str, t) == "timestamp" else None] for t in texts
        ],
        "timestamps": [[t, or_null(as_micros, t)] for t in texts],
        "dates": [[t, or_null(as_days, t)] for t in texts],
        "times": [[t, or_null(as_time_micros, t)] for t in texts],
        "isoformat": [[micros, iso_of(micros)] for micros in spread],
        "epoch_seconds": [
            [float_bits(s), or_null(lambda: datetime_to_timestamp_us(pendulum.from_timestamp(s)))]
            for s in seconds
        ],
    }


def iso_of(micros):
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=micros)
    return coerce_value("text", "timestamp", moment)


# --- numbers -------------------------------------------------------------------------------

def a_number(rng):
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(NUMBERS)
    if kind < 0.3:
        text = str(rng.randint(-(10 ** rng.randint(1, 40)), 10 ** rng.randint(1, 40)))
    elif kind < 0.45:
        text = rng.choice(["0x", "0X", "0x_", "-0x", "0x-"]) + f"{rng.getrandbits(rng.randint(1, 200)):x}"
    elif kind < 0.8:
        text = rng.choice([repr(a_float(rng)), f"{rng.uniform(-1e6, 1e6):.3f}", f"{rng.random():.25e}"])
    else:
        return "".join(rng.choice("0123456789_.eE+-xinfat ٣\t") for _ in range(rng.randint(1, 8)))
    if rng.random() < 0.3:
        text = rng.choice([" ", "\n", "\u3000", "\x1f", ""]) + text + rng.choice([" ", "\t", ""])
    if rng.random() < 0.3:
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice("_.eE+-x0 ９") + text[at:]
    return text


def a_float(rng):
    kind = rng.random()
    if kind < 0.4:
        return struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
    if kind < 0.5:
        return 2.0 ** rng.randint(-1074, 1023)
    if kind < 0.6:
        return float(10 ** rng.randint(0, 30)) * rng.choice([1, -1, 0.1, 1e-20, 9.999999999999999])
    return rng.choice([rng.uniform(-1, 1), rng.uniform(-1e5, 1e5), float(rng.getrandbits(rng.randint(1, 70))), round(rng.uniform(0, 1e4), 2)])


def float_bits(number):
    """The 64 bits of a float as a decimal text: exact, also for what JSON has no number for."""
    return str(struct.unpack("<Q", struct.pack("<d", number))[0])


def as_int(text):
    return str(coerce_value("bigint", "text", text))


def as_float(text):
    number = coerce_value("double", "text", text)
    # All NaNs are one answer.
    return "nan" if number != number else float_bits(number)


def numbers_sections(rng, count):
    texts = NUMBERS + [a_number(rng) for _ in range(count)]
    floats = [0.0, -0.0, 1e16, 1e15, 9999999999999998.0, 1e-4, 9.999999999999999e-5, 5e-324, float("inf")]
    floats += [2.0**power for power in range(-1074, 1024)]
    floats += [a_float(rng) for _ in range(count)]
    words = [t for t in texts if len(t) < 9] + [
        "".join(rng.choice([c.upper(), c]) for c in rng.choice(["yes", "true", "no", "false", "t", "n", "1"]))
        + rng.choice(["", "", "", " ", "s", "é"])
        for _ in range(count // 10)
    ]
    return {
        "integers": [[t, or_null(as_int, t)] for t in texts],
        "floats": [[t, or_null(as_float, t)] for t in texts],
        "bools": [[t, or_null(coerce_value, "bool", "text", t)] for t in words],
        "float_reprs": [[float_bits(f), coerce_value("text", "double", f)] for f in floats],
    }


def json_section(rng, count):
    from dlt.common.json import json as dlt_json

    texts = ['"\\/', "".join(map(chr, range(0xA0))), "\u2028\ufeff"] + [a_word(rng) for _ in range(count // 10)]
    return {"json_texts": [[t, dlt_json.dumps(t)[1:-1]] for t in texts]}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("path", nargs="?", help="the file to write (default: standard output)")
    arguments.add_argument("--count", type=int, default=10_000, help="generated inputs a section")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    rng = random.Random(given.seed)
    document = {"seed": given.seed, "count": given.count}
    for section in (names_sections, ids_section, timestamps_sections, numbers_sections, json_section):
        document.update(section(rng, given.count))
    with open(given.path, "w", encoding="utf-8") if given.path else sys.stdout as out:
        json.dump(document, out, ensure_ascii=True)


if __name__ == "__main__":
    main()
