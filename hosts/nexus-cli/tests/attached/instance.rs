//! A node with a shared instance of its own name, and who is around it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nexus_daemon::api::{RnsStatus, Verb};
use nexus_stock::live::LATENCY;
use nexus_stock::stock::{Carries, Interfaces, StockNode, Tool};

use crate::nodes::Node;
use crate::place::ask;

/// A node at which programs attach, and which stock nodes may call.
pub(crate) struct Instance {
    pub(crate) node: Node,
    pub(crate) name: String,
    pub(crate) home: tempfile::TempDir,
}

impl Instance {
    pub(crate) fn start() -> Self {
        let name = fresh_name();
        let node = ask(Node::with(&config(&name)));
        Self { node, name, home: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A program of this machine, which may ask.
    pub(crate) fn program(&self, name: &str) -> StockNode {
        StockNode::attached(self.home(), name, &self.name, &[self.key_line().trim_end()])
    }

    /// The line for programs' configurations that the node made.
    pub(crate) fn key_line(&self) -> String {
        fs::read_to_string(self.node.place.state.rpc_key()).unwrap()
    }

    /// Runs a tool of the package, which may ask.
    pub(crate) fn tool(&self, name: &str, args: &[&str]) -> String {
        self.tool_with(&self.key_line(), name, args)
    }

    /// Runs a tool of the package with this line in its configuration.
    pub(crate) fn tool_with(&self, line: &str, name: &str, args: &[&str]) -> String {
        Tool::attached(self.home(), "tools", &self.name, &[line.trim_end()]).run(name, args)
    }

    pub(crate) fn status(&self) -> RnsStatus {
        ask(async { self.node.client().await.call(Verb::RnsStatus).await.unwrap() })
    }

    /// A stock node beyond this one.
    pub(crate) fn beyond(&self, name: &str) -> StockNode {
        let call = Interfaces::none().calling(self.node.at("clear").parse().unwrap(), &[]);
        StockNode::start(self.home(), name, Carries::Itself, &call)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}\n{}", self.node.place.status(), self.node.log());
        }
    }
}

/// A name that no other test of this machine uses.
pub(crate) fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("nexus-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A shared instance of that name, and an interface for stock nodes, which is as far as [`LATENCY`] from them. Its log says who was heard.
pub(crate) fn config(name: &str) -> String {
    let clear = "[[tcp]]\nname = \"clear\"\nlisten = \"127.0.0.1:0\"\nmode = \"reticulum\"\n";
    let faults = format!("faults = {{ delay_ms = {} }}\n", LATENCY.as_millis());
    format!("log_level = \"debug\"\n[shared]\ninstance = \"{name}\"\n{clear}{faults}")
}
