use nexus_crypto::SharedKey;

use super::*;

fn state() -> StateDir {
    StateDir::locate(Some("/somewhere".into())).unwrap()
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(&state(), Path::new("/etc/nexus.toml"), text).map_err(|refusal| refusal.to_string())
}

#[test]
fn the_commented_default_says_what_holds_without_it() {
    let mut written = parse(COMMENTED).unwrap();
    written.file = None;
    assert_eq!(written, Config::default_for(&state()));
}

#[test]
fn every_line_that_is_commented_out_can_be_used() {
    let uncommented: Vec<&str> = COMMENTED
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest,
            _ => line,
        })
        .collect();
    let config = parse(&uncommented.join("\n")).unwrap();
    let names: Vec<_> = config.interfaces.iter().map(|interface| interface.name.as_str()).collect();
    assert_eq!(
        names,
        ["udp0", "tcp0", "tcp1", "tcp2", "pipe0", "radio0", "radio1", "serial0", "auto0", "shared"]
    );
    assert_eq!(config.interfaces[0].medium, Interface::default_udp().medium);
    let Medium::Auto { group, .. } = &config.interfaces[8].medium else { panic!("{config:?}") };
    assert_eq!(*group, auto::Group::default());
    let faults = config.interfaces[4].decorations.faults.unwrap();
    assert_eq!((faults.loss, faults.delay), (100, std::time::Duration::from_millis(50)));
    assert_eq!(config.label.as_deref(), Some("kitchen"));
    assert_eq!(config.pcap_opened.as_deref(), Some(Path::new("/etc/opened.pcap")));
    assert_eq!(parse("").unwrap().pcap_opened, None, "nothing is recorded in clear unless somebody says so");
}

#[test]
fn a_section_gives_the_node_an_lxmf_address() {
    let lxmf = |text: &str| parse(text).map(|config| config.lxmf);
    assert_eq!(lxmf("").unwrap(), None);
    assert_eq!(lxmf("[lxmf]").unwrap(), Some(Lxmf::default()));
    let node = "00112233445566778899aabbccddeeff";
    let all = format!("[lxmf]\ndisplay_name = \"Anna\"\nstamp_cost = 8\npropagation_node = \"{node}\"");
    let written = lxmf(&all).unwrap().unwrap();
    assert_eq!((written.display_name.as_deref(), written.stamp_cost), (Some("Anna"), Some(8)));
    assert_eq!(written.propagation_node.unwrap().to_string(), node);
    let long = "x".repeat(129);
    for (text, refusal) in [
        ("[lxmf]\nstamp_cost = 0".to_owned(), "a stamp costs 1 to 32"),
        ("[lxmf]\nstamp_cost = 33".to_owned(), "a stamp costs 1 to 32"),
        (format!("[lxmf]\ndisplay_name = \"{long}\""), "a display name has 1 to 128 bytes"),
        ("[lxmf]\npropagation_node = \"anna\"".to_owned(), "32 hexadecimal digits"),
        ("relaying = false\n[lxmf]".to_owned(), "`[lxmf]` needs `relaying`"),
    ] {
        let told = lxmf(&text).unwrap_err();
        assert!(told.contains(refusal), "{told}");
    }
}

#[test]
fn one_line_lets_programs_attach_beside_the_interfaces_that_are_there_anyway() {
    let shared = |text: &str| parse(text).map(|config| config.interfaces.last().unwrap().clone());
    let one_line = parse("[shared]").unwrap().interfaces;
    assert_eq!(one_line.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["udp0", "shared"]);
    assert_eq!(one_line[1].medium, Medium::Shared { place: Place::Abstract("rns/default".to_owned()) });
    assert_eq!(one_line[1].role, Role::Local);
    assert_eq!(
        shared("[shared]\ninstance = \"two\"").unwrap().medium,
        Medium::Shared { place: Place::Abstract("rns/two".to_owned()) }
    );
    let port = "127.0.0.1:37428";
    let listening = shared(&format!("[shared]\nlisten = \"{port}\"")).unwrap();
    assert_eq!(listening.medium, Medium::Shared { place: Place::Tcp(port.parse().unwrap()) });
    for (text, refusal) in [
        ("[shared]\nlisten = \"0.0.0.0:37428\"", "programs of other machines could attach"),
        ("[shared]\nlisten = \"here\"", "is no address where programs attach"),
        ("[shared]\ninstance = \"a/b\"", "is no name of an instance"),
        ("[shared]\ninstance = \"a\"\nlisten = \"127.0.0.1:1\"", "has a name or a port"),
        ("relaying = false\n[shared]", "`[shared]` needs `relaying`"),
    ] {
        let told = shared(text).unwrap_err();
        assert!(told.contains(refusal), "{told}");
    }
}

