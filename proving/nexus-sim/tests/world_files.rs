//! Worlds as files: refused in one sentence, run the same every time, and true to what they say.

use std::fs;
use std::path::PathBuf;

use nexus_sim::builder::{self, Kind, Life, Order, Tuning};
use nexus_sim::report::{self, Report};
use nexus_sim::worldfile::{Driven, Prepared, Refusal, WorldFile};

/// Two nodes with a cable, a walker on a wireless network with one of them, and readings from one to the other.
const SMALL: &str = r#"format = 1
name = "small"
seed = 3
duration_s = 900
start_within_ms = 1000

[expect]
judges = "safety"
delivered_percent = 100

[air]
propagation = "log-distance"
shadowing = "none"

[[node]]
name = "a"
at_m = [0, 0]

[[node]]
name = "b"
at_m = [50, 0]

[[cable]]
name = "wire"
between = ["a", "b"]
rate_bps = [64000, 1000000]
delay_us = 20000
jitter_us = 0
loss_ppm = 0
speaks = "links"

[[telemetry]]
name = "readings"
sources = ["a"]
sink = "b"
every_s = 10
bytes = 40
lifetime_s = 60
from_s = 100
until_s = 700
"#;

#[track_caller]
fn prepared(text: &str) -> Prepared {
    WorldFile::load(text).unwrap_or_else(|refusal| panic!("{refusal}"))
}

#[track_caller]
fn run(text: &str) -> Report {
    report::run(&prepared(text))
}

fn refused(text: &str) -> Refusal {
    WorldFile::load(text).expect_err("this is no world")
}

/// How much the first medium did wrong: not what came before its receiver had started.
fn wrong(report: &Report) -> u64 {
    report.media[0].damage.iter().filter(|(what, _)| **what != "unheard").map(|(_, times)| times).sum()
}

#[test]
fn what_is_no_world_is_refused_in_one_sentence_with_its_line() {
    let cases = [
        ("rate_bps = [64000, 1000000]", "rate_pbs = [64000, 1000000]", 26, "unknown field `rate_pbs`"),
        ("duration_s = 900\n", "", 1, "missing field `duration_s`"),
        ("format = 1", "format = 2", 0, "this is format 2"),
        ("between = [\"a\", \"b\"]", "between = [\"a\", \"c\"]", 23, "there is no node `c`"),
        ("between = [\"a\", \"b\"]", "between = [\"a\", \"a\"]", 23, "a cable has two ends"),
        ("name = \"b\"", "name = \"a\"", 19, "two nodes are called `a`"),
        ("propagation = \"log-distance\"", "propagation = \"loud\"", 12, "unknown variant `loud`"),
        ("propagation = \"log-distance\"", "propagation = \"hata-suburban\"", 11, "`base_height_cm`"),
        ("bytes = 40", "bytes = 4000", 32, "8 to 326 bytes"),
        ("sources = [\"a\"]", "sources = [\"a\", \"b\"]", 32, "from other nodes than its sink"),
        ("rate_bps = [64000, 1000000]", "rate_bps = [0, 1000000]", 23, "a rate is 1 bit per second at least"),
        ("at_m = [50, 0]", "at_m = [50, 0]\nroute = [{ at_s = 0, to_m = [1, 1] }]", 19, "waypoint 1"),
        ("delivered_percent = 100", "delivered_percent = 101", 7, "at most 100"),
        ("delivered_percent = 100", "all_reached_within_s = 901", 7, "after the end of the world"),
        ("seed = 3", "seed = three", 3, ""),
    ];
    for (right, wrong, line, sentence) in cases {
        let text = SMALL.replacen(right, wrong, 1);
        assert_ne!(text, SMALL, "{right} is in the file");
        let refusal = refused(&text);
        assert!(refusal.sentence.contains(sentence), "{wrong}: {refusal}");
        assert_eq!(refusal.line, line, "{wrong}: {refusal}");
        assert!(!refusal.to_string().contains('\n'), "{refusal}");
    }
}

#[test]
fn a_radio_is_held_to_its_region_and_its_antenna_counts() {
    let radio = |power: u8, gain: i8| {
        let text = SMALL.to_owned()
            + "[[channel]]\nname = \"lora\"\nregion = \"eu868\"\nfrequency_hz = 868300000\nbandwidth_hz = 125000\n\
               spreading_factor = 7\ncoding_rate = 5\nduty_hundredths = 100\nradios = \"rnode\"\nspeaks = \"links\"\n"
            + &format!(
                "[[radio]]\nnode = \"a\"\nchannel = \"lora\"\npower_dbm = {power}\ngain_dbi = {gain}\n"
            );
        WorldFile::load(&text).map(|prepared| prepared.media)
    };
    assert_eq!(radio(14, 2), Ok(vec!["lora".to_owned(), "wire".to_owned()]));
    assert_eq!(radio(11, 5), Ok(vec!["lora".to_owned(), "wire".to_owned()]));
    for (power, gain) in [(15, 2), (14, 3)] {
        let refusal = radio(power, gain).expect_err("it is too loud");
        assert!(refusal.sentence.contains("dBm is too much"), "{refusal}");
    }
}

