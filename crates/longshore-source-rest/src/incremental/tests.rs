use super::*;
use serde_json::json;

fn plan(config: serde_json::Value) -> IncrementalPlan {
    IncrementalPlan::new(&serde_json::from_value(config).unwrap(), None).unwrap()
}

/// Runs loads one after the other; each returns which ids it kept.
fn load(plan: &IncrementalPlan, memory: &mut Memory, records: &str) -> Vec<u64> {
    let doc = Doc::parse(records.into()).unwrap();
    let (range, mut seen) = (plan.range(&memory.of(None), 0).unwrap(), Observed::default());
    let kept = doc.root().elements().filter(|r| plan.judge(&range, &mut seen, &doc, *r).unwrap() == Verdict::Keep);
    let ids = kept.map(|r| r.get("id").unwrap().whole().unwrap()).collect();
    memory.take(plan, None, &seen).unwrap();
    let mut state = json!({});
    memory.write(&mut state, "s", "r", plan);
    *memory = Memory::read(Some(&state), "s", "r", plan);
    ids
}

#[test]
fn records_at_the_boundary_come_once_however_their_time_is_spelled() {
    let plan = plan(json!({"cursor_path": "at", "initial_value": "2024-01-01T00:00:00Z"}));
    let mut memory = Memory::default();
    let first = r#"[{"id":1,"at":"2024-01-01T00:00:00Z"},{"id":2,"at":"2024-01-02T00:00:00+00:00"},{"id":0,"at":"2023-12-31T23:59:59Z"}]"#;
    assert_eq!(load(&plan, &mut memory, first), [1, 2]);
    let second = r#"[{"id":2,"at":"2024-01-02T00:00:00+00:00"},{"id":3,"at":"2024-01-02T02:00:00+02:00"},{"id":4,"at":"2024-01-02T00:00:01Z"}]"#;
    assert_eq!(load(&plan, &mut memory, second), [3, 4]);
    assert_eq!(load(&plan, &mut memory, second), [] as [u64; 0]);
}

#[test]
fn bounds_order_lag_and_minimum() {
    let records = r#"[{"id":1},{"id":2},{"id":3},{"id":4}]"#;
    let doc = Doc::parse(records.into()).unwrap();
    let verdicts = |config| {
        let plan = plan(config);
        let range = plan.range(&Observed::default(), 0).unwrap();
        let mut seen = Observed::default();
        doc.root().elements().map(|r| plan.judge(&range, &mut seen, &doc, r).unwrap()).collect::<Vec<_>>()
    };
    use Verdict::{Drop, Keep, Stop};
    assert_eq!(verdicts(json!({"cursor_path": "id", "initial_value": 2, "end_value": 4})), [Drop, Keep, Keep, Drop]);
    assert_eq!(
        verdicts(
            json!({"cursor_path": "id", "initial_value": 2, "end_value": 3, "range_start": "open", "range_end": "closed", "row_order": "asc"})
        ),
        [Drop, Drop, Keep, Stop]
    );
    assert_eq!(
        verdicts(json!({"cursor_path": "id", "initial_value": 3, "row_order": "desc"})),
        [Stop, Stop, Keep, Keep]
    );
    assert_eq!(
        verdicts(json!({"cursor_path": "id", "initial_value": 2, "last_value_func": "min"})),
        [Keep, Keep, Drop, Drop]
    );

    let plan = plan(json!({"cursor_path": "id", "initial_value": 3, "lag": 2}));
    let mut memory = Memory::default();
    assert_eq!(load(&plan, &mut memory, records), [3, 4]);
    assert_eq!(load(&plan, &mut memory, records), [3, 4], "the lag reads again, but nothing before the initial value");
}

#[test]
fn a_record_without_cursor_is_an_error_unless_said_otherwise() {
    let doc = Doc::parse(r#"{"id":1,"at":null}"#.into()).unwrap();
    let judge = |policy: &str| {
        let plan = plan(json!({"cursor_path": "at", "on_cursor_value_missing": policy}));
        plan.judge(&Range::default(), &mut Observed::default(), &doc, doc.root())
    };
    assert!(judge("raise").is_err());
    assert_eq!(judge("include").unwrap(), Verdict::Keep);
    assert_eq!(judge("exclude").unwrap(), Verdict::Drop);
}

#[test]
fn what_is_sent_can_be_converted() {
    let sent = |convert| {
        let plan = plan(json!({"cursor_path": "at", "initial_value": "2024-01-01T00:00:00Z", "convert": convert}));
        plan.range(&Observed::default(), 0).unwrap().word(Word::Start).unwrap().to_owned()
    };
    assert_eq!(sent("epoch_seconds"), "1704067200");
    assert_eq!(sent("epoch_millis"), "1704067200000");
    assert_eq!(sent("date"), "\"2024-01-01\"");
}

#[test]
fn a_safety_margin_leaves_the_newest_to_the_next_load() {
    let plan = plan(json!({"cursor_path": "at", "safety": "5m"}));
    let now = Cursor::parse("\"2024-01-01T00:10:00Z\"").unwrap().micros().unwrap();
    let range = plan.range(&Observed::default(), now).unwrap();
    assert_eq!(range.word(Word::End), Some("\"2024-01-01T00:05:00Z\""));
    let doc = Doc::parse(r#"[{"at":"2024-01-01T00:04:59Z"},{"at":"2024-01-01T00:06:00Z"}]"#.into()).unwrap();
    let mut seen = Observed::default();
    let verdicts: Vec<_> = doc.root().elements().map(|r| plan.judge(&range, &mut seen, &doc, r).unwrap()).collect();
    assert_eq!(verdicts, [Verdict::Keep, Verdict::Drop]);
}
