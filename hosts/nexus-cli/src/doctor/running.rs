//! The daemon itself, and what starts it.

use nexus_daemon::api::Code;
use nexus_daemon::client::ClientError;

use super::{Case, Finding};
use crate::quantities::price;

/// It runs and answers.
pub(super) fn node(case: &Case) -> Vec<Finding> {
    let Err(refusal) = &case.daemon else {
        return vec![];
    };
    let mend = match refusal {
        ClientError::NotRunning(_) => "nexus node start".to_owned(),
        ClientError::Forbidden(path) => format!("sudo nexus doctor --state {}", path.display()),
        ClientError::Refused(failure) if failure.code == Code::UnknownVersion => {
            "nexus node stop && nexus node start".to_owned()
        }
        ClientError::Language(_) => "nexus node stop && nexus node start".to_owned(),
        ClientError::Broken(_) | ClientError::Ended | ClientError::Refused(_) => {
            "nexus node status".to_owned()
        }
    };
    vec![Finding::problem(refusal.to_string(), mend)]
}

/// It is the program that is installed.
pub(super) fn version(case: &Case) -> Vec<Finding> {
    let (Ok(status), ours) = (&case.daemon, env!("CARGO_PKG_VERSION")) else {
        return vec![];
    };
    if status.version == ours {
        return vec![];
    }
    let sentence = format!("the node that runs is version {}, and this program is {ours}", status.version);
    vec![Finding::problem(sentence, "nexus node stop && nexus node start")]
}

/// Its interfaces are up.
pub(super) fn interfaces(case: &Case) -> Vec<Finding> {
    let Ok(status) = &case.daemon else {
        return vec![];
    };
    if status.interfaces.is_empty() {
        let sentence = "the node has no interface: nothing can come in or go out".to_owned();
        return vec![Finding::problem(sentence, "nexus node check-config")];
    }
    let priced =
        status.interfaces.iter().filter(|interface| interface.price_unxs_per_kib > 0).map(|interface| {
            let asked = price(Some(interface.price_unxs_per_kib));
            let sentence = format!("{} asks {asked} of all who are not trusted", interface.name);
            Finding::note(sentence, None)
        });
    let down = status.interfaces.iter().filter(|interface| !interface.up);
    let down = down.map(|interface| {
        let fault = interface.fault.as_deref().unwrap_or("no reason is known");
        let sentence = format!("{} ({}) is down: {fault}", interface.name, interface.address);
        let silent = interface.radio.as_ref().is_some_and(|radio| radio.state == "no_channel");
        let mend = if silent {
            "nexus node config  # shows what stands below [[rnode]]; then: nexus node reload"
        } else {
            "nexus status interfaces"
        };
        Finding::problem(sentence, mend)
    });
    down.chain(priced).collect()
}

/// Where a unit may lie.
const UNITS: [&str; 4] = [
    "etc/systemd/system/nexus-node.service",
    "usr/local/lib/systemd/system/nexus-node.service",
    "usr/lib/systemd/system/nexus-node.service",
    "lib/systemd/system/nexus-node.service",
];

/// Under systemd, a unit starts it with the machine.
pub(super) fn service(case: &Case) -> Vec<Finding> {
    let machine = &case.machine;
    if !machine.at("run/systemd/system").exists() {
        return vec![];
    }
    if !UNITS.iter().any(|unit| machine.at(unit).exists()) {
        let sentence =
            "nothing starts the node with the machine: there is no unit nexus-node.service".to_owned();
        return vec![Finding::note(sentence, None)];
    }
    let wanted = machine.at("etc/systemd/system/multi-user.target.wants/nexus-node.service");
    if wanted.symlink_metadata().is_ok() {
        return vec![];
    }
    let sentence = "nexus-node.service is there, and the machine does not start it".to_owned();
    vec![Finding::note(sentence, Some("sudo systemctl enable --now nexus-node".to_owned()))]
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::doctor::Weight;
    use crate::doctor::tests::{case, lay, sentences};
    use nexus_daemon::api::{Failure, Interface, PathPolicy, Status, Traffic};

    /// What a healthy daemon says.
    pub(in crate::doctor) fn status() -> Status {
        Status {
            node: "0".repeat(32),
            identity: "1".repeat(32),
            label: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: 42,
            uptime_s: 5,
            state: "/var/lib/nexus".to_owned(),
            lxmf: None,
            config: None,
            log: None,
            policy: "anyone".to_owned(),
            relaying: true,
            memory_bytes: 0,
            emission: None,
            interfaces: vec![Interface {
                name: "udp0".to_owned(),
                kind: "udp".to_owned(),
                mode: "nexus".to_owned(),
                up: true,
                peers: None,
                address: "[::]:4777".to_owned(),
                bandwidth_bps: 0,
                price_unxs_per_kib: 0,
                sent: Traffic::default(),
                received: Traffic::default(),
                drops: BTreeMap::new(),
                fault: None,
                radio: None,
                broadcast: None,
            }],
            links: vec![],
            path_policy: PathPolicy::Balanced,
            paths: 0,
            messages: 0,
            path_requests: BTreeMap::new(),
            refusals: BTreeMap::new(),
        }
    }

    #[test]
    fn a_healthy_daemon_has_no_findings() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        case.daemon = Ok(status());
        assert_eq!((node(&case), version(&case), interfaces(&case)), (vec![], vec![], vec![]));
    }

    #[test]
    fn a_daemon_that_does_not_run_or_answer_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        assert_eq!(node(&case)[0].mend.as_deref(), Some("nexus node start"));
        let failure = Failure { code: Code::UnknownVersion, sentence: "version 2 is not spoken".to_owned() };
        case.daemon = Err(ClientError::Refused(failure));
        assert_eq!(sentences(&node(&case)), ["version 2 is not spoken"]);
        assert_eq!((version(&case), interfaces(&case)), (vec![], vec![]), "one fault, one finding");
    }

    #[test]
    fn another_version_and_a_dead_interface_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let mut case = case(&directory);
        let mut status = status();
        status.version = "0.0.1".to_owned();
        status.interfaces[0].up = false;
        status.interfaces[0].fault = Some("Address already in use".to_owned());
        case.daemon = Ok(status.clone());
        assert!(sentences(&version(&case))[0].contains("is version 0.0.1"));
        assert_eq!(sentences(&interfaces(&case)), ["udp0 ([::]:4777) is down: Address already in use"]);
        status.interfaces[0].up = true;
        status.interfaces[0].price_unxs_per_kib = 250;
        case.daemon = Ok(status.clone());
        let [asks] = &interfaces(&case)[..] else { panic!("one note") };
        assert_eq!((asks.weight, asks.sentence.contains("not trusted")), (Weight::Note, true));
        status.interfaces.clear();
        case.daemon = Ok(status);
        assert!(sentences(&interfaces(&case))[0].contains("no interface"));
    }

    #[test]
    fn a_unit_is_missed_only_where_systemd_runs() {
        let directory = tempfile::tempdir().unwrap();
        let case = case(&directory);
        assert_eq!(service(&case), []);
        lay(&directory, "run/systemd/system/x", "");
        assert_eq!(service(&case)[0].weight, Weight::Note);
        lay(&directory, "etc/systemd/system/nexus-node.service", "");
        assert_eq!(service(&case)[0].mend.as_deref(), Some("sudo systemctl enable --now nexus-node"));
        lay(&directory, "etc/systemd/system/multi-user.target.wants/nexus-node.service", "");
        assert_eq!(service(&case), []);
    }
}
