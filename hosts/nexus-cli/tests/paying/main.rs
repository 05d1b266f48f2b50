//! Real daemons in a line: strangers carry each other's packets because it pays, and a friend rides for nothing.
#![allow(clippy::unwrap_used, reason = "what helpers of a test cannot do fails the test")]
#![allow(clippy::cast_precision_loss, reason = "deviations are estimates")]

mod books;
mod capture;
mod line;
mod restored;

use std::process::Output;

use line::{Line, said};
use nexus_daemon::api::{Channel, Earned};

/// What the two in the middle ask for themselves, in µNXS for 1,024 bytes.
const ASKED: [u64; 4] = [0, 20, 30, 0];
/// Packets, and what each has in bytes.
const PACKETS: u64 = 12_000;
const LENGTH: u64 = 400;
const GRAINS: i128 = 1_024;

#[test]
fn of_four_strangers_in_a_line_each_relay_keeps_its_own_margin() {
    let line = Line::of(&ASKED, &[]);
    line.send(0, 3, PACKETS, LENGTH);
    let (second, third) = (line.earned(1, 0), line.earned(2, 1));
    let outlay = line.earned(1, 2);
    // What is due is exact: the price of what was carried, but for what rode by courtesy.
    let carried = third.due_grains / ASKED[2];
    let margin = second.due_grains - outlay.owed_grains;
    assert!(carried >= (PACKETS - 400) * LENGTH, "{third:?}");
    let rounding = second.due_grains / 20;
    assert!(margin.abs_diff(carried * ASKED[1]) <= rounding + 400 * LENGTH * 50, "{second:?} {outlay:?}");
    for (n, earned) in [(1, &second), (2, &third)] {
        assert!(earned.wins > 0 && earned.windows > earned.wins, "node {n}: {earned:?}");
        assert!(deviation(earned) <= 5.0, "node {n}: {earned:?}");
        // What is not drawn yet is what the relay goes ahead.
        let undrawn = earned.due_grains - earned.expected_grains;
        let window = earned.expected_grains / earned.windows;
        assert!(undrawn <= 5 * window, "node {n}: {earned:?}");
    }
    // Income less outlay is the margin, but for what the draws of both make of it.
    let kept = i128::from(second.actual_unxs) - i128::from(outlay.paid_unxs);
    let expected = i128::from(second.expected_grains) - i128::from(third.expected_grains);
    let sigma = (variance(&second) + variance(&third)).sqrt();
    let off = (kept * GRAINS - expected).unsigned_abs();
    assert!(off as f64 <= 5.0 * sigma, "{off} of {sigma}: {second:?} {third:?}");
    assert_eq!(outlay.paid_unxs, third.actual_unxs, "what one pays the other has");
    let channels: Vec<Channel> = line.channels(1);
    assert_eq!(channels.len(), 2, "{channels:?}");
    assert_eq!(line.channels(3).len(), 0, "who only receives needs no channel");
}

#[test]
fn a_trusted_hop_costs_nothing_and_says_nothing_of_money() {
    let line = Line::of(&[0, 20, 0, 0], &[(1, 0)]);
    line.send(0, 2, 1_000, LENGTH);
    assert_eq!(line.income(1), [], "nothing is counted");
    assert!(line.income(0).iter().all(|earned| earned.paid_unxs == 0), "and nothing paid");
    assert_eq!(line.channels(0).len() + line.channels(1).len(), 0);
    assert_eq!(line.kinds_of_money(0), 0, "and no byte is said of it");
    let peers = line.run(1, &["peer", "list", "--json"]);
    let peers: serde_json::Value = serde_json::from_slice(&peers.stdout).unwrap();
    assert_eq!(peers["peers"][0]["trusted"], true);
    assert!(line.run(1, &["peer", "remove", &line.id(0)]).status.success());
    line.send(0, 2, 1_000, LENGTH);
    assert!(line.earned(1, 0).due_grains > 0, "who is trusted no more pays");
    assert!(line.kinds_of_money(0) > 0);
}