#[test]
fn stock_nodes_of_the_local_network_meet_where_the_configuration_says() {
    let of = |text: &str| {
        let mut interfaces = parse(&format!("[[auto]]\n{text}"))?.interfaces;
        let Medium::Auto { group, devices } = interfaces.remove(0).medium else { panic!("{text}") };
        Ok::<_, String>((group, devices))
    };
    assert_eq!(of("").unwrap(), (auto::Group::default(), auto::Devices::default()));
    let (group, devices) = of("group_id = \"others\"\ndevices = [\"eth0\", \"wlan0\"]\nignored_devices = [\"wlan0\"]\n\
         discovery_scope = \"site\"\nmulticast_address_type = \"permanent\"\ndiscovery_port = 48555\ndata_port = 49555")
    .unwrap();
    assert_eq!((&*group.id, group.address().segments()[0]), ("others", 0xFF05));
    assert_eq!((group.discovery_port, group.reverse_port(), group.data_port), (48_555, 48_556, 49_555));
    assert_eq!(
        (devices.chosen, devices.ignored),
        (vec!["eth0".to_owned(), "wlan0".to_owned()], vec!["wlan0".to_owned()])
    );
    let default = &parse("[[auto]]").unwrap().interfaces[0];
    assert_eq!((default.mode, default.role), (Mode::Reticulum, Role::Full));
    for (text, refusal) in [
        ("mode = \"nexus\"", "NEXUS nodes find each other by [[udp]]"),
        ("group_id = \"\"", "is not empty"),
        ("discovery_scope = \"world\"", "is no scope"),
        ("multicast_address_type = \"eternal\"", "is no type of multicast address"),
        ("discovery_port = 65535", "from 1 to 65534"),
        ("data_port = 0", "from 1 to 65535"),
        ("data_port = 29717", "frames have a port of their own"),
    ] {
        let told = of(text).unwrap_err();
        assert!(told.starts_with("/etc/nexus.toml:2: ") && told.contains(refusal), "{told}");
    }
}

#[test]
fn two_interfaces_of_local_networks_do_not_take_each_others_ports() {
    let both = |one: &str, other: &str| parse(&format!("[[auto]]\n{one}\n[[auto]]\n{other}"));
    let ports = "discovery_port = 1000\ndata_port = 2000";
    for (one, other) in [
        ("", ports),
        ("devices = [\"eth0\"]", "devices = [\"eth1\"]"),
        ("devices = [\"eth0\"]", "ignored_devices = [\"eth0\"]"),
    ] {
        assert_eq!(both(one, other).unwrap().interfaces.len(), 2, "{one:?} {other:?}");
    }
    for (one, other) in [
        ("", ""),
        ("", "group_id = \"others\""),
        ("devices = [\"eth0\"]", ""),
        ("ignored_devices = [\"eth1\"]", "devices = [\"eth0\", \"eth1\"]"),
        (ports, "data_port = 1001"),
    ] {
        let told = both(one, other).unwrap_err();
        assert!(told.starts_with("/etc/nexus.toml:") && told.contains("the same ports"), "{told}");
    }
}

#[test]
fn attached_programs_ask_beside_the_instance_with_the_key_that_is_written() {
    let rpc = |text: &str| parse(text).map(|config| config.rpc);
    assert_eq!(rpc("").unwrap(), None);
    let beside = Place::Abstract("rns/two/rpc".to_owned());
    assert_eq!(rpc("[shared]\ninstance = \"two\"").unwrap(), Some(Rpc { place: beside, key: None }));
    let (key, digits) = (SharedKey::from_bytes(vec![0x5A; 16]), "5a".repeat(16));
    let behind = Place::Tcp("127.0.0.1:37429".parse().unwrap());
    assert_eq!(
        rpc(&format!("[shared]\nlisten = \"127.0.0.1:37428\"\nrpc_key = \"{digits}\"")).unwrap(),
        Some(Rpc { place: behind, key: Some(key) })
    );
    let told = rpc("[shared]\nrpc_key = \"5a\"").unwrap_err();
    assert!(told.contains("32 to 128 hexadecimal digits"), "{told}");
}

