//! What `nexus status` shows.

use nexus_daemon::api::{Cost, Status, Sum, Traffic};

use crate::fake_node::{ANNA, BERT, FakeNode, NODE, World, interface, link, metered, path, refusal, said};

fn shown(world: World, arguments: &[&str]) -> String {
    let node = FakeNode::start(world, |_| vec![]);
    let output = node.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    said(&output.stdout)
}

#[test]
fn everything_at_a_glance() {
    let text = shown(World::small(), &["status"]);
    for part in
        [NODE, ANNA, "1 h 2 min", "12.3 MB", "[::]:4777", "2.3 MB", "12.3 ms", "all but; relays for others"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    for head in ["INTERFACE", "LINK WITH", "NEIGHBOUR", "PATH TO", "BUDGET OF"] {
        assert_eq!(text.matches(head).count(), 1 + usize::from(head == "INTERFACE") * 2, "{head}: {text}");
    }
}

#[test]
fn a_section_is_shown_alone() {
    let text = shown(World::small(), &["status", "neighbours"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines,
        [
            ["NEIGHBOUR", "INTERFACE", "LINKED", "ANNOUNCED", "HEARD"].to_vec(),
            [ANNA, "udp0", "yes", "yes", "4", "s"].to_vec(),
        ]
    );
}

#[test]
fn contacts_are_shown_by_name() {
    let node = FakeNode::quiet();
    assert!(node.run(&["contacts", "add", "bert", BERT]).status.success());
    let text = said(&node.run(&["status", "paths"]).stdout);
    assert!(text.contains("bert ") && !text.contains(BERT), "{text}");
}

#[test]
fn where_nothing_is_it_says_what_to_look_at() {
    let text = shown(World::empty(), &["status"]);
    for sentence in [
        "no interfaces",
        "no links yet",
        "no neighbours yet",
        "no paths yet",
        "no budget",
        "no queues",
        "no income",
    ] {
        assert!(text.contains(sentence), "{text}");
    }
    assert_eq!(text.matches("`nexus doctor`").count(), 6, "{text}");
}

#[test]
fn no_line_is_wider_than_a_page_whatever_others_are_called() {
    let mut world = World::small();
    let long = |text: &str| text.repeat(300);
    world.status.label = Some(long("labél "));
    world.status.state = long("/state");
    world.status.config = Some(long("/世"));
    world.status.refusals = (0..40).map(|n| (format!("cause_{n}"), u64::MAX)).collect();
    let mut wild = interface(&long("interface"));
    wild.kind = long("kind");
    wild.mode = long("mode");
    wild.address = long("address\x1b[31m");
    wild.bandwidth_bps = u64::MAX;
    wild.sent = Traffic { frames: u64::MAX, bytes: u64::MAX };
    wild.fault = Some(long("fault\n"));
    wild.drops = [(long("drop"), 1)].into();
    world.status.interfaces.push(wild);
    let mut wild = link(&long("f"), &long("interface"));
    wild.endpoint = Some(long("endpoint"));
    (wild.up_s, wild.heard_s, wild.rtt_us) = (u64::MAX, u64::MAX, Some(u64::MAX));
    world.status.links.push(wild);
    let mut wild = path(&long("世"), Some(long("v")));
    (wild.reliability_percent, wild.others, wild.node) = (Some(100), 3, false);
    wild.cost =
        Some(Cost { unxs_per_kib: Some(u64::MAX), worst_latency_ms: u16::MAX, bottleneck_bps: u64::MAX });
    (wild.interface, wild.hops) = (long("i"), u8::MAX);
    world.paths.paths.push(wild);
    let mut wild = metered(&long("interface"));
    wild.measured_bps = u64::MAX;
    for share in wild.ten_minutes.loads.values_mut() {
        share.share_ppm = Some(u64::MAX);
    }
    for load in ["links", "gossip_routing", "gossip_services", "gossip_social"] {
        let share = wild.ten_minutes.loads["traffic"];
        wild.ten_minutes.loads.insert(load.to_owned(), share);
        wild.total.insert(long(load), Sum { frames: u64::MAX, bytes: u64::MAX, airtime_us: u64::MAX });
    }
    world.budget.interfaces.push(wild);
    let text = shown(world, &["status"]);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn json_is_the_daemons_object_and_sections_are_its_parts() {
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&shown(World::small(), arguments)).unwrap()
    };
    let status: Status = serde_json::from_value(json(&["status", "--json"])).unwrap();
    assert_eq!(status.links.len(), 1);
    let parts = json(&["status", "--json", "links", "paths", "neighbours"]);
    assert_eq!(parts["links"][0]["peer"], ANNA);
    assert_eq!(parts["paths"][1]["destination"], BERT);
    assert_eq!(parts["neighbours"][0]["linked"], true);
    assert_eq!(json(&["status", "--json", "node", "paths"])["node"]["node"], NODE);
}

#[test]
fn paths_say_what_they_cost_how_good_they_are_and_how_many_others_there_are() {
    let mut world = World::small();
    world.paths.paths[1].cost =
        Some(Cost { unxs_per_kib: Some(1_234), worst_latency_ms: 20, bottleneck_bps: 1_000_000 });
    (world.paths.paths[1].reliability_percent, world.paths.paths[1].others) = (Some(97), 2);
    world.status.interfaces[0].price_unxs_per_kib = 250;
    let text = shown(world.clone(), &["status", "paths"]);
    let row = text.lines().find(|line| line.contains("1.2k")).unwrap_or_else(|| panic!("{text}"));
    for part in ["20 ms", "1.0 Mb/s", "97 %", " 2 ", "1 min"] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert!(text.contains("chosen under balanced"), "{text}");
    let text = shown(world, &["status", "interfaces"]);
    assert!(text.contains("udp0 asks 250 µNXS/KiB"), "{text}");
}

#[test]
fn income_is_told_by_neighbour_what_is_due_what_was_won_and_what_came_of_it() {
    let text = shown(World::small(), &["status", "income"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let heads = ["INCOME", "FROM", "DUE", "RELEASED", "WINDOWS", "WINS", "EXPECTED", "ACTUAL", "PAID"];
    assert_eq!(lines[0], heads, "{text}");
    assert_eq!(lines[1][1..], ["2500", "9", "9", "2", "2250", "2000", "7"], "{text}");
    assert!(text.contains("since the start 2000 µNXS came in, 7 went out"), "{text}");
    assert!(
        text.contains("in µNXS; windows are counted: released by the payer, drawn of them, won of those\n"),
        "{text}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&shown(World::small(), &["status", "--json", "income"])).unwrap();
    assert_eq!(json["income"][0]["expected_grains"], 2_304_000);
}

#[test]
fn queues_are_told_by_class_with_who_fills_them_and_what_follows() {
    let text = shown(World::small(), &["status", "queues"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        vec!["QUEUE", "OF", "P", "WAIT", "BYTES", "LEFT", "MEAN", "LONGEST", "LATE"],
        vec!["udp0", "P0", "0", "0", "50", "1.50", "ms", "0.00", "ms", "3"],
    ];
    assert_eq!(lines[..2], expected, "{text}");
    let prose = lines.concat().join(" ");
    for sentence in [
        "has room for 256 packets",
        "(weight 3) has 90 waiting",
        "is congested (severe) and gets 400 kb/s",
        "told neighbours to send less: 4 moderate",
        "asks 56 % more for it",
        "dropped: 3 late",
    ] {
        assert!(prose.contains(sentence), "{sentence}: {text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&shown(World::small(), &["status", "--json", "queues"])).unwrap();
    assert_eq!(json["queues"][0]["classes"]["bulk"]["waiting"]["frames"], 90);
}

#[test]
fn a_budget_is_told_by_what_was_sent_for_what_in_both_windows() {
    let text = shown(World::small(), &["status", "budget"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        vec!["BUDGET", "OF", "IN", "TRAFFIC", "LINKS", "NEWS", "T1", "T2", "T3", "T4", "SUM"],
        vec!["udp0", "10m", "60%", "-", "3.00%", "-", "1.50%", "-", "-", "4.50%"],
        vec!["udp0", "1h", "10%", "-", ".50%", "-", ".25%", "-", "-", ".75%"],
    ];
    assert_eq!(lines[..3], expected, "{text}");
    assert!(text.contains("udp0 carries 9.6 kb/s; sent in all: announces 4.5 kB"), "{text}");
    assert!(text.contains("10% at most"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&shown(World::small(), &["status", "--json", "budget"])).unwrap();
    assert_eq!(json["budget"][0]["ten_minutes"]["together_ppm"], 45_000);
}

#[test]
fn more_paths_than_fit_a_line_of_the_daemons_are_all_shown() {
    let mut world = World::small();
    world.paths.paths = (0..9).map(|n| path(&format!("{n:032x}"), None)).collect();
    let json: serde_json::Value =
        serde_json::from_str(&shown(world.clone(), &["status", "--json", "paths"])).unwrap();
    assert_eq!(json["paths"].as_array().unwrap().len(), 9);
    assert_eq!(shown(world, &["status", "paths"]).lines().count(), 1 + 9 + 1);
}

#[test]
fn without_a_daemon_it_says_how_to_start_one() {
    let node = FakeNode::quiet();
    std::fs::remove_file(node.home.path().join("state/control.sock")).unwrap();
    for arguments in [["status"].as_slice(), &["status", "--watch"], &["ping", ANNA], &["listen"]] {
        let output = node.run(arguments);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let sentence = said(&output.stderr);
        assert!(sentence.contains("nexus node start") && sentence.lines().count() == 1, "{sentence}");
    }
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    use std::process::Stdio;
    let node = FakeNode::start(World::small(), |_| vec![refusal(nexus_daemon::api::Code::System, "no")]);
    let mut status =
        node.command(&["status", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(status.stdout.take());
    let output = status.wait_with_output().unwrap();
    assert_eq!((output.status.code(), said(&output.stderr).as_str()), (Some(0), ""));
}
