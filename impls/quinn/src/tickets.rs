//! Session tickets, and waiting for one.

use std::time::Duration;

use rustls::{
    NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
    },
    pki_types::ServerName,
};
use tokio::{sync::Notify, time::timeout};

use crate::contract::Result;

/// A ticket follows the handshake within a round trip; a lost one comes again within seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// rustls' own cache of tickets, which tells when one arrives.
#[derive(Debug)]
pub struct Tickets {
    cache: ClientSessionMemoryCache,
    arrived: Notify,
}

impl Tickets {
    pub fn new() -> Self {
        Self {
            cache: ClientSessionMemoryCache::new(1),
            arrived: Notify::new(),
        }
    }

    /// Returns once there has been a ticket.
    pub async fn arrived(&self) -> Result<()> {
        timeout(PATIENCE, self.arrived.notified())
            .await
            .map_err(|_| "the server has sent no session ticket".into())
    }
}

impl ClientSessionStore for Tickets {
    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.cache.insert_tls13_ticket(server, ticket);
        self.arrived.notify_one();
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(server)
    }

    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.cache.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.cache.kx_hint(server)
    }

    // QUIC has no TLS 1.2.
    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
}