#[test]
fn metrics_are_told_to_this_machine_alone() {
    let metrics =
        |listen: &str| parse(&format!("[metrics]\nlisten = \"{listen}\"")).map(|config| config.metrics);
    assert_eq!(parse("").unwrap().metrics, None, "nothing is told unless somebody says so");
    for listen in ["127.0.0.1:9464", "127.9.9.9:1", "[::1]:9464", "[::ffff:127.0.0.1]:9464"] {
        assert_eq!(metrics(listen).unwrap(), Some(listen.parse().unwrap()));
    }
    for listen in ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "[fe80::1]:9464"] {
        let refusal = metrics(listen).unwrap_err();
        assert!(refusal.starts_with("/etc/nexus.toml:2: metrics would be told at "), "{refusal}");
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }
    assert!(metrics("localhost:9464").unwrap_err().contains("is no address to tell metrics at"));
    assert!(parse("[metrics]").unwrap_err().contains("missing field `listen`"));
}

#[test]
fn paths_begin_where_the_file_lies() {
    let config = parse("identity = \"keys/me\"\n[[udp]]\npcap = \"x.pcap\"").unwrap();
    assert_eq!(config.identity, Path::new("/etc/keys/me"));
    let pcap = config.interfaces[0].decorations.pcap.as_ref().unwrap();
    assert_eq!(pcap.path, Path::new("/etc/x.pcap"));
}

#[test]
fn policies_are_what_they_are_called() {
    let nodes = "nodes = [\"00112233445566778899aabbccddeeff\"]";
    let id = node_id("00112233445566778899aabbccddeeff").unwrap();
    for name in ["allow", "trusted"] {
        let policy = parse(&format!("policy = \"{name}\"\n{nodes}")).unwrap().policy;
        assert_eq!(policy, LinkPolicy::Only([id].into()));
    }
    assert_eq!(
        parse(&format!("policy = \"deny\"\n{nodes}")).unwrap().policy,
        LinkPolicy::AllBut([id].into())
    );
    assert_eq!(parse("policy = \"allow\"").unwrap().policy, LinkPolicy::Only([].into()));
}

