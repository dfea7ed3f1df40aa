//! Which of the listener's own addresses the dialer can reach.

use std::net::IpAddr;

use libp2p::{Multiaddr, multiaddr::Protocol};

/// `addr` as it can be published, or `None` if the dialer cannot reach it.
///
/// `listen_ip` is the address we were told to listen on, `shared_ip` the one on the network shared
/// with the dialer.
pub fn reachable(addr: &Multiaddr, listen_ip: IpAddr, shared_ip: IpAddr) -> Option<Multiaddr> {
    let ip = match addr.iter().next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    // Told exactly where to listen, be it on loopback, we publish exactly that.
    if !listen_ip.is_unspecified() {
        return (ip == listen_ip).then(|| addr.clone());
    }
    if ip.is_unspecified() {
        return addr.replace(0, |_| Some(shared_ip.into()));
    }
    let local = match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local(),
    };
    // Of several networks the shared one is right. With Redis on loopback there is none to prefer.
    (!local && (ip == shared_ip || shared_ip.is_loopback())).then(|| addr.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reachable_addresses() {
        for (addr, listen_ip, shared_ip, published) in [
            ("/ip4/127.0.0.1/tcp/1", "0.0.0.0", "172.18.0.2", None),
            ("/ip4/169.254.0.1/tcp/1", "0.0.0.0", "172.18.0.2", None),
            ("/ip4/10.0.0.2/tcp/1", "0.0.0.0", "172.18.0.2", None),
            (
                "/ip4/172.18.0.2/tcp/1",
                "0.0.0.0",
                "172.18.0.2",
                Some("/ip4/172.18.0.2/tcp/1"),
            ),
            (
                "/ip4/0.0.0.0/tcp/1",
                "0.0.0.0",
                "172.18.0.2",
                Some("/ip4/172.18.0.2/tcp/1"),
            ),
            (
                "/ip4/10.0.0.2/tcp/1",
                "0.0.0.0",
                "127.0.0.1",
                Some("/ip4/10.0.0.2/tcp/1"),
            ),
            (
                "/ip4/127.0.0.1/tcp/1",
                "127.0.0.1",
                "127.0.0.1",
                Some("/ip4/127.0.0.1/tcp/1"),
            ),
        ] {
            assert_eq!(
                reachable(
                    &addr.parse().unwrap(),
                    listen_ip.parse().unwrap(),
                    shared_ip.parse().unwrap()
                ),
                published.map(|addr| addr.parse().unwrap()),
                "{addr}"
            );
        }
    }
}
