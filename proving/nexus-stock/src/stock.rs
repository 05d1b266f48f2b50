//! The published package in a process of its own, run through its public interface and told what to do in lines of JSON.
//!
//! `cargo xtask test` installs it and names its interpreter in `NEXUS_STOCK_PYTHON`. What the lines say stands at the head of
//! `scripts/node.py`.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use std::{env, fs};

use serde_json::{Value, json};

use crate::live::PATIENCE;

/// Whether a stock node carries the packets of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// It does.
    Others,
    /// It does not.
    Itself,
}

/// The interfaces of a stock node, as its configuration has them.
#[derive(Clone, Debug, Default)]
pub struct Interfaces(String);

impl Interfaces {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Calls whoever listens at `to`. `more` are further lines of its section.
    #[must_use]
    pub fn calling(self, to: SocketAddr, more: &[&str]) -> Self {
        let (host, port) = (to.ip(), to.port());
        self.section(
            "TCPClientInterface",
            &[format!("target_host = {host}"), format!("target_port = {port}")],
            more,
        )
    }

    /// Listens at `at`.
    #[must_use]
    pub fn listening(self, at: SocketAddr, more: &[&str]) -> Self {
        let (host, port) = (at.ip(), at.port());
        self.section(
            "TCPServerInterface",
            &[format!("listen_ip = {host}"), format!("listen_port = {port}")],
            more,
        )
    }

    /// A modem at `port`, on the fastest channel that there is.
    #[must_use]
    pub fn radio(self, port: &str) -> Self {
        let lines = [
            format!("port = {port}"),
            "frequency = 867200000".to_owned(),
            "bandwidth = 500000".to_owned(),
            "txpower = 7".to_owned(),
            "spreadingfactor = 5".to_owned(),
            "codingrate = 5".to_owned(),
            "flow_control = No".to_owned(),
        ];
        self.section("RNodeInterface", &lines, &[])
    }

    /// What tests announce within a second is not held: the package holds more than three destinations a second on a fresh interface, for half
    /// a minute.
    fn section(mut self, kind: &str, lines: &[String], more: &[&str]) -> Self {
        let number = self.0.matches("[[").count();
        let lines = lines.iter().map(String::as_str).chain(more.iter().copied());
        let lines = lines.fold(String::new(), |mut text, line| {
            writeln!(text, "    {line}").expect("a string takes all");
            text
        });
        write!(
            self.0,
            "  [[if{number}]]\n    type = {kind}\n    enabled = Yes\n    ingress_control = No\n{lines}"
        )
        .expect("a string takes all");
        self
    }
}

/// Bytes as the lines of JSON have them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all");
        text
    })
}

/// A port of a loopback address that no other process uses, for programs that cannot be asked where they listen.
pub fn free_port() -> io::Result<SocketAddr> {
    let [.., high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, 77, high, low);
    TcpListener::bind((host, 0))?.local_addr()
}

/// A stock node. Ended by its own id when dropped.
pub struct StockNode {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<Value>,
    unread: VecDeque<Value>,
    directory: PathBuf,
    /// The address of its destination without ratchets.
    pub plain: String,
    /// The address of its destination with ratchets.
    pub ratcheted: String,
    /// The hash of its identity.
    pub identity: String,
}

impl StockNode {
    /// Starts a node in a directory below `home`, and waits until its interfaces are up. One that was there before is there again.
    ///
    /// # Panics
    /// If the package is not installed or does not start.
    #[must_use]
    pub fn start(home: &Path, name: &str, carries: Carries, interfaces: &Interfaces) -> Self {
        let transport = match carries {
            Carries::Others => "Yes",
            Carries::Itself => "No",
        };
        let config = format!(
            "[reticulum]\n  enable_transport = {transport}\n  share_instance = No\n  panic_on_interface_error = No\n\n\
             [interfaces]\n{}",
            interfaces.0
        );
        let (node, is_attached) = Self::configured(home, name, &config);
        assert!(!is_attached, "it has interfaces of its own");
        node
    }

    /// Starts a program as most are: attached to the shared instance of that name, which has to be there. `more` are further lines of its
    /// configuration.
    ///
    /// # Panics
    /// If the package is not installed, does not start, or is attached to nobody.
    #[must_use]
    pub fn attached(home: &Path, name: &str, instance: &str, more: &[&str]) -> Self {
        let (node, is_attached) = Self::configured(home, name, &attached(instance, more));
        assert!(is_attached, "it found nobody: {}", node.log());
        node
    }