#[test]
fn a_mistake_is_one_sentence_with_the_file_and_the_line() {
    for (text, sentence) in [
        ("\n\nlabl = \"x\"", "/etc/nexus.toml:3: unknown field `labl`, expected one of"),
        (
            "[[udp]]\nlisten = \"[::]:1\"\nport = 7",
            "/etc/nexus.toml:3: unknown field `port`, expected one of",
        ),
        ("relaying = 3", "/etc/nexus.toml:1: invalid type: integer `3`, expected a boolean"),
        ("relaying = ", "/etc/nexus.toml:1: "),
        ("\nlog_level = \"loud\"", "/etc/nexus.toml:2: \"loud\" is no log level"),
        ("privacy = \"some\"", "/etc/nexus.toml:1: \"some\" is no privacy level"),
        ("policy = \"friends\"", "/etc/nexus.toml:1: \"friends\" is no policy"),
        ("nodes = [\"00112233445566778899aabbccddeeff\"]", "/etc/nexus.toml:1: `nodes` is for the policies"),
        ("policy = \"deny\"\nnodes = [\n\"0011\"]", "/etc/nexus.toml:3: \"0011\" is no node id"),
        ("passphrase = \"correct horse\"", "/etc/nexus.toml:1: this is no source of a passphrase"),
        ("label = \"\"", "/etc/nexus.toml:1: a label has 1 to 32 bytes"),
        ("[[udp]]\nlisten = \"4777\"", "/etc/nexus.toml:2: \"4777\" is no address to listen on"),
        ("[[udp]]\npeers = [\"a:1\",\n\"b\"]", "/etc/nexus.toml:3: \"b\" is no address"),
        ("[[udp]]\nmode = \"reticulum\"", "/etc/nexus.toml:2: UDP in reticulum mode runs between two"),
        ("[[udp]]\nmode = \"stock\"", "/etc/nexus.toml:2: \"stock\" is no mode"),
        ("[[udp]]\n[[udp]]", "/etc/nexus.toml:2: two interfaces listen on UDP [::]:4777"),
        ("[[tcp]]", "/etc/nexus.toml:1: a TCP interface says where to `listen`, or to `connect`"),
        ("[[pipe]]\ncommand = []", "/etc/nexus.toml:1: a pipe has a `command`"),
        ("[[pipe]]", "/etc/nexus.toml:1: missing field `command`"),
        (
            "[[udp]]\nname = \"x\"\n[[tcp]]\nname = \"x\"\nlisten = \"[::]:1\"",
            "/etc/nexus.toml:3: two interfaces are",
        ),
        ("[[rnode]]", "/etc/nexus.toml:1: an RNode has a `port`: \"/dev/ttyUSB0\" or \"tcp://host:7633\""),
        ("[[rnode]]\nport = \"ttyUSB0\"", "/etc/nexus.toml:2: \"ttyUSB0\" is no port: one is"),
        ("[[rnode]]\nport = \"tcp://a b\"", "/etc/nexus.toml:2: \"tcp://a b\" is no port: one is"),
        (
            "[[rnode]]\nport = \"/dev/a\"\nregion = \"EU\"",
            "/etc/nexus.toml:3: \"EU\" is no region: say \"EU868\", \"EU433\", \"US915\", \"AU915\", or \"custom\"",
        ),
        (
            "[[rnode]]\nport = \"/dev/a\"\nduty_cycle = \"much\"",
            "/etc/nexus.toml:3: \"much\" is no duty cycle: one is written \"10 %\"",
        ),
        (
            "[[rnode]]\nport = \"/dev/a\"\nregion = \"EU868\"\nduty_cycle = \"11 %\"",
            "/etc/nexus.toml:1: a duty cycle of 11 % is too much at 869.525 MHz: EU868 permits 10 % there",
        ),
        (
            "\n[[rnode]]\nport = \"/dev/a\"\nregion = \"EU868\"\nfrequency = 915000000",
            "/etc/nexus.toml:2: 914.875 to 915.125 MHz is not permitted in EU868: a channel lies within",
        ),
        (
            "[[rnode]]\nport = \"/dev/a\"\nregion = \"custom\"\nduty_cycle = \"1 %\"",
            "/etc/nexus.toml:1: the region \"custom\" chooses nothing: `frequency` is missing",
        ),
        (
            "[[rnode]]\nport = \"/dev/a\"\n[[serial]]\nport = \"/dev/a\"",
            "/etc/nexus.toml:3: two interfaces use /dev/a",
        ),
        ("[[serial]]\nport = \"/dev/a\"\nframing = \"slip\"", "/etc/nexus.toml:3: \"slip\" is no framing"),
        (
            "[[serial]]\nport = \"/dev/a\"\nframing = \"kiss\"",
            "/etc/nexus.toml:1: a modem behind KISS has a `bitrate`",
        ),
        ("[[serial]]\nport = \"/dev/a\"\nspeed = 0", "/etc/nexus.toml:3: a cable has a speed"),
        ("[[udp]]\nfaults = { loss_permille = 1001 }", "/etc/nexus.toml:2: a share of faults is at most"),
    ] {
        is_refused(text, sentence);
    }
}

#[test]
fn books_are_kept_whole_with_or_without_witnessing_or_of_some_accounts_alone() {
    let kept = |more: &str| {
        let config = parse(&format!("[ledger]\ngenesis = \"net.genesis\"\n{more}")).expect("good");
        config.books.expect("it keeps some").kept
    };
    assert_eq!(kept(""), Kept::All(Witnessing::Never));
    assert_eq!(kept("witness = true\nsparse = false"), Kept::All(Witnessing::IfNamed));
    assert_eq!(kept("sparse = true"), Kept::Some);
    is_refused(
        "[ledger]\ngenesis = \"net.genesis\"\nwitness = true\nsparse = true\n",
        "/etc/nexus.toml:4: a witness keeps all of the books",
    );
}

#[test]
fn a_price_or_a_choice_of_paths_that_cannot_be_is_refused() {
    for (text, sentence) in [
        (
            "[[udp]]\nprice = -1",
            "/etc/nexus.toml:2: a price is a whole number of µNXS for 1,024 bytes, 0 or more",
        ),
        ("[[tcp]]\nlisten = \"[::]:1\"\nprice = \"dear\"", "/etc/nexus.toml:3: a price is a whole number"),
        ("[[serial]]\nport = \"/dev/a\"\nprice = 1.5", "/etc/nexus.toml:3: a price is a whole number"),
        (
            "[[tcp]]\nlisten = \"[::]:1\"\nmode = \"reticulum\"\nprice = 5",
            "/etc/nexus.toml:4: `price` is for interfaces in nexus mode",
        ),
        ("path_policy = \"shortest\"", "/etc/nexus.toml:1: \"shortest\" is no way to choose paths: say"),
        ("answer_traces = 1", "/etc/nexus.toml:1: invalid type: integer `1`, expected a boolean"),
    ] {
        is_refused(text, sentence);
    }
}

