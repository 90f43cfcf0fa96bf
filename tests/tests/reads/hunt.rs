//! Asks a classifier what requests mean, sends those that it takes for reads, and looks whether anything
//! changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use serde_json::{Value, json};
use standin_railway::{Config, Kind, Running, Standin, State};
use tagout_core::operation::{Attempt, Operation};
use tagout_http::understand::{Packs, Understanding};

use super::carrier::carry;
use super::damage::damage;
use super::dice::Dice;
use super::document::request;
use super::schema::{INTROSPECTION, Schema};
use super::wire::Wire;

/// Reads that are sent between two looks at the state.
const BATCH: usize = 64;

/// Of what is no read, one in so many is sent, to see that the generator makes requests that change things.
const SENT_EFFECTS: usize = 8;

/// Root fields after which a stand-in begins anew, before little is left in it that could be changed.
const LONG_LOG: usize = 500;

/// More failures than these say nothing new.
const ENOUGH: usize = 3;

/// Whether a classifier takes a request for a read, from its bytes and from what Tagout says of it.
pub(crate) type Belief = fn(&Bytes, &Operation) -> bool;

/// What came of a hunt.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: usize,
    /// Requests that two parsers could read differently.
    pub(crate) refused: usize,
    /// Requests that were taken for reads; each was sent in two forms.
    pub(crate) reads: usize,
    /// Those of them that were damaged after they had been written.
    pub(crate) damaged_reads: usize,
    /// Requests that were taken for more than reads and sent nevertheless.
    pub(crate) effects_sent: usize,
    /// Those of them that changed the state.
    pub(crate) effects_changed: usize,
    /// Root fields of reads that the stand-in answered without an error.
    pub(crate) fields_read: BTreeSet<String>,
    /// Root fields that changed the state.
    pub(crate) fields_changed: BTreeSet<String>,
    /// Reads that changed something.
    pub(crate) caught: Vec<String>,
}

impl Tally {
    fn plus(mut self, other: Self) -> Self {
        self.requests += other.requests;
        self.refused += other.refused;
        self.reads += other.reads;
        self.damaged_reads += other.damaged_reads;
        self.effects_sent += other.effects_sent;
        self.effects_changed += other.effects_changed;
        self.fields_read.extend(other.fields_read);
        self.fields_changed.extend(other.fields_changed);
        self.caught.extend(other.caught);
        self
    }
}

/// The request of this seed, and whether it was damaged.
fn generated(schema: &Schema, seed: u64) -> (Bytes, bool) {
    let mut dice = Dice::new(seed);
    let count = if dice.percent(8) { 1 + dice.roll(3) } else { 1 };
    let requests: Vec<_> = (0..count).map(|_| request(schema, &mut dice)).collect();
    let mut message = carry(&requests, &mut dice);
    let is_damaged = dice.percent(30);
    if is_damaged {
        damage(&mut message, &mut dice);
    }
    (message.written(), is_damaged)
}

/// Hunts over these seeds, on as many threads as there are stand-ins.
pub(crate) fn hunt(seeds: Range<u64>, threads: u64, believes: Belief) -> Tally {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let hunters: Vec<_> = (0..threads)
        .map(|first| {
            let standin = runtime.block_on(Standin::spawn(Config::default())).unwrap();
            let seeds = seeds.clone().skip(usize::try_from(first).unwrap());
            let seeds = seeds.step_by(usize::try_from(threads).unwrap());
            std::thread::spawn(move || Hunter::new(standin, believes).over(seeds))
        })
        .collect();
    let tallies = hunters.into_iter().map(|hunter| hunter.join().unwrap());
    tallies.fold(Tally::default(), Tally::plus)
}

/// A request that was taken for a read.
struct Read {
    seed: u64,
    /// The message that came, and the one that Tagout would send.
    forms: [Bytes; 2],
    effects: String,
}

struct Hunter {
    standin: Running,
    wire: Wire,
    schema: Schema,
    understanding: Understanding,
    believes: Belief,
    reads: Vec<Read>,
    effects: Vec<Bytes>,
    tally: Tally,
}

