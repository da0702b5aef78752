//! The balancer that stopped answering: an admin API on loopback that says one thing, and then a port that is held and
//! silent, so that no other program ever answers in its place.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

/// Answers every request with `json`, until it is aborted.
pub async fn answer(listener: TcpListener, json: &'static str) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = [0; 1024];
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{json}",
            json.len()
        );
        // The recorder notes what goes wrong.
        if stream.read(&mut request).await.is_ok() {
            let _ = stream.write_all(text.as_bytes()).await;
        }
    }
}

/// Holds the port without listening: who connects is refused. None when somebody else has it already.
pub fn hold(address: SocketAddr) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.set_reuseaddr(true).ok()?;
    socket.bind(address).ok()?;
    Some(socket)
}