    fn configured(home: &Path, name: &str, config: &str) -> (Self, bool) {
        let directory = home.join(name);
        fs::create_dir_all(&directory).expect("a directory for the stock node");
        fs::write(directory.join("config"), config).expect("a configuration for the stock node");
        let mut child = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/node.py"))
            .arg(&directory)
            .env("HOME", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the interpreter starts");
        let stdout = BufReader::new(child.stdout.take().expect("it was piped"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whatever else the package may print is not for the test.
                if let Ok(said) = serde_json::from_str(&line)
                    && tell.send(said).is_err()
                {
                    return;
                }
            }
        });
        let stdin = child.stdin.take().expect("it was piped");
        let (plain, ratcheted, identity) = Default::default();
        let mut node =
            Self { child, stdin, lines, unread: VecDeque::new(), directory, plain, ratcheted, identity };
        let ready = node.wait("ready");
        let text = |key: &str| ready[key].as_str().expect("an address").to_owned();
        (node.plain, node.ratcheted, node.identity) = (text("plain"), text("ratcheted"), text("ready"));
        (node, ready["attached"] == true)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it what to do.
    ///
    /// # Panics
    /// If it ended.
    pub fn tell(&mut self, what: &Value) {
        writeln!(self.stdin, "{what}").unwrap_or_else(|_| panic!("the stock node ended: {}", self.log()));
    }

    /// The next line that has `key`. Others are kept for later.
    ///
    /// # Panics
    /// If it says none in a minute.
    pub fn wait(&mut self, key: &str) -> Value {
        self.wait_for(key, |_| true)
    }

    /// The next line that has `key` and `is` right.
    ///
    /// # Panics
    /// If it says none in a minute.
    pub fn wait_for(&mut self, key: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let is_it = |line: &Value| !line[key].is_null() && is(line);
        if let Some(found) = self.unread.iter().position(is_it).and_then(|place| self.unread.remove(place)) {
            return found;
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("the stock node never said {key}, but {:?}; its log: {}", self.unread, self.log())
            };
            if is_it(&line) {
                return line;
            }
            self.unread.push_back(line);
        }
    }

    /// Waits until it heard an announce of `destination`; what it said of it.
    pub fn wait_announce(&mut self, destination: &str) -> Value {
        self.wait_for("announced", |line| line["announced"] == destination)
    }

    /// Waits until all of its interfaces are up.
    pub fn until_up(&mut self) {
        self.tell(&json!({ "do": "until_up" }));
        self.wait("up");
    }

    /// What it said so far with `key`, and was not waited for.
    pub fn said(&mut self, key: &str) -> Vec<Value> {
        self.unread.extend(self.lines.try_iter());
        self.unread.iter().filter(|line| !line[key].is_null()).cloned().collect()
    }

    /// The lines of its log that tell of something that went wrong, but for an interface that was spoken to before it was complete,
    /// which the package says of itself and mends: on a busy machine it may take seconds to be.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let wrong = ["[Critical]", "[Error]", "[Warning]", "Traceback", "Exception"];
        let mended = ["no attribute 'ifac_size'", "Attempting to reconnect..."];
        let has = |words: &[&str], line: &str| words.iter().any(|word| line.contains(word));
        let is_wrong = |line: &&str| has(&wrong, line) && !has(&mended, line);
        self.log().lines().filter(is_wrong).map(str::to_owned).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("logfile")).unwrap_or_default()
    }
}

/// Whoever runs the package's own tools.
#[derive(Debug)]
pub struct Tool(PathBuf);

impl Tool {
    /// With a configuration in a directory below `home`; `more` are further lines of it.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn attached(home: &Path, name: &str, instance: &str, more: &[&str]) -> Self {
        let directory = home.join(name);
        fs::create_dir_all(&directory).expect("a directory for the tools");
        fs::write(directory.join("config"), attached(instance, more)).expect("a configuration for the tools");
        Self(directory)
    }

    /// Starts a tool that goes on by itself, its output piped.
    ///
    /// # Panics
    /// If the package is not installed.
    #[must_use]
    pub fn start(&self, tool: &str, args: &[&str]) -> Child {
        let mut command = self.command(tool, args);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).current_dir(&self.0);
        command.spawn().expect("the tool starts")
    }

    fn command(&self, tool: &str, args: &[&str]) -> Command {
        let mut command = Command::new(Path::new(&python()).with_file_name(tool));
        command.arg("--config").arg(&self.0).args(args).env("HOME", &self.0).stdin(Stdio::null());
        command
    }

    /// With a configuration in a directory below `home`, and interfaces of its own.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn alone(home: &Path, name: &str, interfaces: &Interfaces) -> Self {
        let directory = home.join(name);
        fs::create_dir_all(&directory).expect("a directory for the tools");
        let config = format!("[reticulum]\n  share_instance = No\n\n[interfaces]\n{}", interfaces.0);
        fs::write(directory.join("config"), config).expect("a configuration for the tools");
        Self(directory)
    }

    /// What a tool prints until it ends.
    ///
    /// # Panics
    /// If the package is not installed, or the tool complains.
    #[must_use]
    pub fn run(&self, tool: &str, args: &[&str]) -> String {
        let output = self.command(tool, args).output().expect("the tool starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.is_empty(), "{tool} {args:?}: {said}{complaint}");
        said
    }
}

/// The interpreter of the environment into which the package is installed.
fn python() -> OsString {
    env::var_os("NEXUS_STOCK_PYTHON").expect(
        "NEXUS_STOCK_PYTHON is not set: run `cargo xtask test`, which installs the stock package and sets it",
    )
}

/// The configuration of a program as most are.
fn attached(instance: &str, more: &[&str]) -> String {
    let more = more.iter().fold(String::new(), |text, line| format!("{text}  {line}\n"));
    format!(
        "[reticulum]\n  enable_transport = No\n  share_instance = Yes\n  instance_name = {instance}\n{more}\n[interfaces]\n"
    )
}

impl Drop for StockNode {
    fn drop(&mut self) {
        // A node that has ended needs neither.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