#[test]
fn a_neighbour_with_a_price_of_its_own_is_asked_that() {
    let line = Line::of(&[0, 200, 0], &[]);
    let payer = line.id(0);
    let price = |asked| said(&succeeds(&line.run(1, &["peer", "price", &payer, asked])).stdout);
    assert_eq!(price("50"), format!("{payer} is asked 50 µNXS/KiB\n"));
    line.send(0, 2, 1_000, LENGTH);
    let earned = line.earned(1, 0);
    let carried = 1_000 * LENGTH;
    assert!(earned.due_grains <= carried * 52, "{earned:?}");
    assert!(earned.due_grains >= (carried - 64 * 1_024 - 64 * LENGTH) * 48, "but for courtesy: {earned:?}");
    succeeds(&line.run(1, &["peer", "add", &payer]));
    let told = price("60");
    assert!(told.ends_with("once it is not carried for nothing any more\n"), "{told}");
    let before = line.earned(1, 0).due_grains;
    line.send(0, 2, 200, LENGTH);
    assert_eq!(line.earned(1, 0).due_grains, before, "it is carried for nothing");
}

#[test]
fn a_channel_is_listed_exported_verified_restarted_and_closed() {
    let line = Line::of(&[0, 20, 0, 0], &[]);
    line.send_until_paid(0, 2, 1, LENGTH);
    let before = line.channel(1, 0);
    assert_eq!((before.state.as_str(), before.lent_unxs), ("open", 1_000_000));
    assert!(before.sequence > 0 && before.own_unxs > 1_000_000, "{before:?}");
    let refused = line.run(1, &["channel", "settle", &line.id(0)]);
    assert!(!refused.status.success());
    assert!(said(&refused.stderr).contains("nothing to settle"), "nobody deposited anything: {refused:?}");
    let mirrored = line.channel(0, 1);
    assert_eq!((mirrored.own_unxs, mirrored.theirs_unxs), (before.theirs_unxs, before.own_unxs));
    let file = line.place("channel.log");
    let peer = line.id(0);
    succeeds(&line.run(1, &["channel", "export", &peer, &file]));
    let verified = said(&succeeds(&line.run(1, &["channel", "verify", &file])).stdout);
    assert!(verified.contains("all signed by both") && verified.contains(&peer), "{verified}");
    let tampered = std::fs::read_to_string(&file).unwrap().replacen("state 0", "state 1", 1);
    let tampered = tampered.replacen("state f", "state e", 1);
    let other = line.place("tampered.log");
    let changed = tampered != std::fs::read_to_string(&file).unwrap();
    std::fs::write(&other, if changed { tampered } else { tampered.replacen("state ", "state 0", 1) })
        .unwrap();
    assert_eq!(line.run(1, &["channel", "verify", &other]).status.code(), Some(1));
    line.restart(1);
    assert_eq!(line.channel(1, 0), before, "a restart changes nothing of it");
    line.send_until_paid(0, 2, 1, LENGTH);
    assert!(line.channel(1, 0).sequence > before.sequence, "and payment goes on");
    succeeds(&line.run(1, &["channel", "close", &peer]));
    Line::until("the channel is closed", || line.channel(1, 0).state == "closed");
}

/// By how many standard deviations what was won is off what was to be expected.
fn deviation(earned: &Earned) -> f64 {
    let actual = i128::from(earned.actual_unxs) * GRAINS;
    let off = (actual - i128::from(earned.expected_grains)).unsigned_abs();
    off as f64 / variance(earned).sqrt()
}

/// Of what draws bring, at most: a reward is half of what was paid before it, so that of a sum T it is ∫ T/2 dT = T²/4. Source:
/// spec/economy.md#difficulty.
fn variance(earned: &Earned) -> f64 {
    (earned.expected_grains as f64 / 2.0).powi(2)
}

fn succeeds(output: &Output) -> &Output {
    assert!(output.status.success(), "{output:?}");
    output
}
