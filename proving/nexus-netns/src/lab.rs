//! Places with a network of their own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use thiserror::Error;

/// What went wrong, as a sentence.
#[derive(Debug, Error)]
pub enum LabError {
    /// This process may not have networks of its own.
    #[error(
        "network namespaces cannot be made here, which takes root with CAP_SYS_ADMIN, or a system that lets its users have \
         user namespaces: {0}"
    )]
    NotPermitted(String),
    /// A program that is needed is not there.
    #[error("`{program}` cannot be started (Debian has it in {package}): {cause}")]
    Missing {
        /// The program.
        program: String,
        /// Where it comes from.
        package: &'static str,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A program did not do what it was asked for.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// What it said.
        said: String,
    },
    /// A file or a socket failed.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// Something did not come about in time.
    #[error("{0}")]
    Late(String),
}

impl LabError {
    /// `what` was tried, and the system refused.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |cause| Self::System { what, cause }
    }
}

/// Places, and who may do what in them.
#[derive(Debug)]
pub struct Lab {
    places: Vec<Place>,
}

/// A network of its own. It ends with this value, and with this process.
#[derive(Debug)]
pub struct Place {
    holder: Holder,
    power: Power,
}

/// What lets this process make namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    /// It is root.
    Root,
    /// It is root within a user namespace, in which the first place's holder is.
    Within(u32),
}

/// A process that is in a namespace and does nothing: it reads a pipe until that is closed.
#[derive(Debug)]
struct Holder {
    process: Child,
    _its_answer: BufReader<ChildStdout>,
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _no_other_waits = self.process.wait();
    }
}

/// Says that it is there, then waits.
const HOLD: [&str; 3] = ["sh", "-c", "echo here && exec cat"];
/// What a network needs before it has cables: packets are carried on, whatever way their answers take, and addresses can be
/// used at once.
const PREPARE: &str = "ip link set dev lo up
write() { [ ! -e /proc/sys/net/$2 ] || echo $1 >/proc/sys/net/$2; }
write 1 ipv4/ip_forward
write 1 ipv6/conf/all/forwarding
write 0 ipv4/conf/all/rp_filter
write 0 ipv4/conf/default/rp_filter
write 0 ipv6/conf/default/accept_dad";

impl Lab {
    /// So many places, without cables.
    pub fn of(count: usize) -> Result<Self, LabError> {
        let mut places: Vec<Place> = Vec::new();
        let mut power = Power::Root;
        while places.len() < count {
            let holder = match (Holder::within(power), places.first()) {
                // Root within a user namespace of one's own is enough, where that is allowed.
                (Err(LabError::NotPermitted(_)), None) => {
                    let holder = Holder::in_user_namespace()?;
                    power = Power::Within(holder.process.id());
                    holder
                }
                (outcome, _) => outcome?,
            };
            let place = Place { holder, power };
            place.run("sh", &["-e", "-c", PREPARE])?;
            places.push(place);
        }
        Ok(Self { places })
    }

    /// A place by its number, from 0.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    #[must_use]
    pub fn place(&self, number: usize) -> &Place {
        &self.places[number]
    }
}

impl Place {
    /// A command that runs in this place. What is spawned is the program itself: its process id is the program's.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.power.enter(Some(self.holder.process.id()));
        command.arg(program).stdin(Stdio::null());
        command
    }

    /// The process that holds it.
    pub(crate) fn holder(&self) -> u32 {
        self.holder.process.id()
    }

    /// Runs a program in this place to its end; what it printed.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String, LabError> {
        let output = self.command(program).args(arguments).output();
        let output = output.map_err(|cause| LabError::Missing {
            program: "nsenter".to_owned(),
            package: "util-linux",
            cause,
        })?;
        printed(&output, || format!("{program} {}", arguments.join(" ")))
    }
}

fn printed(output: &Output, command: impl FnOnce() -> String) -> Result<String, LabError> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(LabError::Failed { command: command(), said });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Power {
    /// A command that runs what follows in the network of `process`, or in this process's own network.
    fn enter(self, process: Option<u32>) -> Command {
        let mut command = Command::new("nsenter");
        if let Self::Within(user) = self {
            command.arg(format!("--user=/proc/{user}/ns/user")).arg("--preserve-credentials");
        }
        if let Some(process) = process {
            command.arg(format!("--net=/proc/{process}/ns/net"));
        }
        command
    }
}

impl Holder {
    fn within(power: Power) -> Result<Self, LabError> {
        let mut command = match power {
            Power::Root => Command::new("unshare"),
            Power::Within(_) => {
                let mut command = power.enter(None);
                command.arg("unshare");
                command
            }
        };
        command.arg("--net");
        Self::start(command)
    }

    fn in_user_namespace() -> Result<Self, LabError> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net"]);
        Self::start(command)
    }

    fn start(mut command: Command) -> Result<Self, LabError> {
        command.args(HOLD).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|cause| LabError::Missing {
            program: "unshare".to_owned(),
            package: "util-linux",
            cause,
        })?;
        let stdout = process.stdout.take().expect("its output was asked for");
        let mut answer = BufReader::new(stdout);
        let mut line = String::new();
        let said = answer.read_line(&mut line);
        if said.is_ok() && line == "here\n" {
            return Ok(Self { process, _its_answer: answer });
        }
        let mut why = String::new();
        if let Some(mut stderr) = process.stderr.take()
            && stderr.read_to_string(&mut why).is_err()
        {
            why.push_str("it does not say why");
        }
        drop(Self { process, _its_answer: answer });
        Err(LabError::NotPermitted(why.trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_a_network_of_its_own_which_ends_with_it() {
        let lab = Lab::of(2).unwrap_or_else(|error| panic!("{error}"));
        let networks =
            [0, 1].map(|number| lab.place(number).run("readlink", &["/proc/self/ns/net"]).unwrap());
        let outside = std::fs::read_link("/proc/self/ns/net").unwrap();
        assert_ne!(networks[0], networks[1]);
        assert!(networks.iter().all(|network| network.trim() != outside.to_string_lossy()), "{networks:?}");
        let holders = [0, 1].map(|number| lab.place(number).holder());
        drop(lab);
        assert!(
            holders.iter().all(|holder| !std::path::Path::new(&format!("/proc/{holder}/ns/net")).exists())
        );
    }

    #[test]
    fn what_fails_in_a_place_is_told_with_what_it_said() {
        let lab = Lab::of(1).unwrap_or_else(|error| panic!("{error}"));
        let error = lab.place(0).run("sh", &["-c", "echo why >&2; exit 3"]).unwrap_err().to_string();
        assert_eq!(error, "`sh -c echo why >&2; exit 3` failed: why");
    }

    #[test]
    fn where_a_network_cannot_be_made_one_sentence_says_what_is_missing() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'unshare failed: Operation not permitted' >&2; exit 1"]);
        let error = Holder::start(command).unwrap_err().to_string();
        assert!(error.contains("CAP_SYS_ADMIN") && error.ends_with("Operation not permitted"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
