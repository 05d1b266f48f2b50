//! A serial device without blocking, in raw mode, for one process at a time.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::termios::{
    ControlModes, OptionalActions, QueueSelector, SpecialCodeIndex, ioctl_tiocexcl, ioctl_tiocnxcl, tcflush,
    tcgetattr, tcsetattr,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// An open serial device.
#[derive(Debug)]
pub(in crate::drivers) struct Tty(AsyncFd<OwnedFd>);

impl Tty {
    /// Opens `path` and sets it up: raw, eight bits, no parity, one stop bit, no flow control, nobody else.
    pub(super) fn open(path: &Path, baud: u32) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = rustix::fs::open(path, flags, Mode::empty())?;
        let mut settings = tcgetattr(&device)?;
        // Two programs on one modem would each hear half of it. Root is let through the first refusal, so there are two.
        ioctl_tiocexcl(&device)?;
        flock(&device, FlockOperation::NonBlockingLockExclusive)?;
        settings.make_raw();
        settings.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
        settings.control_modes &= !(ControlModes::CSTOPB | ControlModes::CRTSCTS);
        settings.special_codes[SpecialCodeIndex::VMIN] = 1;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        settings.set_speed(baud)?;
        tcsetattr(&device, OptionalActions::Now, &settings)?;
        // What somebody else's session left is not this one's.
        tcflush(&device, QueueSelector::IOFlush)?;
        Self::over(device)
    }

    /// Reads and writes `device`, which does not block.
    #[expect(
        deprecated,
        reason = "it is unsound for descriptors that somebody else may close; an owned one is nobody else's, and its successor needs unsafe code"
    )]
    pub(in crate::drivers) fn over(device: OwnedFd) -> io::Result<Self> {
        AsyncFd::with_interest(device, Interest::READABLE | Interest::WRITABLE).map(Self)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // Where another process holds it open, it would stay refused to everybody. One that is gone refuses nobody.
        let _gone = ioctl_tiocnxcl(self.0.get_ref());
    }
}

impl AsyncRead for Tty {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let room = into.initialize_unfilled();
            match guard.try_io(|device| Ok(rustix::io::read(device.get_ref(), &mut *room)?)) {
                Ok(read) => return Poll::Ready(read.map(|length| into.advance(length))),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Tty {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match guard.try_io(|device| Ok(rustix::io::write(device.get_ref(), bytes)?)) {
                Ok(written) => return Poll::Ready(written),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
