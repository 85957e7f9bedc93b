//! Shop orders: about 940 bytes each, objects and lists of objects in lists, six tables.

use crate::clock::{self, START};
use crate::json::Json;
use crate::rng::Rng;
use crate::{Records, RowCounts};

const FIRST_NAMES: [&str; 8] = ["Ada", "Grace", "Linus", "José", "Zoë", "李", "Olu", "Maja"];
const CITIES: [&str; 6] = ["Berlin", "São Paulo", "東京", "Lagos", "Kraków", "Austin"];
const TAGS: [&str; 6] = ["new", "vip", "gift", "late", "refund", "b2b"];
const NOTE: &str = "leave at door, ring twice — thank you! ";

/// Every so many records one has a discount, a key that the others lack.
pub(crate) const DISCOUNT_EVERY: u64 = 11;
/// Every so many records the total is a text, not a number.
pub(crate) const TEXT_TOTAL_EVERY: u64 = 501;

pub(crate) struct Orders {
    n: u64,
    channels: u64,
    line_items: u64,
    tax_lines: u64,
    tags: u64,
    events: u64,
}

impl Orders {
    pub(crate) fn new(n: u64) -> Orders {
        Orders { n, channels: 0, line_items: 0, tax_lines: 0, tags: 0, events: 0 }
    }

    fn customer(&mut self, rng: &mut Rng, out: &mut Json) {
        out.key("customer");
        out.begin_object();
        out.key("id");
        out.int(rng.range(1, (self.n / 4 + 2) as i64));
        out.key("firstName");
        out.string(&[rng.pick(&FIRST_NAMES)]);
        out.key("email");
        out.numbered("user", 1 + rng.below(self.n), 1, "@example.com");
        out.key("address");
        out.begin_object();
        out.key("city");
        out.string(&[rng.pick(&CITIES)]);
        out.key("zip");
        out.numbered("", rng.below(100_000), 5, "");
        out.key("geo");
        out.begin_object();
        out.key("lat");
        out.fixed(rng.range(-90_000_000, 90_000_000), 6);
        out.key("lng");
        out.fixed(rng.range(-180_000_000, 180_000_000), 6);
        out.end_object();
        out.end_object();
        out.key("marketing");
        out.begin_object();
        out.key("optIn");
        out.bool(rng.chance(0.5));
        out.key("channels");
        out.begin_list();
        let count = rng.below(4) as usize;
        for channel in rng.sample(["email", "sms", "push"], count) {
            out.string(&[channel]);
            self.channels += 1;
        }
        out.end_list();
        out.end_object();
        out.end_object();
    }

    fn line_item(&mut self, rng: &mut Rng, out: &mut Json) {
        self.line_items += 1;
        out.begin_object();
        out.key("sku");
        out.numbered("SKU-", 1 + rng.below(9999), 4, "");
        out.key("qty");
        out.int(rng.range(1, 9));
        out.key("price");
        out.fixed(rng.range(50, 90_000), 2);
        out.key("taxLines");
        out.begin_list();
        for _ in 0..rng.below(3) {
            self.tax_lines += 1;
            out.begin_object();
            out.key("title");
            out.string(&["VAT"]);
            out.key("rate");
            out.fixed(rng.pick(&[7, 19, 20]), 2);
            out.key("amount");
            out.fixed(rng.range(0, 9000), 2);
            out.end_object();
        }
        out.end_list();
        out.key("attributes");
        out.begin_object();
        out.key("color");
        match rng.pick(&[Some("red"), Some("blue"), None]) {
            Some(color) => out.string(&[color]),
            None => out.null(),
        }
        out.key("size");
        out.string(&[rng.pick(&["S", "M", "L"])]);
        out.end_object();
        out.end_object();
    }

    fn events(&mut self, created: u64, micros: u64, rng: &mut Rng, out: &mut Json) {
        out.key("events");
        out.begin_list();
        for k in 0..rng.below(4) {
            self.events += 1;
            out.begin_object();
            out.key("at");
            out.string_with(|out| clock::write(out, created + k * 13 * 60, micros, 6, "+00:00"));
            out.key("kind");
            out.string(&[rng.pick(&["paid", "packed", "shipped"])]);
            out.key("by");
            out.string(&[rng.pick(&["sys", "ops"])]);
            out.end_object();
        }
        out.end_list();
    }
}

impl Records for Orders {
    fn write(&mut self, i: u64, rng: &mut Rng, out: &mut Json) {
        let (created, micros) = (START + i * 7, rng.below(1_000_000));
        out.begin_record();
        out.key("id");
        out.int(10_000_000 + i as i64);
        out.key("number");
        out.numbered("SO-", i, 9, "");
        out.key("createdAt");
        out.string_with(|out| clock::write(out, created, micros, 6, "Z"));
        out.key("currency");
        out.string(&[rng.pick(&["EUR", "USD", "BRL"])]);
        out.key("total");
        let total = rng.range(100, 500_000);
        if i.is_multiple_of(TEXT_TOTAL_EVERY) {
            out.string(&["n/a"]);
        } else {
            out.fixed(total, 2);
        }
        out.key("test");
        out.bool(rng.chance(0.02));
        out.key("note");
        if rng.chance(0.7) {
            out.null();
        } else {
            out.string(&[NOTE; 3][..rng.range(1, 3) as usize]);
        }
        self.customer(rng, out);
        out.key("lineItems");
        out.begin_list();
        for _ in 0..rng.range(1, 5) {
            self.line_item(rng, out);
        }
        out.end_list();
        out.key("tags");
        out.begin_list();
        let count = rng.below(4) as usize;
        for tag in rng.sample(TAGS, count) {
            self.tags += 1;
            out.string(&[tag]);
        }
        out.end_list();
        self.events(created, micros, rng, out);
        if i.is_multiple_of(DISCOUNT_EVERY) {
            out.key("discount");
            out.begin_object();
            out.key("code");
            out.numbered("D", i % 97, 1, "");
            out.key("percent");
            match rng.below(3) {
                0 => out.int(5),
                1 => out.int(10),
                _ => out.fixed(125, 1),
            }
            out.end_object();
        }
        out.end_object();
    }

    fn child_rows(&self) -> RowCounts {
        [
            ("orders__customer__marketing__channels", self.channels),
            ("orders__line_items", self.line_items),
            ("orders__line_items__tax_lines", self.tax_lines),
            ("orders__tags", self.tags),
            ("orders__events", self.events),
        ]
        .map(|(table, rows)| (table.to_owned(), rows))
        .into()
    }
}
