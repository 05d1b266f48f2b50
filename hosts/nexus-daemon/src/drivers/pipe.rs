//! A child process: HDLC on its standard input and output. Spec: `spec/node.md#pipe`.

use std::process::Stdio;

use nexus_network::{Access, DutyCycle, Mode, Profile, Reach, Role, Timing};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

pub use super::backoff::Settings as Backoff;
use super::{backoff, stream};
use crate::driver::{
    Carrier, HostGone, Line, Medium, News, OpenError, Opening, Outbox, Outgoing, Port, Started,
};

/// A program that carries frames. It is started again when it ends, and ended with the medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipe {
    /// The program and its arguments; no shell is involved.
    pub command: Vec<String>,
    /// Which bytes are spoken.
    pub mode: Mode,
    /// The nominal rate in bits per second; 0 if unknown.
    pub bandwidth_bps: u64,
    /// The longest frame in bytes.
    pub frame_size: u16,
    /// How long to wait between starts.
    pub backoff: Backoff,
}

/// How long a program may take to end after its input was closed.
const ENDING: Duration = Duration::from_secs(1);
/// How much of a line that the program says is logged, in bytes.
const LOG_LINE: usize = 512;

impl Pipe {
    /// The longest frame unless configured, in bytes.
    pub const FRAME_SIZE: u16 = 1_064;

    const fn profile(&self) -> Profile {
        Profile {
            mode: self.mode,
            reach: Reach::PointToPoint,
            access: Access::Direct,
            bandwidth_bps: self.bandwidth_bps,
            frame_size: self.frame_size,
            timing: Timing::Rate,
            duty: DutyCycle::UNLIMITED,
            sub_band: None,
            overhead: stream::framing_overhead(stream::Framing::Hdlc),
            price: 0,
            role: Role::Full,
            gravity: 0,
        }
    }
}

impl Medium for Pipe {
    fn open(&self, line: Line) -> Result<Started, OpenError> {
        if self.command.is_empty() {
            return Err(OpenError::NoProgram { name: line.name().to_owned() });
        }
        let settings = self.clone();
        let task = tokio::spawn(async move {
            // When nobody listens any more, there is nobody to tell.
            let _host_gone = serve(&settings, line).await;
        });
        Ok(Started { task, address: None })
    }

    fn kind(&self) -> &'static str {
        "pipe"
    }
}

async fn serve(settings: &Pipe, mut line: Line) -> Result<(), HostGone> {
    let (outbox, mut outgoing) = Outbox::new();
    let opening = Opening {
        name: line.name().to_owned(),
        kind: "pipe",
        profile: settings.profile(),
        carrier: Carrier::Down,
        driver: Box::new(outbox),
    };
    let port = line.open(opening).await?;
    let mut waits = match backoff::Backoff::new(settings.backoff) {
        Ok(waits) => waits,
        Err(cause) => return port.tell(News::Closed { why: cause.to_string() }).await,
    };
    loop {
        let began = Instant::now();
        match Program::start(&settings.command) {
            Ok(mut program) => match program.carry(&mut outgoing, &port, settings, &mut line).await? {
                Ending::Stopped => break,
                Ending::Program(why) => {
                    tracing::warn!(interface = line.name(), why, "the program ended");
                    port.tell(News::Carrier(Carrier::Down)).await?;
                }
            },
            Err(cause) => {
                line.counters().count_error();
                tracing::warn!(interface = line.name(), %cause, "the program cannot be started");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(waits.after(began.elapsed())) => {}
            () = line.stopped() => break,
        }
    }
    port.tell(News::Closed { why: "it was closed".into() }).await
}

/// Why a program is not carried on with.
enum Ending {
    Stopped,
    Program(String),
}

/// A running program.
struct Program {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    errors: ChildStderr,
}

impl Program {
    fn start(command: &[String]) -> std::io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // An interrupt from the terminal is for the node, which then ends its programs in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let errors = child.stderr.take().ok_or_else(missing)?;
        Ok(Self { child, input, output, errors })
    }

    /// Carries frames until the program or the medium ends; the program is gone then.
    async fn carry(
        &mut self,
        outgoing: &mut mpsc::Receiver<Outgoing>,
        port: &Port,
        settings: &Pipe,
        line: &mut Line,
    ) -> Result<Ending, HostGone> {
        // What was for an earlier program is of no use to this one.
        while outgoing.try_recv().is_ok() {}
        port.tell(News::Carrier(Carrier::Up)).await?;
        let Self { child, input, output, errors } = self;
        let name = line.name().to_owned();
        let ending = tokio::select! {
            why = stream::carry(
                output, &mut *input, outgoing, port, settings.frame_size, stream::Patience::ENDLESS
            ) => Ending::Program(why?),
            () = log(BufReader::new(errors), &name) => Ending::Program("its output was closed".into()),
            () = line.stopped() => Ending::Stopped,
        };
        end(child, input).await;
        Ok(ending)
    }
}

