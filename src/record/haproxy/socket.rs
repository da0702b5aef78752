//! The runtime socket: one command per connection, the answer ends with the connection (management guide,
//! chapter 9.3). Only `show` commands are ever sent.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::domain::balancer::StateAddress;
use crate::record::{MAX_BYTES, ReadError};

pub(super) struct Socket<'a> {
    address: &'a StateAddress,
    place: &'a str,
    /// Bytes that may still come, over all answers of this reading.
    left: usize,
}

impl<'a> Socket<'a> {
    pub(super) fn new(address: &'a StateAddress, place: &'a str) -> Self {
        Self { address, place, left: MAX_BYTES }
    }

    /// The answer to one command; bytes that are not UTF-8 are replaced.
    pub(super) async fn ask(&mut self, command: &str) -> Result<String, ReadError> {
        let answer = match self.address {
            StateAddress::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|e| ReadError::io(self.place, &e))?;
                exchange(stream, command, self.left).await
            }
            StateAddress::Tcp(address) | StateAddress::Http(address) => {
                let unreachable = |e: std::io::Error| ReadError::Unreachable { place: self.place.to_owned(), why: e.to_string() };
                exchange(TcpStream::connect(address).await.map_err(unreachable)?, command, self.left).await
            }
        };
        let bytes = answer.map_err(|e| ReadError::io(self.place, &e))?;
        match self.left.checked_sub(bytes.len()) {
            Some(left) => self.left = left,
            None => return Err(ReadError::Flood { place: self.place.to_owned() }),
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Reads one byte more than allowed at most, so that too much can be told from just enough.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, command: &str, most: usize) -> std::io::Result<Vec<u8>> {
    stream.write_all(format!("{command}\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(most as u64 + 1).read_to_end(&mut answer).await?;
    Ok(answer)
}