#[test]
fn an_interface_in_reticulum_mode_may_have_access_codes() {
    let tcp = "[[tcp]]\nlisten = \"[::]:1\"\nmode = \"reticulum\"\n";
    let radio = "[[rnode]]\nport = \"/dev/a\"\nmode = \"reticulum\"\n";
    for (kind, written, bytes) in [
        (tcp, "access = { network_name = \"mynet\" }", 16),
        (radio, "access = { passphrase = \"file:net.pass\" }", 8),
        (tcp, "access = { network_name = \"mynet\", passphrase = \"credential:net\", ifac_bits = 512 }", 64),
    ] {
        let interface = parse(&format!("{kind}{written}")).unwrap().interfaces.remove(0);
        assert_eq!(interface.access.as_ref().unwrap().tag_len.bytes(), bytes, "{written}");
        assert!(interface.to_string().contains(&format!("access codes of {} bits", 8 * bytes)));
        let without = parse(kind).unwrap().interfaces.remove(0);
        assert!(!interface.stays_open_as(&without), "it is opened anew");
    }
    let config = parse(&format!("{radio}access = {{ passphrase = \"file:net.pass\" }}")).unwrap();
    let Some(access) = &config.interfaces[0].access else { panic!("it was written") };
    assert_eq!(access.passphrase, Some(access::Source::File("/etc/net.pass".into())), "beside the file");
    for (written, sentence) in [
        ("access = {}", "/etc/nexus.toml:4: a network has a `network_name`, a `passphrase`, or both"),
        ("access = { network_name = \"\" }", "/etc/nexus.toml:4: a network's name is not empty"),
        ("access = { passphrase = \"mypass\" }", "/etc/nexus.toml:4: this is no source of a network's"),
        (
            "access = { network_name = \"a\", ifac_bits = 12 }",
            "/etc/nexus.toml:4: access codes have 8 to 512",
        ),
        (
            "access = { network_name = \"a\", ifac_bits = 520 }",
            "/etc/nexus.toml:4: access codes have 8 to 512",
        ),
    ] {
        is_refused(&format!("{tcp}{written}"), sentence);
    }
    is_refused(
        "[[udp]]\naccess = { network_name = \"mynet\" }",
        "/etc/nexus.toml:2: `access` is for interfaces in reticulum mode",
    );
}

fn is_refused(text: &str, sentence: &str) {
    let refusal = parse(text).unwrap_err();
    assert!(refusal.starts_with(sentence), "{text:?} → {refusal}");
    assert!(!refusal.contains('\n'), "{refusal}");
}

#[test]
fn a_radio_has_a_channel_once_region_and_duty_cycle_are_chosen() {
    let channel = |lines: &str| {
        let config = parse(&format!("[[rnode]]\nport = \"tcp://radio.example\"\n{lines}")).unwrap();
        let Medium::Rnode { port, channel } = config.interfaces[0].medium.clone() else {
            panic!("{config:?}")
        };
        assert_eq!(port.to_string(), "tcp://radio.example:7633");
        channel.map(|channel| (channel.frequency_hz(), channel.duty().hundredths_of_a_percent()))
    };
    assert_eq!(channel(""), None);
    assert_eq!(channel("region = \"EU868\""), None);
    assert_eq!(channel("duty_cycle = \"1 %\""), None);
    assert_eq!(channel("region = \"EU868\"\nduty_cycle = \"0.5 %\""), Some((869_525_000, 50)));
    assert_eq!(channel("region = \"EU868\"\nduty_cycle = \"0.05%\""), Some((869_525_000, 5)));
    let own = "frequency = 868300000\nbandwidth = 125000\nspreading_factor = 9\ntx_power = 10";
    let chosen = channel(&format!("region = \"EU868\"\nduty_cycle = \"1 %\"\n{own}"));
    assert_eq!(chosen, Some((868_300_000, 100)));
}

#[test]
fn an_interface_of_any_kind_has_a_price_and_says_so() {
    for kind in [
        "[[udp]]",
        "[[tcp]]\nlisten = \"[::]:1\"",
        "[[tcp]]\nconnect = [\"a:1\"]",
        "[[pipe]]\ncommand = [\"x\"]",
        "[[rnode]]\nport = \"/dev/a\"",
        "[[serial]]\nport = \"/dev/a\"",
    ] {
        let asked = |price: &str| parse(&format!("{kind}\n{price}")).unwrap().interfaces.remove(0);
        let (free, dear) = (asked(""), asked("price = 250"));
        assert_eq!((free.price, dear.price), (0, 250), "{kind}");
        assert!(dear.to_string().ends_with(", asks 250 µNXS for 1,024 bytes"));
        assert!(!free.to_string().contains("asks"));
        assert!(free.stays_open_as(&dear) && free != dear, "it is changed while it is open");
    }
}