#[test]
fn readings_over_a_cable_all_arrive_after_what_the_cable_takes_at_least() {
    let report = run(SMALL);
    assert_eq!(report.failures, Vec::<String>::new());
    let [readings] = &report.traffic[..] else { panic!("one flow") };
    assert_eq!((readings.offered, readings.shown, readings.receipts), (60, 60, 60));
    assert_eq!((readings.offered_bytes, readings.shown_bytes), (2_400, 2_400));
    // A frame of some 300 bytes at 64 kbit/s, 20 ms on its way, and 5 ms for the disk before it is shown.
    let median = readings.median_ms.expect("some were shown");
    assert!((50..120).contains(&median), "{median} ms");
    let [a, b] = &report.nodes[..] else { panic!("two nodes") };
    assert_eq!((a.links, b.links), (1, 1));
    assert_eq!(wrong(&report), 0, "{report}");
}

#[test]
fn what_does_not_fit_a_queue_is_dropped_and_counted() {
    // Each of two nodes paces itself by what the whole network carries, and both send at once: alone on a cable none would overflow.
    let (head, _) = SMALL.split_once("[[cable]]").expect("there is a cable");
    let (_, tail) = SMALL.split_once("speaks = \"links\"\n").expect("the cable's last line");
    let wireless = "[[network]]\nname = \"wifi\"\nkind = \"wireless\"\nnodes = [\"a\", \"b\"]\nrate_bps = 64000\n\
                    delay_us = 20000\njitter_us = 0\nqueue_bytes = 2000\nloss_ppm = 0\nefficiency_percent = 100\nrange_m = 100\n\
                    speaks = \"links\"\n";
    let bulk = |name: &str, from: &str, to: &str| {
        format!(
            "\n[[bulk]]\nname = \"{name}\"\nfrom = \"{from}\"\nto = \"{to}\"\nvolume_bytes = 20000\nat_once = 32\n\
             lifetime_s = 60\nfrom_s = 100\n"
        )
    };
    let text = format!("{head}{wireless}{tail}{}{}", bulk("there", "a", "b"), bulk("back", "b", "a"));
    let report = run(&text.replace("delivered_percent = 100\n", ""));
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.media[0].damage["overflowed"] > 0, "{report}");
    for volume in &report.traffic[1..] {
        assert!(volume.shown_bytes >= 20_000, "what was dropped is sent again: {report}");
    }
}

#[test]
fn a_volume_takes_as_long_as_the_rate_of_its_direction_says() {
    let longest = |from: &str, to: &str| {
        let bulk = format!(
            "\n[[bulk]]\nname = \"volume\"\nfrom = \"{from}\"\nto = \"{to}\"\nvolume_bytes = 32600\nat_once = 4\n\
             lifetime_s = 60\nfrom_s = 710\n"
        );
        let report = run(&(SMALL.to_owned() + &bulk));
        assert_eq!(report.failures, Vec::<String>::new());
        assert_eq!((report.traffic[1].offered, report.traffic[1].shown), (100, 100));
        report.traffic[1].median_ms.expect("all were shown")
    };
    let (slow, fast) = (longest("a", "b"), longest("b", "a"));
    // Four pieces of some 500 bytes share 64 kbit/s: each takes about four times 63 ms.
    assert!((180..400).contains(&slow), "{slow} ms");
    assert!(fast < slow / 2, "{fast} ms at sixteen times the rate");
}

#[test]
fn who_walks_out_of_range_of_a_wireless_network_loses_it_and_finds_it_again() {
    let (head, _) = SMALL.split_once("[[cable]]").expect("there is a cable");
    let (_, tail) = SMALL.split_once("speaks = \"links\"\n").expect("the cable's last line");
    let wireless = "[[network]]\nname = \"wifi\"\nkind = \"wireless\"\nnodes = [\"a\", \"b\"]\nrate_bps = 54000000\n\
                    delay_us = 100\njitter_us = 0\nloss_ppm = 0\nefficiency_percent = 50\nrange_m = 100\nspeaks = \"links\"\n";
    let text = format!("{head}{wireless}{tail}").replace("delivered_percent = 100\n", "");
    let stays = run(&text);
    assert_eq!((stays.failures.len(), stays.traffic[0].shown, stays.nodes[0].links_lost), (0, 60, 0));
    assert_eq!(wrong(&stays), 0, "{stays}");
    let route = "at_m = [50, 0]\nroute = [{ at_s = 200, to_m = [50, 0] }, { at_s = 210, to_m = [500, 0] }, \
                 { at_s = 400, to_m = [500, 0] }, { at_s = 410, to_m = [50, 0] }]";
    let walks = run(&text.replace("at_m = [50, 0]", route));
    assert_eq!(walks.failures, Vec::<String>::new());
    assert!(walks.media[0].damage["out of range"] > 0, "{walks}");
    assert!(walks.nodes[0].links_lost > 0 && walks.nodes[0].links == 1, "{walks}");
    assert!((40..60).contains(&walks.traffic[0].shown), "{walks}");
}

