//! The user id at the other end of a local connection, from the kernel's table of sockets.
//!
//! An agent with our own user id could read our memory: then everything here is only advisory, and
//! whoever asks must know.

use std::net::{IpAddr, SocketAddr};

use tagout_core::pipeline::Peer;

/// Who is at `peer`, as far as the kernel says. For peers on this machine only.
pub async fn look_up(peer: SocketAddr, local: SocketAddr) -> Peer {
    let address = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    if !is_local(address.ip(), local.ip().to_canonical()) {
        return Peer { address, uid: None };
    }
    let looking = tokio::task::spawn_blocking(move || uid_of(peer, local));
    Peer {
        address,
        uid: looking.await.ok().flatten(),
    }
}

/// A connection from an address of this machine comes from this machine.
fn is_local(peer: IpAddr, local: IpAddr) -> bool {
    peer.is_loopback() || peer == local
}

fn uid_of(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .find_map(|table| {
            let table = std::fs::read_to_string(table).ok()?;
            find(&table, peer, local)
        })
}

/// The peer's socket is the one whose local end is the peer's address and whose remote end is ours.
fn find(table: &str, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (from, to) = (fields.nth(1)?, fields.next()?);
        if address(from)? != canonical(peer) || address(to)? != canonical(local) {
            return None;
        }
        fields.nth(4)?.parse().ok()
    })
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// `0100007F:1F90`: the address as 32-bit words in the machine's byte order, then the port.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |text: &str| Some(u32::from_str_radix(text, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(word(ip)?),
        32 => {
            let mut bytes = [0; 16];
            for (index, out) in bytes.chunks_exact_mut(4).enumerate() {
                out.copy_from_slice(&word(ip.get(index * 8..index * 8 + 8)?)?);
            }
            IpAddr::from(bytes)
        }
        _ => return None,
    };
    Some((ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[tokio::test]
    async fn our_own_connection_has_our_own_uid() {
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = tokio::net::TcpListener::bind(bind).await else {
                continue; // a machine without IPv6
            };
            let client = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap();
            let (server, peer) = listener.accept().await.unwrap();
            let found = look_up(peer, server.local_addr().unwrap()).await;
            assert_eq!(found.uid, Some(own));
            assert_eq!(found.address, client.local_addr().unwrap());
        }
    }

    #[test]
    fn only_the_very_connection_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 1 1\n\
            1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1 1\n";
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        assert_eq!(find(table, at(50000), at(8080)), Some(1000));
        assert_eq!(find(table, at(50001), at(8080)), None);
    }
}