#[test]
fn neighbours_are_weighed_by_their_ids() {
    let id = "00112233445566778899aabbccddeeff";
    let weights = parse(&format!("[weights]\n\"{id}\" = 3\n")).unwrap().weights;
    assert_eq!(weights, BTreeMap::from([(node_id(id).unwrap(), Weight::new(3).unwrap())]));
    for wrong in ["0", "65536", "-1", "1.5", "\"3\""] {
        let refusal = parse(&format!("\n[weights]\n\"{id}\" = {wrong}\n")).unwrap_err();
        assert!(
            refusal.contains(":3: ") && refusal.contains("a weight is a whole number from 1"),
            "{refusal}"
        );
    }
    let refusal = parse("[weights]\nanna = 3\n").unwrap_err();
    assert!(refusal.contains("\"anna\" is no node id"), "{refusal}");
}

#[test]
fn an_interface_in_reticulum_mode_has_a_role_and_one_of_links_has_none() {
    for kind in [
        "[[udp]]\npeers = [\"a:1\"]",
        "[[tcp]]\nlisten = \"[::]:1\"",
        "[[tcp]]\nconnect = [\"a:1\"]",
        "[[pipe]]\ncommand = [\"x\"]",
        "[[rnode]]\nport = \"/dev/a\"",
        "[[serial]]\nport = \"/dev/a\"",
    ] {
        let parsed = |rest: &str| parse(&format!("{kind}\n{rest}")).map(|mut it| it.interfaces.remove(0));
        assert_eq!(parsed("mode = \"reticulum\"").unwrap().role, Role::Full, "{kind}");
        for role in Role::ALL {
            let text = format!("mode = \"reticulum\"\nrole = {:?}", role.name());
            assert_eq!(parsed(&text).unwrap().role, role, "{kind}");
        }
        let other = parsed("mode = \"reticulum\"\nrole = \"boundary\"").unwrap();
        let full = parsed("mode = \"reticulum\"").unwrap();
        assert!(!full.stays_open_as(&other), "another role is another interface: {kind}");
        assert!(other.to_string().ends_with(", in reticulum mode, as boundary"), "{other}");
        assert!(
            parsed("role = \"gateway\"").unwrap_err().contains("`role` is for interfaces in reticulum mode")
        );
        let heavy = parsed("mode = \"reticulum\"\ngravity = 9").unwrap();
        assert_eq!((full.gravity, heavy.gravity), (0, 9), "{kind}");
        assert!(!full.stays_open_as(&heavy), "another gravity is another interface: {kind}");
        assert!(heavy.to_string().ends_with(", in reticulum mode, of gravity 9"), "{heavy}");
        assert!(parsed("gravity = 9").unwrap_err().contains("`gravity` is for interfaces in reticulum mode"));
        let heaviest = parsed("mode = \"reticulum\"\ngravity = 256").unwrap_err();
        assert!(heaviest.contains("a `gravity` is a whole number from 0 to 255"), "{heaviest}");
        let unknown = parsed("mode = \"reticulum\"\nrole = \"hub\"").unwrap_err();
        assert!(unknown.contains("\"hub\" is no role: say one of \"full\","), "{unknown}");
    }
}

#[test]
fn a_path_policy_and_silence_on_traces_are_chosen() {
    let config = parse("path_policy = \"cheapest\"\nanswer_traces = false").unwrap();
    assert_eq!((config.path_policy, config.traces), (PathPolicy::Cheapest, Traces::Unanswered));
    let default = parse("").unwrap();
    assert_eq!((default.path_policy, default.traces), (PathPolicy::Balanced, Traces::Answered));
}

#[test]
fn a_duty_cycle_is_written_in_one_way() {
    for wrong in [
        "10",
        "10 percent",
        "-1 %",
        "+1 %",
        "1,5 %",
        "0 %",
        "0.001 %",
        "100.01 %",
        "101 %",
        " %",
        "1. %",
        "99999 %",
    ] {
        let text = format!("[[rnode]]\nport = \"/dev/a\"\nduty_cycle = \"{wrong}\"");
        let refusal = parse(&text).unwrap_err();
        assert!(refusal.contains("is no duty cycle"), "{wrong}: {refusal}");
    }
}
