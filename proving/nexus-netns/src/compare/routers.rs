//! Routers of Debian, as processes in each place.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use nexus_netns::{LabError, Net};

/// A router in each place.
pub(super) struct Routers {
    processes: Vec<Child>,
    states: tempfile::TempDir,
}

impl Drop for Routers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ended_already = process.kill();
            let _no_other_waits = process.wait();
        }
    }
}

/// babeld on every cable, with these options for each.
pub(super) fn babeld(net: &Net, options: &str) -> Result<Routers, LabError> {
    start(net, ("babeld", "babeld"), |state, place, command| {
        let interfaces = net.cables_at(place).map(|cable| {
            let name = &cable.end(place).interface;
            format!("interface {name} type wired {options}\n")
        });
        let config = String::from("redistribute local ip 10.78.0.0/24\nredistribute local deny\n");
        let config = config + &interfaces.collect::<String>();
        command.arg("-c").arg(state.join("config"));
        command.arg("-S").arg(state.join("babel-state"));
        command.arg("-I").arg(state.join("pid"));
        config
    })
}

/// BIRD with OSPF on every cable, which BFD watches.
pub(super) fn bird(net: &Net) -> Result<Routers, LabError> {
    start(net, ("bird", "bird2"), |state, place, command| {
        command.arg("-f").arg("-c").arg(state.join("config"));
        command.arg("-s").arg(state.join("control"));
        command.arg("-P").arg(state.join("pid"));
        format!(
            "router id {};\n\
             protocol device {{}}\n\
             protocol kernel {{ ipv4 {{ export all; }}; }}\n\
             protocol bfd {{ interface \"v*\" {{ min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }}; }}\n\
             protocol ospf v2 {{\n\
               ipv4 {{ import all; }};\n\
               area 0 {{ interface \"v*\" {{ type ptp; bfd yes; }}; interface \"lo\" {{ stub; }}; }};\n\
             }}\n",
            Net::address(place)
        )
    })
}

fn start(
    net: &Net,
    (program, package): (&str, &'static str),
    mut configure: impl FnMut(&Path, usize, &mut Command) -> String,
) -> Result<Routers, LabError> {
    let failed = |cause| LabError::System { what: format!("a folder for {program}"), cause };
    let states = tempfile::tempdir().map_err(failed)?;
    let mut routers = Routers { processes: Vec::new(), states };
    for place in 0..net.places() {
        let state = routers.states.path().join(place.to_string());
        std::fs::create_dir(&state).map_err(failed)?;
        let mut command = net.place(place).command(program);
        let config = configure(&state, place, &mut command);
        std::fs::write(state.join("config"), config).map_err(failed)?;
        let log = std::fs::File::create(state.join("log")).map_err(failed)?;
        let log_too = log.try_clone().map_err(failed)?;
        let process = command.stdin(Stdio::null()).stdout(log).stderr(log_too).spawn();
        routers.processes.push(process.map_err(|cause| LabError::Missing {
            program: program.to_owned(),
            package,
            cause,
        })?);
    }
    Ok(routers)
}