#[test]
fn faults_of_a_file_happen_when_it_says() {
    let fault = "\n[[crash]]\nnode = \"b\"\nat_s = 300\nfor_s = 100\n\
                 [[outage]]\nnode = \"a\"\nmedium = \"wire\"\nat_s = 500\nfor_s = 50\n\
                 [[disturb]]\nmedium = \"wire\"\nat_s = 600\nfor_s = 20\nloss_ppm = 1000000\nduplicate_ppm = 0\n\
                 reorder_ppm = 0\ncorrupt_ppm = 0\ntruncate_ppm = 0\njitter_ms = 0\nhold_ms = 0\n";
    let hour = SMALL.replace("duration_s = 900", "duration_s = 3600");
    let report = run(&(hour.replace("delivered_percent = 100", "all_reached_within_s = 2700") + fault));
    assert_eq!(report.failures, Vec::<String>::new());
    assert!(report.nodes[0].links_lost >= 2, "{report}");
    assert!(report.media[0].damage["lost"] > 0, "{report}");
    let never = SMALL.replace("delivered_percent = 100", "all_reached_within_s = 0")
        + "\n[[partition]]\nnodes = [\"a\"]\nat_s = 0\nfor_s = 900\n";
    let [failure] = &run(&never).failures[..] else { panic!("everybody reached everybody") };
    assert!(failure.starts_with("liveness"), "{failure}");
}

#[test]
fn what_is_expected_of_deliveries_is_asked_for() {
    let cut =
        SMALL.to_owned() + "\n[[cut]]\nmedium = \"wire\"\nfrom = \"a\"\nto = \"b\"\nat_s = 90\nfor_s = 800\n";
    let [failure] = &run(&cut).failures[..] else { panic!("the readings arrived") };
    assert_eq!(failure, "0 of 60 texts were shown to their recipients, and not 100 %");
}

/// Two nodes so far apart, each with a modem.
fn radios(metres: i32) -> String {
    let order = Order {
        kind: Kind::Line,
        nodes: 2,
        seed: 5,
        spacing_m: metres,
        tuning: Tuning::EUROPE,
        driven: Driven::Rnode,
        power_dbm: 14,
        radio_percent: 100,
        cable_percent: 0,
        duration_s: 3_600,
        life: Life::Usual,
    };
    builder::build(&order).to_text().replace("shadowing = \"measured\"", "shadowing = \"none\"")
}

#[test]
fn radios_reach_as_far_as_physics_says_and_no_farther() {
    let near = run(&radios(2_900));
    assert_eq!((near.failures.len(), near.nodes[0].links, near.nodes[1].links), (0, 1, 1), "{near}");
    assert!(near.nodes.iter().all(|node| node.airtime_ms > 0));
    // Each is cut to whole milliseconds: of two nodes one may be lost.
    let of_nodes = near.nodes.iter().map(|node| node.airtime_ms).sum::<u64>();
    assert!((of_nodes..=of_nodes + 1).contains(&near.media[0].airtime_ms), "{near}");
    assert!(near.traffic.iter().all(|flow| flow.offered > 0 && flow.shown > 0), "{near}");
    // Two decibels of antenna at each end carry to 3.9 km what reaches 3.0 km without.
    let far = run(&radios(4_100));
    assert_eq!((far.nodes[0].links, far.traffic[0].shown), (0, 0), "{far}");
}

#[test]
fn bare_transceivers_link_and_carry_what_modems_do() {
    let text = radios(1_000).replace("radios = \"rnode\"", "radios = \"transceiver\"");
    let report = run(&text);
    assert_eq!((report.failures.len(), report.nodes[0].links), (0, 1), "{report}");
    assert!(report.traffic.iter().all(|flow| flow.offered > 0 && flow.shown == flow.offered), "{report}");
}

#[test]
fn the_same_file_gives_the_same_run_and_another_seed_another() {
    let text = radios(1_000);
    assert_eq!(run(&text), run(&text));
    assert_ne!(run(&text).trace, run(&text.replace("seed = 5", "seed = 6")).trace);
}

/// The worlds that are kept with the simulator.
fn examples() -> Vec<(PathBuf, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("worlds");
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .expect("the simulator has worlds")
        .map(|entry| entry.expect("a directory can be read").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a file can be read")))
        .collect()
}

#[test]
fn the_worlds_that_are_kept_read_back_as_they_are_written() {
    let all = examples();
    assert!(all.len() >= 4);
    for (path, text) in all {
        let file = WorldFile::read(&text).unwrap_or_else(|refusal| panic!("{}, {refusal}", path.display()));
        assert_eq!(file.to_text(), text, "{}", path.display());
    }
}

#[test]
fn the_worlds_that_are_kept_come_out_as_they_expect() {
    for (path, text) in examples() {
        let report = run(&text);
        assert_eq!(report.failures, Vec::<String>::new(), "{}:\n{report}", path.display());
        assert!(report.traffic.iter().any(|flow| flow.shown > 0), "{}:\n{report}", path.display());
    }
}
