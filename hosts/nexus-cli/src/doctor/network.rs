//! The port, the LAN, the firewall.

use std::fs;

use super::machine::Machine;
use super::{Case, Finding};

/// The UDP port of a node without configuration.
const PORT: u16 = 4_777;
/// A network interface is in use (`IFF_UP` of netdevice(7)).
const UP: u32 = 0x1;
/// It is the loopback.
const LOOPBACK: u32 = 0x8;
/// It carries multicast.
const MULTICAST: u32 = 0x1000;

/// Nobody but the node holds the port.
pub(super) fn port(case: &Case) -> Vec<Finding> {
    // A node that runs has its port, or says on its interface what is wrong with it.
    let inodes = if case.daemon.is_ok() { vec![] } else { holding_sockets(&case.machine) };
    let Some(inode) = inodes.first() else {
        return vec![];
    };
    let finding = match process_with(&case.machine, inode) {
        Some((pid, name)) => Finding::problem(
            format!("UDP port {PORT} is held by {name} (process {pid}): the node cannot have it"),
            format!("kill {pid}"),
        ),
        None => Finding::problem(
            format!("UDP port {PORT} is held by a process of another user: the node cannot have it"),
            format!("sudo ss -ulpn sport = :{PORT}"),
        ),
    };
    vec![finding]
}

/// The inodes of the UDP sockets that are bound to the port, from `/proc/net/udp` and `udp6` (proc(5)).
fn holding_sockets(machine: &Machine) -> Vec<String> {
    let tables = machine.read("proc/net/udp") + &machine.read("proc/net/udp6");
    let holds = |line: &str| {
        let mut fields = line.split_whitespace();
        let port = fields.nth(1)?.rsplit_once(':')?.1;
        (u16::from_str_radix(port, 16) == Ok(PORT)).then(|| fields.nth(7).map(str::to_owned))?
    };
    tables.lines().filter_map(holds).collect()
}

/// The process that has a socket open, as far as this user may see it.
fn process_with(machine: &Machine, inode: &str) -> Option<(String, String)> {
    let socket = format!("socket:[{inode}]");
    let numbered = |path: &std::path::PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.to_owned())
    };
    machine.list("proc").iter().filter_map(numbered).find_map(|pid| {
        let open = machine.list(&format!("proc/{pid}/fd"));
        open.iter()
            .any(|file| fs::read_link(file).is_ok_and(|target| target.as_os_str() == socket.as_str()))
            .then(|| {
                let name = machine.read(&format!("proc/{pid}/comm")).trim().to_owned();
                (pid, name)
            })
    })
}

/// Some network interface can find others on a LAN.
pub(super) fn multicast(case: &Case) -> Vec<Finding> {
    let machine = &case.machine;
    let flags = |path: &std::path::PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let text = machine.read(&format!("sys/class/net/{name}/flags"));
        Some((name, u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()?))
    };
    let interfaces: Vec<_> = machine.list("sys/class/net").iter().filter_map(flags).collect();
    let can = |flags: u32, wanted: u32| flags & LOOPBACK == 0 && flags & wanted == wanted;
    if interfaces.iter().any(|(_, flags)| can(*flags, UP | MULTICAST)) {
        return vec![];
    }
    let mend = match interfaces.iter().find(|(_, flags)| can(*flags, MULTICAST)) {
        Some((name, _)) => format!("sudo ip link set {name} up"),
        None => "ip link show".to_owned(),
    };
    let sentence = "no network interface is up that carries multicast: nobody is found on the LAN".to_owned();
    vec![Finding::problem(sentence, mend)]
}

/// A firewall that is at work may have to be told of the port.
pub(super) fn firewall(case: &Case) -> Vec<Finding> {
    let machine = &case.machine;
    let at_work = machine.at("sys/module/nf_tables").exists()
        || ["proc/net/ip_tables_names", "proc/net/ip6_tables_names"]
            .iter()
            .any(|file| !machine.read(file).is_empty());
    if !at_work {
        return vec![];
    }
    let commands = [
        ("ufw", format!("sudo ufw allow {PORT}/udp")),
        ("firewall-cmd", format!("sudo firewall-cmd --permanent --add-port={PORT}/udp")),
        ("nft", format!("sudo nft add rule inet filter input udp dport {PORT} accept")),
        ("iptables", format!("sudo iptables -A INPUT -p udp --dport {PORT} -j ACCEPT")),
    ];
    let mend =
        commands.into_iter().find(|(program, _)| machine.has_program(program)).map(|(_, command)| command);
    let sentence = format!("a firewall may be at work: if neighbours are not found, let UDP port {PORT} in");
    vec![Finding::note(sentence, mend)]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::doctor::Weight;
    use crate::doctor::running::tests::status;
    use crate::doctor::tests::{case, lay, sentences};

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
   12: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 777 2 0000000000000000 0
   13: 00000000:12A9 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4242 2 0000000000000000 0
";

    #[test]
    fn the_process_that_holds_the_port_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        assert_eq!(port(&case), []);
        lay(&directory, "proc/net/udp", TABLE);
        assert!(sentences(&port(&case))[0].contains("a process of another user"));
        lay(&directory, "proc/77/comm", "other\n");
        lay(&directory, "proc/4711/comm", "squatter\n");
        lay(&directory, "proc/4711/fd/keep", "");
        symlink("socket:[4242]", directory.path().join("proc/4711/fd/3")).unwrap();
        let found = port(&case);
        assert_eq!(
            sentences(&found),
            ["UDP port 4777 is held by squatter (process 4711): the node cannot have it"]
        );
        assert_eq!(found[0].mend.as_deref(), Some("kill 4711"));
        case.daemon = Ok(status());
        assert_eq!(port(&case), [], "the node that runs has what it needs");
    }

    #[test]
    fn a_port_held_on_the_newer_protocol_is_found_too() {
        let directory = tempfile::tempdir().unwrap();
        lay(
            &directory,
            "proc/net/udp6",
            &TABLE.replace("00000000:12A9", "00000000000000000000000000000000:12A9"),
        );
        assert_eq!(port(&case(&directory)).len(), 1);
    }

    #[test]
    fn a_machine_without_a_lan_is_found_and_told_which_interface_to_bring_up() {
        let directory = tempfile::tempdir().unwrap();
        let case = case(&directory);
        assert_eq!(multicast(&case)[0].mend.as_deref(), Some("ip link show"));
        lay(&directory, "sys/class/net/lo/flags", "0x9\n");
        lay(&directory, "sys/class/net/tun0/flags", "0x1091\n");
        lay(&directory, "sys/class/net/wlan0/flags", "0x1002\n");
        lay(&directory, "sys/class/net/tun0/flags", "0x91\n");
        assert_eq!(multicast(&case)[0].mend.as_deref(), Some("sudo ip link set wlan0 up"));
        lay(&directory, "sys/class/net/wlan0/flags", "0x1003\n");
        assert_eq!(multicast(&case), []);
    }

    #[test]
    fn a_firewall_is_a_note_with_the_command_of_the_tool_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let case = case(&directory);
        lay(&directory, "usr/sbin/nft", "");
        assert_eq!(firewall(&case), [], "installed is not at work");
        lay(&directory, "proc/net/ip_tables_names", "filter\n");
        let found = firewall(&case);
        assert_eq!(found[0].weight, Weight::Note);
        assert_eq!(
            found[0].mend.as_deref(),
            Some("sudo nft add rule inet filter input udp dport 4777 accept")
        );
        lay(&directory, "usr/sbin/ufw", "");
        assert_eq!(firewall(&case)[0].mend.as_deref(), Some("sudo ufw allow 4777/udp"));
    }
}
