//! Trees: few keys, lists of lists of numbers, twelve levels of nesting.

use crate::json::Json;
use crate::rng::Rng;
use crate::{Records, RowCounts};

/// Objects and lists around the innermost value, the record itself being the first.
pub(crate) const LEVELS: usize = 12;
/// Lists around a number in `deep`: all levels but the record.
const DEEP_LISTS: usize = LEVELS - 1;
/// Levels of nodes below the root node: each is an object in a list.
const NODE_LEVELS: usize = (LEVELS - 2) / 2;

/// Rows by table; where a table nests in its like, the index is how often.
#[derive(Default)]
pub(crate) struct Tree {
    matrix_rows: u64,
    matrix_values: u64,
    deep: [u64; DEEP_LISTS],
    kids: [u64; NODE_LEVELS + 1],
    values: [u64; NODE_LEVELS + 1],
}

impl Tree {
    fn matrix(&mut self, rng: &mut Rng, out: &mut Json) {
        out.begin_list();
        for _ in 0..rng.range(2, 6) {
            self.matrix_rows += 1;
            out.begin_list();
            for _ in 0..rng.range(2, 8) {
                self.matrix_values += 1;
                out.fixed(rng.range(-9_999_999, 9_999_999), 4);
            }
            out.end_list();
        }
        out.end_list();
    }

    fn deep(&mut self, level: usize, rng: &mut Rng, out: &mut Json) {
        out.begin_list();
        if level + 1 == DEEP_LISTS {
            for _ in 0..rng.range(1, 4) {
                self.deep[level] += 1;
                out.int(rng.range(-1_000_000, 1_000_000));
            }
        } else {
            for _ in 0..if rng.chance(0.15) { 2 } else { 1 } {
                self.deep[level] += 1;
                self.deep(level + 1, rng, out);
            }
        }
        out.end_list();
    }

    fn node(&mut self, level: usize, rng: &mut Rng, out: &mut Json) {
        out.begin_object();
        out.key("weight");
        out.float(rng.unit());
        if level < NODE_LEVELS {
            out.key("values");
            out.begin_list();
            for _ in 0..rng.below(4) {
                self.values[level] += 1;
                out.fixed(rng.range(0, 99_999_999), 3);
            }
            out.end_list();
            out.key("kids");
            out.begin_list();
            for _ in 0..rng.below(3) {
                self.kids[level + 1] += 1;
                self.node(level + 1, rng, out);
            }
            out.end_list();
        }
        out.end_object();
    }
}

impl Records for Tree {
    fn write(&mut self, i: u64, rng: &mut Rng, out: &mut Json) {
        out.begin_record();
        out.key("id");
        out.int(i as i64);
        out.key("label");
        out.string(&[rng.pick(&["oak", "Ahorn", "桜", "świerk", "kauri"])]);
        out.key("matrix");
        self.matrix(rng, out);
        out.key("deep");
        self.deep(0, rng, out);
        out.key("root");
        self.node(0, rng, out);
        out.end_object();
    }

    fn child_rows(&self) -> RowCounts {
        let mut rows = RowCounts::new();
        rows.insert("tree__matrix".to_owned(), self.matrix_rows);
        rows.insert("tree__matrix__list".to_owned(), self.matrix_values);
        for (level, count) in self.deep.into_iter().enumerate() {
            rows.insert(format!("tree__deep{}", "__list".repeat(level)), count);
        }
        for level in 0..=NODE_LEVELS {
            let node = format!("tree__root{}", "__kids".repeat(level));
            rows.insert(format!("{node}__values"), self.values[level]);
            if level > 0 {
                rows.insert(node, self.kids[level]);
            }
        }
        rows
    }
}