/// Closes the program's input, and ends it by its id if it does not end by itself.
async fn end(child: &mut Child, input: &mut ChildStdin) {
    use tokio::io::AsyncWriteExt as _;
    let _broken = input.shutdown().await;
    if tokio::time::timeout(ENDING, child.wait()).await.is_err() {
        let _already_gone = child.kill().await;
    }
}

/// Logs what the program says of itself, in pieces of bounded length. Never returns: a program may close this and live on.
async fn log(mut errors: impl AsyncBufRead + Unpin, name: &str) {
    let mut said = Vec::new();
    while let Ok(bytes) = errors.fill_buf().await
        && !bytes.is_empty()
    {
        let length = bytes.len();
        for byte in bytes {
            if *byte == b'\n' || said.len() >= LOG_LINE {
                tracing::info!(interface = name, "{}", String::from_utf8_lossy(&said).escape_debug());
                said.clear();
            }
            if *byte != b'\n' {
                said.push(*byte);
            }
        }
        errors.consume(length);
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::rig::{PATIENCE, Rig};

    #[tokio::test]
    async fn frames_go_through_the_program_and_back() {
        let mut pipe = Rig::open(&pipe(&["cat"])).unwrap();
        let interface = pipe.opened().await;
        assert_eq!(pipe.carrier().await, Carrier::Up);
        for frame in [&[1][..], &[0x7e, 0x7d], &[9; 1_064]] {
            pipe.send(&*interface.driver, None, frame).await;
            assert_eq!(pipe.received().await.1, frame);
        }
    }

    #[tokio::test]
    async fn a_program_that_ends_is_started_again() {
        // It passes on one frame of two bytes with its delimiters.
        let mut pipe = Rig::open(&pipe(&["head", "-c", "4"])).unwrap();
        let interface = pipe.opened().await;
        for _ in 0..3 {
            assert_eq!(pipe.carrier().await, Carrier::Up);
            assert_eq!(interface.driver.transmit(None, vec![1, 2]), crate::driver::Handed::Pending);
            assert_eq!(pipe.received().await.1, [1, 2]);
            assert_eq!(pipe.carrier().await, Carrier::Down);
        }
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_an_error_and_tried_again() {
        let mut pipe = Rig::open(&pipe(&["/nonexistent/program"])).unwrap();
        assert_eq!(pipe.opened().await.carrier, Carrier::Down);
        let errors = std::sync::Arc::clone(&pipe.running.counters);
        let twice = async {
            while errors.errors.load(std::sync::atomic::Ordering::Relaxed) < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, twice).await.unwrap();
        pipe.close().await;
    }

    #[tokio::test]
    async fn a_program_ends_with_its_medium_even_if_it_does_not_want_to() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        // It closes nothing, reads nothing and ends by itself only after hours. It says its number, then a frame.
        let script = format!("echo $$ > {}; printf '~A~'; exec sleep 10000", file.display());
        let mut pipe = Rig::open(&pipe(&["sh", "-c", &script])).unwrap();
        let _interface = pipe.opened().await;
        assert_eq!(pipe.received().await.1, b"A");
        let number = std::fs::read_to_string(&file).unwrap();
        let process = Path::new("/proc").join(number.trim());
        assert!(process.exists());
        pipe.close().await;
        assert!(!process.exists());
    }

    #[tokio::test]
    async fn an_empty_command_is_refused() {
        let refusal = Rig::open(&pipe(&[])).err().unwrap().to_string();
        assert_eq!(refusal, "test has an empty command: it needs a program to start");
    }

    fn pipe(command: &[&str]) -> Pipe {
        let millis = Duration::from_millis;
        Pipe {
            command: command.iter().map(ToString::to_string).collect(),
            mode: Mode::Nexus,
            bandwidth_bps: 0,
            frame_size: Pipe::FRAME_SIZE,
            backoff: Backoff { first: millis(5), most: millis(20), lasted: millis(1_000) },
        }
    }
}
