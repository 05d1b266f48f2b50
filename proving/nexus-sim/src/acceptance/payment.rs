//! What the roadmap asks of payment (its 1.4): two whole nodes relay, and one is paid by the other. A third is whom packets are for.

use nexus_crypto::{NodePublic, VerifyingKey};
use nexus_machine::Duration;
use nexus_node::economy::Amount;
use nexus_node::economy::channels::LOG;
use nexus_node::economy::channels::keys::{Both, PublicKeys, Side, Signed};
use nexus_node::economy::channels::store::{Kept, Stage};
use nexus_node::economy::layer::{Command as ChannelCommand, Event, Policy, Record};
use nexus_node::economy::lottery::WindowKind;
use nexus_node::{Command, Input};
use nexus_wire::nexus::Layout as _;
use nexus_wire::nexus::channel::{ChannelState, SettlementRecord};

use super::{CriterionVerdict, Measurement};
use crate::tolls::Tolls;

/// What the relay asks, in µNXS for 1,024 bytes.
const PRICE: u64 = 20;
/// What each lends the other, in µNXS.
const LINE: u64 = 1_000_000_000;
const PAYER: usize = 0;
const RELAY: usize = 1;
const RECIPIENT: usize = 2;

/// What a run shows.
struct Run {
    tolls: Tolls,
    /// Packets that were counted at a price.
    drawn: u64,
    won: u64,
    /// What was to be expected of the draws, and its variance.
    expected: f64,
    variance: f64,
}

/// The line of three, cut into windows so.
fn line(windows: WindowKind) -> Tolls {
    let policy = Policy { windows, line: Some(Amount::from_micros(LINE)), ..Policy::default() };
    let mut tolls = Tolls::line(&[policy, Policy { price: PRICE, ..policy }, policy]);
    tolls.command(
        RELAY,
        PAYER,
        ChannelCommand::Open { line: Amount::from_micros(LINE), deposit: Amount::ZERO },
    );
    tolls.run(Duration::from_secs(1));
    tolls
}

/// Relays packets, one each `every`, until so many windows were drawn; the odds are those of the terms in force at each draw.
fn relay(windows: WindowKind, draws: u64, every: Duration) -> Run {
    let mut run = Run { tolls: line(windows), drawn: 0, won: 0, expected: 0.0, variance: 0.0 };
    // Most packets of a window are not drawn; nothing is drawn before there are terms.
    for _ in 0..200 * draws {
        if run.drawn >= draws {
            break;
        }
        run.tolls.packet(PAYER, RECIPIENT);
        run.tolls.run(every);
        let (income, payer) = (run.tolls.income(RELAY, PAYER), run.tolls.id(PAYER));
        if let Some(terms) = run.tolls.node(RELAY).economy().lottery().relaying_terms(&payer) {
            let fresh = as_f64(income.drawn - run.drawn);
            let odds = as_f64(terms.window().get()) / (as_f64(terms.reward().micros()) * 1_024.0);
            run.expected += fresh * odds;
            run.variance += fresh * odds * (1.0 - odds);
        }
        (run.drawn, run.won) = (income.drawn, income.won);
    }
    run.tolls.run(Duration::from_secs(30));
    run
}

#[allow(clippy::cast_precision_loss, reason = "sums of a short run, far below 2⁵³")]
const fn as_f64(number: u64) -> f64 {
    number as f64
}

/// Wins per packet and per window of value.
pub(super) fn wins() -> Measurement {
    // A packet each fifteen seconds wins once in forty.
    let packets = relay(WindowKind::PerPacket, 1_000, Duration::from_secs(15));
    let windows = relay(WindowKind::ByValue, 150, Duration::from_millis(20));
    let told = |run: &Run, of: &str| {
        let sigma = run.variance.sqrt();
        let off = (as_f64(run.won) - run.expected).abs() / sigma;
        let text = format!(
            "{} of {} {of} won, {:.1} to be expected, {off:.2} σ off",
            run.won, run.drawn, run.expected
        );
        (text, off <= 2.0 && run.won > 0)
    };
    let ((first, one), (second, other)) = (told(&packets, "packets"), told(&windows, "windows"));
    verdict(format!("{first}; {second}"), one && other && packets.drawn >= 1_000)
}

/// States of the channel against wins.
pub(super) fn updates() -> Measurement {
    let run = relay(WindowKind::ByValue, 150, Duration::from_millis(20));
    let received = count(&run.tolls, RELAY, |event| matches!(event, Event::Received { .. }));
    let paid = count(&run.tolls, PAYER, |event| matches!(event, Event::Paid { .. }));
    // The first state, with number 0, is how the channel was opened.
    let disk = run.tolls.disk(PAYER);
    let states = disk.scan(LOG).filter(|(key, _)| !key.ends_with(&[0; 8])).count();
    let measured = format!("{} wins, {received} times paid, {states} states after the first", run.won);
    let met = run.won > 0 && [received, paid, states].into_iter().all(|count| count as u64 == run.won);
    verdict(measured, met)
}

