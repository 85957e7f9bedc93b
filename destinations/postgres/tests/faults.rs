//! A hundred faults of the network between us and the server: each load is repeated as the pipeline does, and then every
//! row is there once.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

use longshore_core::connect::Connection;
use longshore_core::destination::{CommitOutcome, Destination};
use longshore_core::error::Result;
use longshore_testkit::fixture::{self, Package, PackageBuilder};
use longshore_testkit::proxy::{Direction, FaultProxy, NetFault};
use longshore_testkit::servers::postgres::PostgresServer;
use std::sync::Arc;
use std::time::Duration;

const FAULTS: u64 = 100;
/// The pipeline tries a load four times.
const TRIES: u32 = 4;

/// A small generator of numbers that are the same every time (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// A fault for one of the load's first connections, somewhere in what it carries.
    fn fault(&mut self) -> (u64, NetFault) {
        let direction = if self.below(2) == 0 { Direction::ToServer } else { Direction::ToClient };
        let bytes = match direction {
            Direction::ToServer => [3_000, 12_000, 60_000][self.below(3) as usize],
            Direction::ToClient => [1_000, 3_000, 6_000][self.below(3) as usize],
        };
        let at = self.below(bytes);
        let fault = match self.below(20) {
            0..=8 => NetFault::Cut(direction, at),
            9..=12 => NetFault::Delay(direction, at, Duration::from_millis(self.below(400))),
            13..=16 => NetFault::HalfClose(direction, at),
            17 => NetFault::Swallow(direction, at),
            _ => NetFault::Refuse,
        };
        (self.below(4), fault)
    }
}

fn package(number: u64, earlier: Option<&Package>) -> Package {
    let records: String = (0..200)
        .map(|i| {
            format!(
                "{{\"id\":{},\"text\":\"{}\",\"lines\":[{{\"sku\":{i}}},{{\"sku\":{i}}}]}}\n",
                number * 1000 + i,
                "x".repeat(100)
            )
        })
        .collect();
    let builder = PackageBuilder::new("faults", "data", number);
    let builder = earlier.map_or(builder, |e| PackageBuilder::new("faults", "data", number).after(e));
    builder.json("orders", &records).state(serde_json::json!({"number": number})).build()
}

/// What the pipeline does: asks whether the load is committed, loads, and tries again while that may help.
async fn load_as_the_pipeline_does(destination: &dyn Destination, package: &Package) -> Result<CommitOutcome> {
    let once = async || {
        if destination.is_committed(&package.manifest.target, &package.manifest.load_id).await? {
            return Ok(CommitOutcome::AlreadyCommitted);
        }
        fixture::load(destination, package).await
    };
    for _ in 1..TRIES {
        match once().await {
            Err(e) if e.is_retryable() => tokio::time::sleep(Duration::from_millis(100)).await,
            outcome => return outcome,
        }
    }
    once().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_faults_neither_lose_nor_double_a_row() {
    let server = PostgresServer::start(&[]);
    let database = server.new_database();
    let address = ([127, 0, 0, 1], server.port()).into();
    let proxy = Arc::new(FaultProxy::start(address, |_| None));
    let url = server.url(&database).replace(&format!(":{}", server.port()), &format!(":{}", proxy.address().port()));
    let mut dice = Dice(20_261_122);
    let mut earlier: Option<Package> = None;
    for number in 1..=FAULTS {
        let destination = longshore_destination_postgres::open(&Connection::new(url.as_str())).unwrap();
        let package = package(number, earlier.as_ref());
        let (connection, fault) = dice.fault();
        proxy.set_plan(move |n| (n == connection).then_some(fault));
        if let Err(e) = load_as_the_pipeline_does(&*destination, &package).await {
            panic!("load {number} with {fault:?} at connection {connection}: {e} {:?}", std::error::Error::source(&e));
        }
        earlier = Some(package);
    }
    assert!(proxy.happened() > FAULTS / 2, "only {} faults happened", proxy.happened());
    let counted = |sql: &str| server.psql(&database, sql);
    assert_eq!(counted("SELECT count(*), count(DISTINCT id), sum(id) FROM data.orders"), {
        let ids: u64 = (1..=FAULTS).map(|n| (0..200).map(|i| n * 1000 + i).sum::<u64>()).sum();
        format!("{0}|{0}|{ids}", FAULTS * 200)
    });
    assert_eq!(
        counted(
            "SELECT count(*), count(DISTINCT (_parent_id, _list_idx)) FROM data.orders__lines l JOIN data.orders o ON o._row_id = l._parent_id"
        ),
        format!("{0}|{0}", FAULTS * 400)
    );
    assert_eq!(
        counted("SELECT count(*), count(DISTINCT load_id), sum(rows) FROM data._loads"),
        format!("{FAULTS}|{FAULTS}|{}", FAULTS * 600)
    );
    // Nothing is left of loads that broke off, once another has begun and their sessions are gone.
    proxy.heal();
    proxy.cut_all();
    let destination = longshore_destination_postgres::open(&Connection::new(server.url(&database))).unwrap();
    for _ in 0..50 {
        fixture::load(&*destination, &package(FAULTS, None)).await.unwrap();
        if counted("SELECT count(*) FROM pg_tables WHERE schemaname = 'data_staging'") == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("left: {}", counted("SELECT tablename FROM pg_tables WHERE schemaname = 'data_staging'"));
}