impl Hunter {
    fn new(standin: Running, believes: Belief) -> Self {
        let mut wire = Wire::new(standin.graphql_addr);
        let body = json!({"query": INTROSPECTION}).to_string();
        let message = format!(
            "POST /graphql/v2 HTTP/1.1\r\nhost: backboard.railway.com\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer: Value = serde_json::from_slice(&wire.send(message.as_bytes())).unwrap();
        let upstreams = BTreeMap::from([("railway".parse().unwrap(), vec!["railway".to_owned()])]);
        Self {
            standin,
            wire,
            schema: Schema::read(&answer),
            understanding: Understanding::new(&Packs::built_in().unwrap(), &upstreams).unwrap(),
            believes,
            reads: Vec::new(),
            effects: Vec::new(),
            tally: Tally::default(),
        }
    }

    fn over(mut self, seeds: impl Iterator<Item = u64>) -> Tally {
        for seed in seeds {
            self.one(seed);
            if self.reads.len() >= BATCH {
                self.send();
            }
            if self.tally.caught.len() >= ENOUGH {
                break;
            }
        }
        self.send();
        self.tally
    }

    fn one(&mut self, seed: u64) {
        let (bytes, is_damaged) = generated(&self.schema, seed);
        self.tally.requests += 1;
        let attempt = Attempt {
            upstream: "railway".parse().unwrap(),
            bytes: bytes.clone(),
        };
        match self.understanding.classify(&attempt) {
            Err(_) => self.tally.refused += 1,
            Ok(operation) if (self.believes)(&bytes, &operation) => {
                self.tally.reads += 1;
                self.tally.damaged_reads += usize::from(is_damaged);
                self.reads.push(Read {
                    seed,
                    forms: [bytes, operation.exact.bytes().clone()],
                    effects: format!("{:?}", operation.effects),
                });
            }
            Ok(_) if seed.is_multiple_of(SENT_EFFECTS as u64) => self.effects.push(bytes),
            Ok(_) => {}
        }
    }

    /// Sends the reads that were put by, then the rest. What that changes stays for a while, so that reads
    /// also meet other states than the first.
    fn send(&mut self) {
        self.send_reads();
        for bytes in std::mem::take(&mut self.effects) {
            self.send_effect(&bytes);
        }
        if self.standin.state.requests().len() > LONG_LOG {
            self.standin.state.reset();
        }
    }

    fn send_effect(&mut self, bytes: &Bytes) {
        let before = self.standin.state.requests().len();
        self.wire.send(bytes);
        let records = self.standin.state.requests();
        let changed = records[before..].iter().filter(|record| record.changed);
        let changed: Vec<_> = changed.map(|record| record.field.clone()).collect();
        self.tally.effects_sent += 1;
        self.tally.effects_changed += usize::from(!changed.is_empty());
        self.tally.fields_changed.extend(changed);
    }

    /// Sends each read in both forms, and looks whether anything changed.
    fn send_reads(&mut self) {
        let reads = std::mem::take(&mut self.reads);
        if reads.is_empty() {
            return;
        }
        let before = Seen::now(&self.standin.state);
        for form in reads.iter().flat_map(|read| &read.forms) {
            self.wire.send(form);
        }
        let records = self.standin.state.requests();
        for record in &records[before.records..] {
            if record.kind == Kind::Query && record.error.is_none() {
                self.tally.fields_read.insert(record.field.clone());
            }
        }
        if before.changed(&self.standin.state) {
            self.single_out(&reads);
        }
    }

    /// Sends the reads again one by one, each to the state at the beginning.
    fn single_out(&mut self, reads: &[Read]) {
        let mut caught = Vec::new();
        for read in reads {
            for (name, form) in ["as it came", "as it would be sent"]
                .iter()
                .zip(&read.forms)
            {
                self.standin.state.reset();
                let before = Seen::now(&self.standin.state);
                self.wire.send(form);
                if before.changed(&self.standin.state) {
                    let text = String::from_utf8_lossy(form);
                    let Read { seed, effects, .. } = read;
                    caught.push(format!("seed {seed}, {name}, {effects}:\n{text}\n"));
                }
            }
        }
        if caught.is_empty() {
            let seeds: Vec<_> = reads.iter().map(|read| read.seed).collect();
            caught.push(format!("one of {seeds:?}, not from the first state"));
        }
        self.standin.state.reset();
        self.tally.caught.extend(caught);
    }
}

/// The state at one moment.
struct Seen {
    digest: String,
    records: usize,
}

impl Seen {
    fn now(state: &State) -> Self {
        Self {
            digest: state.digest(),
            records: state.requests().len(),
        }
    }

    fn changed(&self, state: &State) -> bool {
        state.digest() != self.digest
            || state
                .requests()
                .iter()
                .skip(self.records)
                .any(|record| record.changed)
    }
}
