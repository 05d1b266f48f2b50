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
    assert_eq!(names, ["udp0", "tcp0", "tcp1", "pipe0"]);
    assert_eq!(config.interfaces[0].medium, Interface::default_udp().medium);
    assert_eq!(config.interfaces[3].decorations.faults.unwrap().loss, 100);
    assert_eq!(config.label.as_deref(), Some("kitchen"));
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
        assert_eq!(policy, Policy::Only([id].into()));
    }
    assert_eq!(parse(&format!("policy = \"deny\"\n{nodes}")).unwrap().policy, Policy::AllBut([id].into()));
    assert_eq!(parse("policy = \"allow\"").unwrap().policy, Policy::Only([].into()));
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
        ("[[udp]]\nfaults = { loss_permille = 1001 }", "/etc/nexus.toml:2: a share of faults is at most"),
    ] {
        let refusal = parse(text).unwrap_err();
        assert!(refusal.starts_with(sentence), "{text:?} → {refusal}");
        assert!(!refusal.contains('\n'), "{refusal}");
    }
}
