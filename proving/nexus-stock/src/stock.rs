//! The published package in a process of its own, run through its public interface and told what to do in lines of JSON.
//!
//! `cargo xtask test` installs it and names its interpreter in `NEXUS_STOCK_PYTHON`. What the lines say stands at the head of
//! `scripts/node.py`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::program::{Program, Start, here, python};

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

    /// Finds others of the local network, and is found.
    #[must_use]
    pub fn local_network(self, more: &[&str]) -> Self {
        self.section("AutoInterface", &[], more)
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
#[derive(Debug)]
pub struct StockNode {
    program: Program,
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
        Self::start_by(&here, home, name, carries, interfaces)
    }

    /// The same, by another way to start programs.
    ///
    /// # Panics
    /// If the package is not installed or does not start.
    #[must_use]
    pub fn start_by(
        start: Start<'_>,
        home: &Path,
        name: &str,
        carries: Carries,
        interfaces: &Interfaces,
    ) -> Self {
        let transport = match carries {
            Carries::Others => "Yes",
            Carries::Itself => "No",
        };
        let config = unattached(transport, interfaces);
        let (node, is_attached) = Self::configured(start, home, name, Some(&config));
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
        Self::attached_by(&here, home, name, instance, more)
    }

    /// The same, by another way to start programs.
    ///
    /// # Panics
    /// If the package is not installed, does not start, or is attached to nobody.
    #[must_use]
    pub fn attached_by(start: Start<'_>, home: &Path, name: &str, instance: &str, more: &[&str]) -> Self {
        let (node, is_attached) = Self::configured(start, home, name, Some(&attached(instance, more)));
        assert!(is_attached, "it found nobody: {}", node.log());
        node
    }

    /// Starts a program without a configuration, which takes the package's own defaults; whether it is attached to a shared instance.
    ///
    /// # Panics
    /// If the package is not installed or does not start.
    #[must_use]
    pub fn with_defaults_by(start: Start<'_>, home: &Path, name: &str) -> (Self, bool) {
        Self::configured(start, home, name, None)
    }

    fn configured(start: Start<'_>, home: &Path, name: &str, config: Option<&str>) -> (Self, bool) {
        let mut program = Program::start(start, "node.py", home, name, config, &[]);
        let ready = program.wait("ready");
        let text = |key: &str| ready[key].as_str().expect("an address").to_owned();
        let (plain, ratcheted, identity) = (text("plain"), text("ratcheted"), text("ready"));
        (Self { program, plain, ratcheted, identity }, ready["attached"] == true)
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
}

impl Deref for StockNode {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl DerefMut for StockNode {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
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
        let mut command = self.command(&here, tool, args);
        // What it prints is waited for.
        command.env("PYTHONUNBUFFERED", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::null()).current_dir(&self.0);
        command.spawn().expect("the tool starts")
    }

    fn command(&self, start: Start<'_>, tool: &str, args: &[&str]) -> Command {
        let mut command = start(&Path::new(&python()).with_file_name(tool).to_string_lossy());
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
        self.run_by(&here, tool, args)
    }

    /// The same, by another way to start programs.
    ///
    /// # Panics
    /// If the package is not installed, or the tool complains.
    #[must_use]
    pub fn run_by(&self, start: Start<'_>, tool: &str, args: &[&str]) -> String {
        let output = self.command(start, tool, args).output().expect("the tool starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(complaint.is_empty(), "{tool} {args:?}: {said}{complaint}");
        said
    }
}

/// The configuration of a program that has interfaces of its own.
pub(crate) fn unattached(transport: &str, interfaces: &Interfaces) -> String {
    format!(
        "[reticulum]\n  enable_transport = {transport}\n  share_instance = No\n  panic_on_interface_error = No\n\n\
         [interfaces]\n{}",
        interfaces.0
    )
}

/// The configuration of a program as most are.
pub(crate) fn attached(instance: &str, more: &[&str]) -> String {
    let more = more.iter().fold(String::new(), |text, line| format!("{text}  {line}\n"));
    format!(
        "[reticulum]\n  enable_transport = No\n  share_instance = Yes\n  instance_name = {instance}\n{more}\n[interfaces]\n"
    )
}
