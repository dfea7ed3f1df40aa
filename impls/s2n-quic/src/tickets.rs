//! Session tickets: kept for the next connection, and waited for.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use s2n_quic::provider::tls::s2n_tls::{
    callbacks::{ConnectionFuture, SessionTicket, SessionTicketCallback},
    config::ConnectionInitializer,
    connection::Connection,
    error::Error,
};
use tokio::{sync::Notify, time::timeout};

use crate::contract::Result;

/// A ticket follows the handshake within a round trip; a lost one comes again within seconds.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
pub struct Tickets(Arc<Store>);

#[derive(Default)]
struct Store {
    last: Mutex<Option<Vec<u8>>>,
    arrived: Notify,
}

impl Tickets {
    /// Returns once there has been a ticket.
    pub async fn arrived(&self) -> Result<()> {
        timeout(PATIENCE, self.0.arrived.notified())
            .await
            .map_err(|_| "the server has sent no session ticket".into())
    }
}

impl SessionTicketCallback for Tickets {
    fn on_session_ticket(&self, _: &mut Connection, ticket: &SessionTicket) {
        let read = || {
            let mut data = vec![0; ticket.len()?];
            ticket.data(&mut data)?;
            Ok::<_, Error>(data)
        };
        match read() {
            Ok(data) => {
                *self.0.last.lock().expect("nobody panics with it") = Some(data);
                self.0.arrived.notify_one();
            }
            Err(error) => eprintln!("an unreadable session ticket: {error}"),
        }
    }
}

/// A new connection resumes the last one.
impl ConnectionInitializer for Tickets {
    fn initialize_connection(
        &self,
        connection: &mut Connection,
    ) -> std::result::Result<Option<std::pin::Pin<Box<dyn ConnectionFuture>>>, Error> {
        if let Some(ticket) = &*self.0.last.lock().expect("nobody panics with it") {
            connection.set_session_ticket(ticket)?;
        }
        Ok(None)
    }
}
