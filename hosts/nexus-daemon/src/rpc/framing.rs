//! Frames of Python's `multiprocessing.connection`: a length of four bytes, the most significant first, and so many bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The next frame of at most `most` bytes; none if the other end said all. Longer ones, among them those whose length begins with a sign, are
/// an error before any byte of them is read.
pub(super) async fn read(reader: &mut (impl AsyncRead + Unpin), most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if reader.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut length[1..]).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than any question"));
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame).await?;
    Ok(Some(frame))
}

/// Writes a frame.
pub(super) async fn write(writer: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = i32::try_from(frame.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "an answer is longer than a frame"))?;
    writer.write_all(&[length.to_be_bytes().as_slice(), frame].concat()).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_read_as_they_were_written_until_the_other_end_is_done() {
        let mut written = Vec::new();
        for frame in [b"".as_slice(), b"one", &[7; 256]] {
            write(&mut written, frame).await.unwrap();
        }
        assert_eq!(written[..11], [0, 0, 0, 0, 0, 0, 0, 3, b'o', b'n', b'e']);
        let mut reader = written.as_slice();
        for frame in [b"".as_slice(), b"one", &[7; 256]] {
            assert_eq!(read(&mut reader, 256).await.unwrap().unwrap(), frame);
        }
        assert_eq!(read(&mut reader, 256).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_frame_that_is_too_long_or_cut_short_is_an_error() {
        for bytes in [&[0, 0, 1, 1][..], &[0xFF; 12], &[0x7F, 0xFF, 0xFF, 0xFF], &[0, 0], &[0, 0, 0, 3, 1]] {
            let mut reader = bytes;
            assert!(read(&mut reader, 256).await.is_err(), "{bytes:?}");
        }
    }
}