/// A settlement between two of which the payer has a certified deposit.
pub(super) fn settlement() -> Measurement {
    let policy = Policy { line: Some(Amount::from_micros(LINE)), ..Policy::default() };
    let mut tolls = Tolls::line(&[policy, Policy { price: PRICE, ..policy }, policy]);
    let (line, deposit) = (Amount::from_micros(LINE), Amount::from_micros(LINE));
    tolls.command(PAYER, RELAY, ChannelCommand::Open { line, deposit });
    tolls.run(Duration::from_secs(1));
    let Some((channel, side)) = channel_of(&tolls, PAYER) else {
        return verdict("no channel stands".to_owned(), false);
    };
    for n in [PAYER, RELAY] {
        tolls.tell(n, Input::Command(Command::Certified { channel, side, deposit }));
    }
    for _ in 0..4_000 {
        tolls.packet(PAYER, RECIPIENT);
        tolls.run(Duration::from_millis(10));
    }
    tolls.run(Duration::from_secs(5));
    tolls.command(RELAY, PAYER, ChannelCommand::Settle);
    tolls.run(Duration::from_secs(5));
    let records: Vec<_> = [PAYER, RELAY].into_iter().map(|n| settlement_of(&tolls, n)).collect();
    let [Some(one), Some(other)] = records[..] else {
        return verdict("no settlement was handed to the ledger".to_owned(), false);
    };
    let paid = tolls.income(RELAY, PAYER).received.micros();
    let keys = keys(&tolls);
    let signed = Signed::Settlement(one.body);
    let valid = keys.verify(Side::A, &signed, &one.sig_a) && keys.verify(Side::B, &signed, &one.sig_b);
    let settled = one.body.paid_a.max(one.body.paid_b);
    let mut bytes = [0; SettlementRecord::LEN];
    let whole = one.encode(&mut bytes).is_ok();
    let measured = format!(
        "{settled} of {paid} µNXS settled, in {} bytes, both signatures {}, both nodes hold the same record: {}",
        bytes.len(),
        if valid { "verify" } else { "do not verify" },
        one == other
    );
    verdict(measured, valid && whole && one == other && settled == paid && paid > 0)
}

/// Older states, shown to both while one of them closes alone.
pub(super) fn dispute() -> Measurement {
    let mut tolls = relay(WindowKind::ByValue, 100, Duration::from_millis(20)).tolls;
    let states: Vec<ChannelState> =
        tolls.disk(PAYER).scan(LOG).filter_map(|(_, value)| ChannelState::decode(value).ok()).collect();
    let Some((latest, older)) = states.split_last() else {
        return verdict("there are no states".to_owned(), false);
    };
    tolls.command(RELAY, PAYER, ChannelCommand::CloseAlone);
    tolls.run(Duration::from_secs(2));
    let mut refused = 0;
    for state in older {
        for n in [PAYER, RELAY] {
            tolls.tell(n, Input::Command(Command::Shown(Box::new(*state))));
            tolls.run(Duration::from_millis(100));
            let answer = tolls.events(n).iter().rev().find_map(|event| match event {
                Event::ForLedger(Record::State(state)) => Some(*state),
                _ => None,
            });
            refused += usize::from(answer == Some(*latest));
        }
    }
    // The window is 2,880 rounds of a minute.
    tolls.run(Duration::from_secs(60 * 2_900));
    let closed = [PAYER, RELAY].into_iter().filter_map(|n| {
        tolls.events(n).iter().find_map(|event| match event {
            Event::ForLedger(Record::Closed { body, .. }) => Some(body.final_sequence),
            _ => None,
        })
    });
    let on_latest = closed.filter(|sequence| *sequence == latest.body.sequence).count();
    let shown = 2 * older.len();
    let measured = format!(
        "{refused} of {shown} shown were answered with the latest, and {on_latest} of 2 closed on it"
    );
    verdict(measured, shown > 0 && refused == shown && on_latest == 2)
}

fn count(tolls: &Tolls, n: usize, is_one: impl Fn(&Event) -> bool) -> usize {
    tolls.events(n).iter().filter(|event| is_one(event)).count()
}

fn settlement_of(tolls: &Tolls, n: usize) -> Option<SettlementRecord> {
    tolls.events(n).iter().find_map(|event| match event {
        Event::ForLedger(Record::Settlement(record)) => Some(*record),
        _ => None,
    })
}

/// The channel of a node, and which side of it this is.
fn channel_of(tolls: &Tolls, n: usize) -> Option<(nexus_wire::nexus::channel::ChannelId, Side)> {
    let (_, account) = tolls.node(n).economy().accounts().next()?;
    Some((account.terms.channel, account.terms.side))
}

/// The keys of payer and relay, by side.
fn keys(tolls: &Tolls) -> PublicKeys {
    let key_of = |n: usize| -> Option<VerifyingKey> {
        let kept = tolls.disk(1 - n);
        let (_, value) = kept.scan(nexus_node::economy::channels::CHANNELS).next()?;
        let Kept { key, stage: Stage::Standing(_), .. } = Kept::from_bytes(value).ok()? else { return None };
        let of_node = NodePublic::of_verifying(key).ok()?.node_id() == tolls.id(n);
        of_node.then_some(key)
    };
    let [payer, relay] = [PAYER, RELAY].map(|n| key_of(n).unwrap_or(VerifyingKey([0; 32])));
    let payer_is_a = tolls.id(PAYER) < tolls.id(RELAY);
    PublicKeys(if payer_is_a { Both { a: payer, b: relay } } else { Both { a: relay, b: payer } })
}

fn verdict(measured: String, met: bool) -> Measurement {
    let verdict = if met { CriterionVerdict::Met } else { CriterionVerdict::Missed };
    Measurement { measured, verdict }
}
