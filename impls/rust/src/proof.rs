//! Which stack a connection really negotiated.
//!
//! rust-libp2p tells neither the security protocol nor the muxer of a connection. So a node offers
//! only the one asked for, and each upgrade notes its protocol here once it has completed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use libp2p::{
    Multiaddr, PeerId,
    core::{
        ConnectedPoint, UpgradeInfo,
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
    },
    multiaddr::Protocol,
};

/// What the upgrades noted, by the peer they were completed with: that is all an upgrade to a
/// secure channel knows of its connection.
#[derive(Clone, Default)]
pub struct Negotiations(Arc<Mutex<HashMap<PeerId, Upgrades>>>);

#[derive(Clone, Copy, Default)]
struct Upgrades {
    security: Option<&'static str>,
    muxer: Option<&'static str>,
}

impl Negotiations {
    /// `upgrade`, to a secure channel, made to note its protocol.
    pub fn note_security<U, S>(
        &self,
        upgrade: U,
    ) -> Noted<U, impl FnOnce(&(PeerId, S), &'static str) + Clone + use<U, S>> {
        let negotiations = self.clone();
        let note = move |(peer, _): &(PeerId, S), protocol| {
            negotiations.upgrades(*peer, |upgrades| upgrades.security = Some(protocol));
        };
        Noted { upgrade, note }
    }

    /// `upgrade`, to a muxer, made to note its protocol.
    pub fn note_muxer<U, M>(
        &self,
        peer: PeerId,
        upgrade: U,
    ) -> Noted<U, impl FnOnce(&M, &'static str) + Clone + use<U, M>> {
        let negotiations = self.clone();
        let note = move |_: &M, protocol| {
            negotiations.upgrades(peer, |upgrades| upgrades.muxer = Some(protocol));
        };
        Noted { upgrade, note }
    }

    fn upgrades<T>(&self, peer: PeerId, f: impl FnOnce(&mut Upgrades) -> T) -> T {
        f(self.0.lock().unwrap().entry(peer).or_default())
    }

    /// The stack of an established connection, in the contract's words.
    pub fn stack(&self, peer: &PeerId, endpoint: &ConnectedPoint) -> String {
        let transport = transport(match endpoint {
            ConnectedPoint::Dialer { address, .. } => address,
            ConnectedPoint::Listener { local_addr, .. } => local_addr,
        });
        // Standalone transports have no upgrades.
        let Some(upgrades) = self.0.lock().unwrap().get(peer).copied() else {
            return format!("transport={transport}");
        };
        let security = match upgrades.security {
            Some("/noise") => "noise",
            Some("/tls/1.0.0") => "tls",
            other => other.unwrap_or("none"),
        };
        let muxer = match upgrades.muxer {
            Some("/yamux/1.0.0") => "yamux",
            Some("/mplex/6.7.0") => "mplex",
            other => other.unwrap_or("none"),
        };
        format!("transport={transport} secureChannel={security} muxer={muxer}")
    }
}

/// The transport that carries a connection over this address.
fn transport(addr: &Multiaddr) -> &'static str {
    addr.iter()
        .fold((false, "none"), |(tls, name), protocol| match protocol {
            Protocol::Tls => (true, name),
            Protocol::Tcp(_) => (tls, "tcp"),
            Protocol::Ws(_) if tls => (tls, "wss"),
            Protocol::Ws(_) => (tls, "ws"),
            Protocol::Wss(_) => (tls, "wss"),
            Protocol::QuicV1 => (tls, "quic-v1"),
            Protocol::WebTransport => (tls, "webtransport"),
            Protocol::WebRTCDirect => (tls, "webrtc-direct"),
            _ => (tls, name),
        })
        .1
}

/// An upgrade that hands its output and protocol to `note` when it has completed.
#[derive(Clone)]
pub struct Noted<U, F> {
    upgrade: U,
    note: F,
}

impl<U: UpgradeInfo, F> UpgradeInfo for Noted<U, F> {
    type Info = U::Info;
    type InfoIter = U::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.upgrade.protocol_info()
    }
}

impl<C, U, F> InboundConnectionUpgrade<C> for Noted<U, F>
where
    U: InboundConnectionUpgrade<C, Future: Send + 'static>,
    U::Info: Send + 'static,
    F: FnOnce(&U::Output, U::Info) + Send + 'static,
{
    type Output = U::Output;
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<U::Output, U::Error>>;

    fn upgrade_inbound(self, socket: C, info: U::Info) -> Self::Future {
        self.upgrade
            .upgrade_inbound(socket, info.clone())
            .inspect_ok(|output| (self.note)(output, info))
            .boxed()
    }
}

impl<C, U, F> OutboundConnectionUpgrade<C> for Noted<U, F>
where
    U: OutboundConnectionUpgrade<C, Future: Send + 'static>,
    U::Info: Send + 'static,
    F: FnOnce(&U::Output, U::Info) + Send + 'static,
{
    type Output = U::Output;
    type Error = U::Error;
    type Future = BoxFuture<'static, Result<U::Output, U::Error>>;

    fn upgrade_outbound(self, socket: C, info: U::Info) -> Self::Future {
        self.upgrade
            .upgrade_outbound(socket, info.clone())
            .inspect_ok(|output| (self.note)(output, info))
            .boxed()
    }
}
